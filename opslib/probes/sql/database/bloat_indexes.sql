-- title: How much of each B-tree is empty, as far as the statistics tell?
WITH /* opslib */ locked AS MATERIALIZED (
    SELECT DISTINCT relation FROM pg_locks
    WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), indexes AS MATERIALIZED (
    SELECT c.oid, n.nspname, n.nspname || '.' || t.relname AS relation, c.relname AS name, t.relname AS tablename,
           c.reltuples, c.relpages, i.indnatts, a.attnum,
           -- A column's statistics are the table's; an expression's stand under the index's own name.
           CASE WHEN i.indkey[a.attnum - 1] = 0 THEN c.relname ELSE t.relname END AS statistics_of,
           CASE WHEN i.indkey[a.attnum - 1] = 0 THEN a.attname
                ELSE (SELECT b.attname FROM pg_attribute b
                      WHERE b.attrelid = t.oid AND b.attnum = i.indkey[a.attnum - 1]) END AS attname,
           coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions)
                     WHERE option_name = 'fillfactor')::int, 90) AS fill
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
    JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
), widths AS (
    SELECT x.oid, x.relation, x.name, x.reltuples, x.relpages, x.fill,
           count(s.attname) AS known, max(x.indnatts) AS columns,
           sum((1 - s.null_frac) * s.avg_width) AS data, bool_or(s.null_frac > 0) AS nulls
    FROM indexes x
    LEFT JOIN pg_stats s ON s.schemaname = x.nspname AND s.tablename = x.statistics_of AND s.attname = x.attname
                         AND NOT s.inherited
    GROUP BY x.oid, x.relation, x.name, x.reltuples, x.relpages, x.fill
), sized AS (
    SELECT *, current_setting('block_size')::int AS block, oid IN (SELECT relation FROM locked) AS locked,
           CASE WHEN oid IN (SELECT relation FROM locked)
                THEN relpages::bigint * current_setting('block_size')::int ELSE pg_relation_size(oid) END AS bytes,
           -- Entry header 8 (16 with NULLs), data rounded up to 8, line pointer 4.
           CASE WHEN nulls THEN 16 ELSE 8 END + 8 * ceil(data / 8.0) + 4 AS entry_bytes
    FROM widths
), expected AS (
    -- Leaf pages keep 40 bytes for themselves; the levels above them are about one page in 200. Equal keys are
    -- stored once since 13, which this does not count: the estimate errs towards "not bloated".
    SELECT *, CASE WHEN known >= columns AND reltuples >= 0 THEN
        (1 + ceil(1.005 * reltuples * entry_bytes / ((block - 40) * fill / 100.0))) * block END AS needed
    FROM sized
)
SELECT relation, name::text AS index, bytes,
       CASE WHEN locked THEN 'estimate (index is locked)' ELSE 'measured' END AS size_is,
       greatest(0, bytes - needed)::bigint AS empty_bytes_estimate,
       round((100 * greatest(0, bytes - needed) / nullif(bytes, 0))::numeric, 1)::float8 AS empty_percent_estimate
FROM expected
WHERE bytes > 0
ORDER BY empty_bytes_estimate DESC NULLS LAST, bytes DESC
LIMIT 50
