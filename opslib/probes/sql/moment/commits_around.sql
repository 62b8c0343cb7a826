-- title: Which transactions were committed just before and just after a moment?
WITH /* opslib */ place AS (
    SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next,
           current_setting('track_commit_timestamp')::bool AS dated
), seen AS NOT MATERIALIZED (
    SELECT (x & 4294967295)::text AS xid, at
    FROM place p, generate_series(greatest(3, p.next - %(most)s), p.next - 1) AS x,
         LATERAL (SELECT CASE WHEN p.dated AND (x & 4294967295) > 2
                              THEN pg_xact_commit_timestamp(x::text::xid8::xid) END AS at) AS dated
), around AS (
    (SELECT xid, at FROM seen WHERE at < %(moment)s ORDER BY at DESC, xid LIMIT %(shown)s)
    UNION ALL
    (SELECT xid, at FROM seen WHERE at >= %(moment)s ORDER BY at, xid LIMIT %(shown)s)
)
SELECT xid, at, at < %(moment)s AS before FROM around ORDER BY at, xid
