-- title: Rows that were inserted, changed or deleted in each table since its counters began
SELECT schemaname || '.' || relname AS "table", n_tup_ins + n_tup_upd + n_tup_del AS changes
FROM pg_stat_user_tables
ORDER BY 1
