-- title: What the API's roles may read of each table, and whether a policy lets them see rows
SELECT /* opslib */ asked.name AS "table", c.oid IS NOT NULL AS there,
       coalesce(c.relrowsecurity, false) AS rls,
       coalesce(has_schema_privilege('anon', c.relnamespace, 'USAGE')
                AND has_any_column_privilege('anon', c.oid, 'SELECT'), false) AS anybody_may,
       coalesce(has_schema_privilege('authenticated', c.relnamespace, 'USAGE')
                AND has_any_column_privilege('authenticated', c.oid, 'SELECT'), false) AS members_may,
       (SELECT count(*) FROM pg_policies p
        WHERE p.schemaname = 'public' AND p.tablename = asked.name AND p.permissive = 'PERMISSIVE'
          AND p.cmd IN ('SELECT', 'ALL') AND p.roles && ARRAY['anon', 'public']::name[]) AS anybody_policies,
       (SELECT count(*) FROM pg_policies p
        WHERE p.schemaname = 'public' AND p.tablename = asked.name AND p.permissive = 'PERMISSIVE'
          AND p.cmd IN ('SELECT', 'ALL') AND p.roles && ARRAY['authenticated', 'public']::name[]) AS members_policies,
       greatest(c.reltuples::bigint, (SELECT s.n_live_tup FROM pg_stat_all_tables s WHERE s.relid = c.oid)) AS about_rows
FROM unnest(%(tables)s::text[]) WITH ORDINALITY AS asked (name, place)
LEFT JOIN pg_class c ON c.relname = asked.name AND c.relnamespace = 'public'::regnamespace
ORDER BY asked.place
