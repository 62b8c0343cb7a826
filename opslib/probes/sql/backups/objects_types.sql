-- title: Enumerations with their labels, and domains
SELECT format('%I.%I', n.nspname, t.typname) AS name,
       CASE t.typtype
           WHEN 'e' THEN (SELECT string_agg(quote_literal(l.enumlabel), ',' ORDER BY l.enumsortorder)
                          FROM pg_enum l WHERE l.enumtypid = t.oid)
           ELSE concat_ws(' ', format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault) END AS text
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd')
  AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
