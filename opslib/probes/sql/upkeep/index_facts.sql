-- title: What is this table, which of the columns has it, and what would hold up an index on it?
SELECT /* opslib */
    c.oid::bigint AS oid, c.relkind::text AS kind, c.relispartition AS is_partition,
    n.nspname::text AS schema, c.relname::text AS name,
    greatest(c.reltuples, 0)::bigint AS rows_estimate,
    c.relpages::bigint * current_setting('block_size')::int AS bytes_estimate,
    ARRAY(SELECT a.attname::text FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
    (SELECT coalesce(sum(greatest(s.avg_width, 1)), 0)::bigint FROM pg_stats s
     WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = ANY (%(columns)s::text[])) AS key_width,
    pg_is_in_recovery() AS standby
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname || '.' || c.relname = %(relation)s
