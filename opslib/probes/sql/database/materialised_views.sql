-- title: Which materialised views are there, and may they be refreshed while they are read?
SELECT /* opslib */
    c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, n.nspname || '.' || c.relname AS view,
    c.relispopulated AS filled,
    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
            AND i.indpred IS NULL AND i.indexprs IS NULL) AS has_unique_index,
    greatest(c.reltuples, 0)::bigint AS rows_estimate,
    c.relpages::bigint * current_setting('block_size')::int AS bytes_estimate,
    c.relowner::regrole::text AS owner
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY view
