-- title: Which indexes did a broken-off CONCURRENTLY leave behind?
SELECT /* opslib */
    i.indexrelid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name,
    n.nspname || '.' || c.relname AS index,
    n.nspname || '.' || t.relname AS relation,
    pg_get_indexdef(i.indexrelid) AS definition,
    i.indisunique AS is_unique,
    EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid) AS serves_constraint,
    i.indisreplident AS is_replica_identity
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
JOIN pg_class t ON t.oid = i.indrelid AND t.relkind IN ('r', 'm')
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
  AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
  AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
ORDER BY index
