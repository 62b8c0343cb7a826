-- title: Which indexes has this table, on what, and are they of use?
SELECT /* opslib */
    i.indexrelid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name,
    m.amname::text AS method,
    i.indisvalid AND i.indisready AND i.indislive AS valid,
    i.indpred IS NULL AND i.indexprs IS NULL AS plain,
    ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
          WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns,
    pg_get_indexdef(i.indexrelid) AS definition,
    EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) AS being_built,
    c.relpages::bigint * current_setting('block_size')::int AS bytes_estimate,
    obj_description(i.indexrelid, 'pg_class') AS mark
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_am m ON m.oid = c.relam
WHERE n.nspname || '.' || t.relname = %(relation)s
ORDER BY name
