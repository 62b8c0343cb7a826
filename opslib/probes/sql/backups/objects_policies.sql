-- title: Row security policies
SELECT format('%I.%I %I', n.nspname, c.relname, p.polname) AS name,
       concat_ws(' ', p.polcmd, p.polpermissive,
                 (SELECT string_agg(CASE WHEN o = 0 THEN 'public' ELSE pg_get_userbyid(o)::text END, ',' ORDER BY
                                    CASE WHEN o = 0 THEN 'public' ELSE pg_get_userbyid(o)::text END)
                  FROM unnest(p.polroles) AS o),
                 'USING', pg_get_expr(p.polqual, p.polrelid),
                 'CHECK', pg_get_expr(p.polwithcheck, p.polrelid)) AS text
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
