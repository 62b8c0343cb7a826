-- title: Roles of the server: what each may do, and of whom it is a member; never a password
SELECT /* opslib */ r.rolname::text AS name,
       concat_ws(' ',
           CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolcreaterole THEN 'createrole' END,
           CASE WHEN r.rolcreatedb THEN 'createdb' END, CASE WHEN r.rolcanlogin THEN 'login' END,
           CASE WHEN r.rolreplication THEN 'replication' END, CASE WHEN r.rolbypassrls THEN 'bypassrls' END,
           'until', r.rolvaliduntil,
           'in', (SELECT string_agg(g.rolname::text, ',' ORDER BY g.rolname)
                  FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid),
           'settings', array_to_string(r.rolconfig, ',')) AS text
FROM pg_roles r
ORDER BY r.rolname
