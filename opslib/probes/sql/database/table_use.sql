-- title: How is each table read and written, and from where do its pages come?
SELECT /* opslib */ s.schemaname || '.' || s.relname AS relation,
       s.n_live_tup AS rows_estimate,
       s.seq_scan AS sequential_scans,
       round(s.seq_tup_read::numeric / nullif(s.seq_scan, 0))::bigint AS rows_each,
       coalesce(s.idx_scan, 0) AS index_scans,
       s.n_tup_ins AS inserted, s.n_tup_upd AS updated, s.n_tup_del AS deleted,
       round(100.0 * s.n_tup_hot_upd / nullif(s.n_tup_upd, 0), 1)::float8 AS in_place_percent,
       i.heap_blks_read + coalesce(i.idx_blks_read, 0) AS pages_read,
       round(100.0 * i.heap_blks_hit / nullif(i.heap_blks_hit + i.heap_blks_read, 0), 2)::float8 AS found_percent,
       round(100.0 * i.idx_blks_hit / nullif(i.idx_blks_hit + i.idx_blks_read, 0), 2)::float8 AS index_found_percent
FROM pg_stat_user_tables s
JOIN pg_statio_user_tables i ON i.relid = s.relid
-- What is read whole, row by row, comes first: there an index is missing, or the table is small.
ORDER BY s.seq_tup_read DESC, s.n_tup_ins + s.n_tup_upd + s.n_tup_del DESC, relation
LIMIT 50
