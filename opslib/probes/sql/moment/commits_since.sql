-- title: Which transactions were committed after a moment, and which was the last one up to it?
WITH /* opslib */ place AS MATERIALIZED (
    SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next,
           current_setting('track_commit_timestamp')::bool AS dated
), counted AS MATERIALIZED (
    -- The newest so many numbers. Of what was rolled back, and of what only read, no time is kept.
    SELECT count(*) FILTER (WHERE at > %(second)s) AS commits,
           count(*) FILTER (WHERE at > %(second)s AND at < %(moment)s) AS between_commits,
           max(at) FILTER (WHERE at <= %(second)s) AS kept_at,
           min(at) FILTER (WHERE at > %(second)s) AS first_at,
           max(at) AS newest_at
    FROM place p, generate_series(greatest(3, p.next - %(most)s), p.next - 1) AS x,
         LATERAL (SELECT CASE WHEN p.dated AND (x & 4294967295) > 2
                              THEN pg_xact_commit_timestamp(x::text::xid8::xid) END AS at) AS dated
), named AS MATERIALIZED (
    -- Once more, for their numbers: to sort them all would take longer.
    SELECT (x & 4294967295)::text AS xid, at
    FROM place p, counted c, generate_series(greatest(3, p.next - %(most)s), p.next - 1) AS x,
         LATERAL (SELECT CASE WHEN p.dated AND (x & 4294967295) > 2
                              THEN pg_xact_commit_timestamp(x::text::xid8::xid) END AS at) AS dated
    WHERE at IN (c.kept_at, c.first_at, c.newest_at)
)
SELECT p.dated, c.commits, c.between_commits,
       (SELECT min(xid) FROM named WHERE at = c.kept_at) AS kept_xid, c.kept_at,
       (SELECT min(xid) FROM named WHERE at = c.first_at) AS first_xid, c.first_at,
       (SELECT min(xid) FROM named WHERE at = c.newest_at) AS newest_xid, c.newest_at
FROM place p CROSS JOIN counted c
