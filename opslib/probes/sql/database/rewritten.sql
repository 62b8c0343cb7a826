-- title: How many rows of each core table were last written by one and the same transaction?
WITH /* opslib */ written AS (
    -- Some two thousand pages of each: enough for a share, and the same time for any size.
    SELECT 'auth.users' AS relation, xmin AS xid
    FROM auth.users TABLESAMPLE SYSTEM (
        (SELECT 100 * least(1, 2000.0 / greatest(relpages, 1)) FROM pg_class WHERE oid = 'auth.users'::regclass))
    UNION ALL
    SELECT 'public.users', xmin
    FROM public.users TABLESAMPLE SYSTEM (
        (SELECT 100 * least(1, 2000.0 / greatest(relpages, 1)) FROM pg_class WHERE oid = 'public.users'::regclass))
    UNION ALL
    SELECT 'public.organizations', xmin
    FROM public.organizations TABLESAMPLE SYSTEM (
        (SELECT 100 * least(1, 2000.0 / greatest(relpages, 1)) FROM pg_class WHERE oid = 'public.organizations'::regclass))
    UNION ALL
    SELECT 'public.cases', xmin
    FROM public.cases TABLESAMPLE SYSTEM (
        (SELECT 100 * least(1, 2000.0 / greatest(relpages, 1)) FROM pg_class WHERE oid = 'public.cases'::regclass))
), counted AS (
    SELECT relation, xid::text AS xid, count(*) AS rows, sum(count(*)) OVER (PARTITION BY relation) AS seen,
           row_number() OVER (PARTITION BY relation ORDER BY count(*) DESC) AS place
    FROM written GROUP BY relation, xid
), dated AS (
    SELECT c.*, CASE WHEN current_setting('track_commit_timestamp')::bool
                     THEN pg_xact_commit_timestamp(c.xid::xid) END AS committed_at
    FROM counted c WHERE c.place = 1
)
SELECT d.relation, d.seen::bigint AS rows_seen, round(100.0 * d.rows / d.seen, 1)::float8 AS by_one_percent, d.xid,
       d.committed_at, round(extract(epoch FROM now() - d.committed_at)::numeric)::float8 AS committed_seconds,
       s.n_tup_upd AS updates, s.n_live_tup AS live_rows
FROM dated d
JOIN pg_stat_all_tables s ON s.relid = d.relation::regclass
ORDER BY by_one_percent DESC, d.relation
