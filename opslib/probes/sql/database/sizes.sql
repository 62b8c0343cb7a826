-- title: How large are the databases, the WAL and the temporary files?
SELECT /* opslib */ 'database' AS what, d.datname::text AS name, pg_database_size(d.oid) AS bytes
FROM pg_database d WHERE d.datallowconn
UNION ALL
SELECT 'write-ahead log', count(*) || ' segments', coalesce(sum(size), 0)::bigint FROM pg_ls_waldir()
UNION ALL
SELECT 'temporary files', count(*) || ' files', coalesce(sum(size), 0)::bigint FROM pg_ls_tmpdir()
ORDER BY 1, 3 DESC, 2
