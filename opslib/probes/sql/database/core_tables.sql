-- title: Are the tables there without which nothing of the product works?
SELECT /* opslib */ t AS relation, to_regclass(t) IS NOT NULL AS present,
       (SELECT greatest(c.reltuples, 0)::bigint FROM pg_class c WHERE c.oid = to_regclass(t)) AS estimated_rows
FROM unnest(%(core)s::text[]) AS t
ORDER BY present, relation
