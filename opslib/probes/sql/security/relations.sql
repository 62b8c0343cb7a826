-- title: What the API exposes, and the column that says whose a row is
SELECT /* opslib */ n.nspname::text AS schema, c.relname::text AS relation, c.relkind::text AS kind,
       CASE WHEN n.nspname = 'public' AND c.relname = 'organizations' THEN 'id'
            ELSE (SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attname = ANY (%(columns)s::text[]) AND NOT a.attisdropped LIMIT 1)
       END AS tenant_column
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
  AND NOT c.relispartition
ORDER BY 1, 2
