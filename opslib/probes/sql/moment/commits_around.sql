-- title: Which transactions were committed just before and just after a moment?
WITH /* opslib */ place AS (
    SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next,
           current_setting('track_commit_timestamp')::bool AS dated
), seen AS (
    SELECT mod(x, 4294967296)::text AS xid,
           CASE WHEN p.dated THEN pg_xact_commit_timestamp(mod(x, 4294967296)::text::xid) END AS at
    FROM place p, generate_series(p.next - 1, greatest(3, p.next - %(most)s), -1) AS x
    WHERE mod(x, 4294967296) >= 3
), around AS (
    (SELECT xid, at FROM seen WHERE at < %(moment)s ORDER BY at DESC, xid LIMIT %(shown)s)
    UNION ALL
    (SELECT xid, at FROM seen WHERE at >= %(moment)s ORDER BY at, xid LIMIT %(shown)s)
)
SELECT xid, at, at < %(moment)s AS before FROM around ORDER BY at, xid
