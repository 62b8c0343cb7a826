-- title: Which indexes are invalid, and not just being built?
SELECT /* opslib */
    n.nspname || '.' || t.relname AS relation,
    c.relname::text AS index,
    i.indisvalid AS valid, i.indisready AS kept_up_to_date,
    pg_get_indexdef(c.oid) AS definition,
    CASE WHEN c.relname ~ '_cc(new|old)[0-9]*$' THEN 'left by REINDEX CONCURRENTLY'
         ELSE 'left by CREATE INDEX CONCURRENTLY' END AS origin
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
  AND c.relkind = 'i'
  AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p
                  WHERE p.index_relid = c.oid)
ORDER BY 1, 2
