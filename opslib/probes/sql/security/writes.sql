-- title: Policies by which the API's roles may write, and the column that says whose a row is
WITH /* opslib */ reached AS (
    SELECT c.oid, n.oid AS schema, n.nspname || '.' || c.relname AS relation, c.relname::text AS name,
           CASE WHEN n.nspname = 'public' AND c.relname = 'organizations' THEN 'id'
                ELSE (SELECT a.attname::text FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attname = ANY (%(columns)s::text[]) AND NOT a.attisdropped LIMIT 1)
           END AS tenant_column
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%(schemas)s::text[]) AND c.relkind IN ('r', 'p') AND c.relrowsecurity
      AND NOT EXISTS (SELECT FROM pg_depend e
                      WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
)
SELECT r.relation, r.name, r.tenant_column, w.role, w.command, p.polname::text AS policy, p.polpermissive AS permissive,
       pg_get_expr(p.polqual, p.polrelid) AS using,
       pg_get_expr(p.polwithcheck, p.polrelid) AS with_check
FROM reached r
CROSS JOIN (SELECT role, command, letter
            FROM unnest(ARRAY['anon', 'authenticated']) AS role,
                 unnest(ARRAY['INSERT', 'UPDATE', 'DELETE'], ARRAY['a', 'w', 'd']) AS kind (command, letter)) AS w
JOIN pg_policy p ON p.polrelid = r.oid AND p.polcmd IN ('*', w.letter::"char")
WHERE has_schema_privilege(w.role, r.schema, 'USAGE')
  AND CASE w.command WHEN 'DELETE' THEN has_table_privilege(w.role, r.oid, 'DELETE')
                     ELSE has_any_column_privilege(w.role, r.oid, w.command) END
  AND EXISTS (SELECT FROM unnest(p.polroles) AS held (role)
              WHERE held.role = 0 OR pg_has_role(w.role, held.role, 'USAGE'))
ORDER BY 1, 4, 5, 6
