-- title: Which tables are the largest, with their indexes and TOAST?
WITH /* opslib */ locked AS MATERIALIZED (
    SELECT DISTINCT relation FROM pg_locks
    WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), parts AS (
    -- Measuring opens a relation and would queue behind an exclusive lock, so a locked one is not opened.
    SELECT t.oid, 'table' AS part, t.oid AS relation FROM pg_class t WHERE t.relkind IN ('r', 'm')
    UNION ALL
    SELECT t.oid, 'toast', t.reltoastrelid FROM pg_class t WHERE t.relkind IN ('r', 'm') AND t.reltoastrelid <> 0
    UNION ALL
    SELECT i.indrelid, 'indexes', i.indexrelid FROM pg_index i
), sized AS (
    SELECT p.oid, p.part, c.oid IN (SELECT relation FROM locked) AS locked,
           CASE WHEN c.oid IN (SELECT relation FROM locked)
                THEN greatest(c.relpages, 0)::bigint * current_setting('block_size')::int
                ELSE pg_relation_size(c.oid) END AS bytes
    FROM parts p JOIN pg_class c ON c.oid = p.relation
    JOIN pg_class t ON t.oid = p.oid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
)
SELECT s.oid::regclass::text AS relation,
       sum(s.bytes)::bigint AS bytes,
       coalesce(sum(s.bytes) FILTER (WHERE s.part = 'table'), 0)::bigint AS table_bytes,
       coalesce(sum(s.bytes) FILTER (WHERE s.part = 'indexes'), 0)::bigint AS index_bytes,
       coalesce(sum(s.bytes) FILTER (WHERE s.part = 'toast'), 0)::bigint AS toast_bytes,
       CASE WHEN bool_or(s.locked) THEN 'estimate (relation is locked)' ELSE 'measured' END AS size_is,
       max(u.n_live_tup) AS rows_estimate
FROM sized s
LEFT JOIN pg_stat_user_tables u ON u.relid = s.oid
GROUP BY s.oid
ORDER BY bytes DESC, relation
LIMIT 20
