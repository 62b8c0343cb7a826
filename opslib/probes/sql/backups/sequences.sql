-- title: Where the sequences stand
SELECT s.schemaname::text AS schema, s.sequencename::text AS name, s.last_value AS last, s.increment_by AS increment
FROM pg_sequences s
WHERE NOT EXISTS (
    SELECT FROM pg_depend e
    WHERE e.classid = 'pg_class'::regclass AND e.deptype = 'e'
      AND e.objid = to_regclass(format('%I.%I', s.schemaname, s.sequencename)))
ORDER BY 1, 2
