-- title: Constraints of tables and domains; NOT NULL stands with the columns
SELECT format('%I.%I %I', n.nspname, coalesce(c.relname, t.typname), k.conname) AS name,
       -- A restore adds an inherited constraint together with its parent's: NOT VALID where that is.
       regexp_replace(pg_get_constraintdef(k.oid), CASE WHEN k.coninhcount > 0 THEN ' NOT VALID$' ELSE '^$' END, '') AS text
FROM pg_constraint k
LEFT JOIN pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_type t ON t.oid = k.contypid
JOIN pg_namespace n ON n.oid = coalesce(c.relnamespace, t.typnamespace)
WHERE k.contype NOT IN ('n', 't')
  AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e'
                  AND ((e.classid = 'pg_class'::regclass AND e.objid = c.oid)
                    OR (e.classid = 'pg_type'::regclass AND e.objid = t.oid)))
