-- title: Which foreign keys have no index on the side that a delete must search?
SELECT /* opslib */
    k.conrelid::regclass::text AS relation,
    k.conname::text AS foreign_key,
    (SELECT array_agg(a.attname::text ORDER BY u.place)
     FROM unnest(k.conkey) WITH ORDINALITY AS u (number, place)
     JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number) AS columns,
    k.confrelid::regclass::text AS parent,
    CASE WHEN c.reltuples < 0 THEN coalesce(child.n_live_tup, 0) ELSE c.reltuples::bigint END AS rows_estimate,
    greatest(c.relpages, 0)::bigint * current_setting('block_size')::int AS bytes_estimate,
    coalesce(parent.n_tup_del, 0) AS parent_rows_deleted,
    c.reltuples < 0 AS never_analyzed
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid AND c.relkind IN ('r', 'p')
LEFT JOIN pg_stat_user_tables child ON child.relid = k.conrelid
LEFT JOIN pg_stat_user_tables parent ON parent.relid = k.confrelid
WHERE k.contype = 'f' AND k.conparentid = 0
  AND NOT EXISTS (
      SELECT FROM pg_index i
      WHERE i.indrelid = k.conrelid AND i.indisvalid
        -- A partial index serves only if all that it leaves out are rows without a reference.
        AND (i.indpred IS NULL
             OR (cardinality(k.conkey) = 1 AND pg_get_expr(i.indpred, i.indrelid) ~ '^\(\S+ IS NOT NULL\)$'))
        AND i.indnkeyatts >= cardinality(k.conkey)
        AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
ORDER BY rows_estimate DESC, relation, foreign_key
LIMIT 200
