-- title: How large is each index, and how often is it used?
WITH /* opslib */ locked AS MATERIALIZED (
    SELECT DISTINCT relation FROM pg_locks
    WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), sized AS (
    SELECT s.*, to_jsonb(s) ->> 'last_idx_scan' AS last_used, t.seq_scan, c.relpages,
           (s.indexrelid IN (SELECT relation FROM locked)) AS locked
    FROM pg_stat_user_indexes s
    JOIN pg_class c ON c.oid = s.indexrelid
    JOIN pg_stat_user_tables t ON t.relid = s.relid
)
SELECT z.schemaname || '.' || z.relname AS relation, z.indexrelname::text AS index,
       CASE WHEN z.locked THEN z.relpages::bigint * current_setting('block_size')::int
            ELSE pg_relation_size(z.indexrelid) END AS bytes,
       CASE WHEN z.locked THEN 'estimate (index is locked)' ELSE 'measured' END AS size_is,
       z.idx_scan AS scans, z.seq_scan AS table_sequential_scans,
       -- Of the times that its table was looked up at all.
       round(100.0 * z.idx_scan / nullif(sum(z.idx_scan) OVER (PARTITION BY z.relid) + z.seq_scan, 0), 1)::float8
           AS share_percent,
       round(z.idx_tup_read::numeric / nullif(z.idx_scan, 0), 1)::float8 AS entries_each,
       z.last_used::timestamptz AS last_used
FROM sized z
ORDER BY bytes DESC, relation, index
LIMIT 50
