-- title: Tables with their size, and the rows that the server counted as changed since its counters began
SELECT /* opslib */ s.schemaname::text AS schema, s.relname::text AS "table", c.relpages::bigint AS pages,
       s.n_live_tup AS live_rows, s.n_tup_ins + s.n_tup_upd AS written, s.n_tup_del AS deleted,
       (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS counted_since
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
WHERE c.relpersistence = 'p' AND s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0
ORDER BY s.n_tup_ins + s.n_tup_upd + s.n_tup_del DESC, 1, 2
