-- title: Which indexes say nothing that another one does not say as well?
WITH /* opslib */ indexes AS MATERIALIZED (
    SELECT i.indexrelid, i.indrelid, c.relam, c.relname::text AS name, c.relpages,
           i.indisunique, i.indisprimary, i.indisreplident, i.indnkeyatts AS keys, i.indnatts AS columns,
           i.indkey::int2[] AS key, i.indclass::oid[] AS classes, i.indcollation::oid[] AS collations,
           i.indoption::int2[] AS options,
           coalesce(pg_get_expr(i.indexprs, i.indrelid), '') AS expressions,
           coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate,
           EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid) AS serves_constraint,
           coalesce(to_jsonb(i) ->> 'indnullsnotdistinct', 'false') AS nulls_not_distinct
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.indisvalid AND i.indislive AND NOT i.indisexclusion
      AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
      AND NOT c.relispartition
), pairs AS (
    SELECT a.*, b.indexrelid AS covered_by_oid, b.name AS covered_by,
           (a.columns = b.columns AND a.keys = b.keys) AS same
    FROM indexes a
    JOIN indexes b ON b.indrelid = a.indrelid AND b.indexrelid <> a.indexrelid AND b.relam = a.relam
    WHERE a.predicate = b.predicate AND a.expressions = b.expressions
      AND NOT a.indisreplident AND NOT a.serves_constraint
      AND a.keys <= b.keys
      AND (a.keys = b.keys OR (a.columns = a.keys AND a.expressions = ''
                               AND (SELECT amname FROM pg_am WHERE oid = a.relam) = 'btree'))
      AND a.key[0:a.keys - 1] = b.key[0:a.keys - 1]
      AND a.classes[0:a.keys - 1] = b.classes[0:a.keys - 1]
      AND a.collations[0:a.keys - 1] = b.collations[0:a.keys - 1]
      AND a.options[0:a.keys - 1] = b.options[0:a.keys - 1]
      -- Columns that are only carried along (INCLUDE) must be in the other one as well.
      AND a.key[a.keys:] <@ b.key
      -- What is unique may go only if the other one promises just the same.
      AND (NOT a.indisunique
           OR (b.indisunique AND a.keys = b.keys AND a.nulls_not_distinct = b.nulls_not_distinct))
), ranked AS (
    SELECT p.*, row_number() OVER (PARTITION BY p.indexrelid ORDER BY p.same DESC, p.covered_by) AS choice
    FROM pairs p
    JOIN indexes b ON b.indexrelid = p.covered_by_oid
    -- Of two that are the same keep the one that serves a rule, else the older one.
    WHERE NOT (p.same AND p.indisunique = b.indisunique AND NOT b.serves_constraint AND NOT b.indisreplident
               AND p.indexrelid < b.indexrelid)
)
SELECT r.indrelid::regclass::text AS relation, r.name AS index, r.covered_by,
       CASE WHEN r.same THEN 'duplicate' ELSE 'prefix of the other' END AS why,
       r.relpages::bigint * current_setting('block_size')::int AS bytes_estimate,
       pg_get_indexdef(r.indexrelid) AS definition
FROM ranked r
WHERE r.choice = 1
ORDER BY bytes_estimate DESC, relation, index
LIMIT 100
