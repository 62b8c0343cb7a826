-- title: Which transactions were committed after a moment, and which was the last one up to it?
WITH /* opslib */ place AS (
    SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next,
           current_setting('track_commit_timestamp')::bool AS dated
), seen AS (
    -- The newest so many numbers. Of what was rolled back, and of what only read, no time is kept.
    SELECT x AS number,
           CASE WHEN p.dated THEN pg_xact_commit_timestamp(mod(x, 4294967296)::text::xid) END AS at
    FROM place p, generate_series(p.next - 1, greatest(3, p.next - %(most)s), -1) AS x
    WHERE mod(x, 4294967296) >= 3
), dated AS (
    SELECT mod(number, 4294967296)::text AS xid, at FROM seen WHERE at IS NOT NULL
), before AS (
    SELECT xid, at FROM dated WHERE at <= %(second)s ORDER BY at DESC, xid LIMIT 1
), first AS (
    SELECT xid, at FROM dated WHERE at > %(second)s ORDER BY at, xid LIMIT 1
), newest AS (
    SELECT xid, at FROM dated ORDER BY at DESC, xid LIMIT 1
)
SELECT p.dated,
       (SELECT count(*) FROM dated WHERE at > %(second)s) AS commits,
       (SELECT count(*) FROM dated WHERE at > %(second)s AND at < %(moment)s) AS between_commits,
       b.xid AS kept_xid, b.at AS kept_at, f.xid AS first_xid, f.at AS first_at, n.xid AS newest_xid, n.at AS newest_at
FROM place p LEFT JOIN before b ON true LEFT JOIN first f ON true LEFT JOIN newest n ON true
