-- title: How much of each table is empty, as far as its statistics tell?
WITH /* opslib */ locked AS MATERIALIZED (
    SELECT DISTINCT relation FROM pg_locks
    WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), widths AS (
    SELECT s.schemaname, s.tablename, sum((1 - s.null_frac) * s.avg_width) AS data, bool_or(s.null_frac > 0) AS nulls,
           count(*) AS columns
    FROM pg_stats s
    WHERE NOT s.inherited
    GROUP BY s.schemaname, s.tablename
), tables AS (
    SELECT c.oid, n.nspname || '.' || c.relname AS relation, c.reltuples, w.data, w.nulls,
           (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
               AS columns, coalesce(w.columns, 0) AS known,
           current_setting('block_size')::int AS block,
           coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor')::int,
                    100) AS fill,
           CASE WHEN c.oid IN (SELECT relation FROM locked)
                THEN c.relpages::bigint * current_setting('block_size')::int
                ELSE pg_relation_size(c.oid) END AS bytes,
           c.oid IN (SELECT relation FROM locked) AS locked,
           c.relpages
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN widths w ON w.schemaname = n.nspname AND w.tablename = c.relname
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
), rows AS (
    SELECT *,
           -- Header 23 bytes and one bit a column for NULLs, rounded up to 8; data rounded up to 8; line pointer 4.
           8 * ceil((23 + CASE WHEN nulls THEN ceil(columns / 8.0) ELSE 0 END) / 8.0) + 8 * ceil(data / 8.0) + 4
               AS row_bytes,
           -- The statistics may be older than the file: rows are taken as dense as they were then.
           CASE WHEN relpages > 0 THEN reltuples * (bytes::float8 / block / relpages) ELSE reltuples END AS live
    FROM tables
)
SELECT relation, bytes,
       CASE WHEN locked THEN 'estimate (table is locked)' ELSE 'measured' END AS size_is,
       CASE WHEN known >= columns AND reltuples >= 0 THEN
           greatest(0, bytes - ceil(live * row_bytes / ((block - 24) * fill / 100.0)) * block)::bigint
       END AS empty_bytes_estimate,
       CASE WHEN known >= columns AND reltuples >= 0 AND bytes > 0 THEN
           round((100 * greatest(0, bytes - ceil(live * row_bytes / ((block - 24) * fill / 100.0)) * block)
                  / bytes)::numeric, 1)::float8
       END AS empty_percent_estimate
FROM rows
WHERE bytes > 0
ORDER BY empty_bytes_estimate DESC NULLS LAST, bytes DESC
LIMIT 50
