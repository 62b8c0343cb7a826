-- title: Tables and views that the API's roles reach, and what stands between them and the rows
WITH /* opslib */ reached AS (
    SELECT c.oid, n.nspname::text AS schema, c.relname::text AS relation, c.relkind::text AS kind, c.relrowsecurity AS rls,
           c.reloptions,
           ARRAY(SELECT r FROM unnest(ARRAY['anon', 'authenticated']) AS r
                 WHERE has_schema_privilege(r, n.oid, 'USAGE') AND has_any_column_privilege(r, c.oid, 'SELECT')) AS readers,
           ARRAY(SELECT r FROM unnest(ARRAY['anon', 'authenticated']) AS r
                 WHERE has_schema_privilege(r, n.oid, 'USAGE')
                   AND has_table_privilege(r, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS writers
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%(schemas)s::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend e
                      WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
)
SELECT r.schema, r.relation, r.kind, r.rls, r.readers, r.writers,
       (SELECT count(*) FROM pg_policy p WHERE p.polrelid = r.oid) AS policies,
       r.kind = 'v' AND NOT coalesce(
           (SELECT bool_or(lower(o) IN ('security_invoker=true', 'security_invoker=on', 'security_invoker=1'))
            FROM unnest(r.reloptions) AS o), false) AS owner_rights,
       ARRAY(SELECT p.polname::text FROM pg_policy p
             WHERE p.polrelid = r.oid AND p.polpermissive
               AND (p.polroles = ARRAY[0::oid] OR p.polroles && ARRAY[to_regrole('anon')::oid, to_regrole('authenticated')::oid])
               AND pg_get_expr(p.polqual, p.polrelid) = 'true') AS open_reads,
       ARRAY(SELECT p.polname::text FROM pg_policy p
             WHERE p.polrelid = r.oid AND p.polpermissive AND p.polcmd <> 'r'
               AND (p.polroles = ARRAY[0::oid] OR p.polroles && ARRAY[to_regrole('anon')::oid, to_regrole('authenticated')::oid])
               AND coalesce(pg_get_expr(p.polwithcheck, p.polrelid), pg_get_expr(p.polqual, p.polrelid)) = 'true') AS open_writes
FROM reached r
ORDER BY 1, 2
