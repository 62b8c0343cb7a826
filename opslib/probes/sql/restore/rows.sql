-- title: Rows of each table as the server's statistics have them (no table is read, no lock is taken)
SELECT n.nspname || '.' || c.relname AS "table",
       CASE WHEN c.reltuples >= 0 AND s.n_mod_since_analyze = 0 OR s.n_live_tup = 0 THEN greatest(c.reltuples, 0)
            ELSE s.n_live_tup END::bigint AS rows
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relkind = 'r'
  AND c.relpersistence <> 't'
  AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
ORDER BY 1
