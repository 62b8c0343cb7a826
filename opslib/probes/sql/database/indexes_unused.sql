-- title: Which large indexes were never used since the statistics began, and serve no rule?
WITH /* opslib */ locked AS MATERIALIZED (
    SELECT DISTINCT relation FROM pg_locks
    WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), statistics AS (
    -- A crash throws statistics away and leaves only this mark; a reset of the database leaves the other.
    SELECT greatest((SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()),
                    (SELECT stats_reset FROM pg_stat_bgwriter)) AS since
), candidates AS (
    SELECT s.indexrelid, s.relid, s.schemaname::text AS schema, s.relname::text AS relation,
           s.indexrelname::text AS index, s.idx_scan, c.relpages,
           (s.indexrelid IN (SELECT relation FROM locked)) AS locked
    FROM pg_stat_user_indexes s
    JOIN pg_index i ON i.indexrelid = s.indexrelid
    JOIN pg_class c ON c.oid = s.indexrelid
    WHERE s.idx_scan = 0
      AND i.indisvalid
      AND NOT i.indisunique AND NOT i.indisexclusion AND NOT i.indisreplident AND NOT i.indisclustered
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = s.indexrelid)
), sized AS (
    SELECT *, CASE WHEN locked THEN relpages::bigint * current_setting('block_size')::int
                   ELSE pg_relation_size(indexrelid) END AS bytes
    FROM candidates
)
SELECT z.schema || '.' || z.relation AS relation, z.index, z.bytes,
       CASE WHEN z.locked THEN 'estimate (index is locked)' ELSE 'measured' END AS size_is,
       t.n_tup_ins + t.n_tup_upd + t.n_tup_del AS rows_written,
       round((extract(epoch FROM now() - (SELECT since FROM statistics)) / 86400)::numeric, 1)::float8 AS statistics_days,
       (SELECT count(*) FROM pg_stat_replication)::int AS standbys,
       pg_get_indexdef(z.indexrelid) AS definition
FROM sized z
LEFT JOIN pg_stat_user_tables t ON t.relid = z.relid
WHERE z.bytes > %(bytes)s
ORDER BY z.bytes DESC, z.index
LIMIT 50
