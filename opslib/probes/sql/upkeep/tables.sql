-- title: How do these tables stand, by the server's own counters and clock?
SELECT /* opslib */
    s.schemaname::text AS schema, s.relname::text AS name, s.schemaname || '.' || s.relname AS relation,
    s.relid::bigint AS oid,
    s.n_dead_tup AS dead_rows, s.n_mod_since_analyze AS unanalysed_rows,
    greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed_at,
    greatest(s.last_analyze, s.last_autoanalyze) AS analysed_at,
    c.relpages::bigint * current_setting('block_size')::int AS bytes_estimate,
    clock_timestamp() AS clock
FROM pg_stat_user_tables s
JOIN pg_class c ON c.oid = s.relid
WHERE c.relkind IN ('r', 'm')
  AND s.schemaname || '.' || s.relname = ANY (%(relations)s)
ORDER BY relation
