-- title: How large are the databases, their parts, the WAL and the temporary files?
WITH /* opslib */ locked AS MATERIALIZED (
    SELECT DISTINCT relation FROM pg_locks
    WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), parts AS (
    SELECT c.relkind, CASE WHEN c.oid IN (SELECT relation FROM locked)
                           THEN greatest(c.relpages, 0)::bigint * current_setting('block_size')::int
                           ELSE pg_relation_size(c.oid) END AS bytes
    FROM pg_class c
    -- Where a table is the application's own, so are its TOAST and the indexes on both.
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_class owner ON owner.reltoastrelid = coalesce(i.indrelid, c.oid)
    JOIN pg_class t ON t.oid = coalesce(owner.oid, i.indrelid, c.oid)
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE c.relkind IN ('r', 'm', 'i', 't') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
)
SELECT 'database' AS what, d.datname::text AS name, pg_database_size(d.oid) AS bytes
FROM pg_database d WHERE d.datallowconn
UNION ALL
SELECT 'part of ' || current_database(),
       CASE relkind WHEN 'i' THEN 'indexes' WHEN 't' THEN 'TOAST' ELSE 'tables' END, sum(bytes)::bigint
FROM parts GROUP BY 1, 2
UNION ALL
SELECT 'write-ahead log', count(*) || ' segments', coalesce(sum(size), 0)::bigint FROM pg_ls_waldir()
UNION ALL
SELECT 'temporary files', count(*) || ' files', coalesce(sum(size), 0)::bigint FROM pg_ls_tmpdir()
ORDER BY 1, 3 DESC, 2
