-- title: Which roles are there, how many sessions has each, and what may it do?
SELECT /* opslib */ r.rolname::text AS role, r.rolcanlogin AS logs_in,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid AND a.pid <> pg_backend_pid())::int AS sessions,
       CASE WHEN r.rolconnlimit >= 0 THEN r.rolconnlimit ELSE current_setting('max_connections')::int END AS at_most,
       concat_ws(', ', CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolbypassrls THEN 'sees all rows' END,
                 CASE WHEN r.rolreplication THEN 'replicates' END, CASE WHEN r.rolcreaterole THEN 'makes roles' END)
           AS may,
       -- Names alone: what an application keeps in a setting may be a key.
       ARRAY(SELECT split_part(setting, '=', 1) FROM unnest(r.rolconfig) AS setting ORDER BY 1) AS own_settings,
       r.rolvaliduntil AS password_ends
FROM pg_roles r
WHERE r.rolname !~ '^pg_'
ORDER BY sessions DESC, r.rolcanlogin DESC, role
LIMIT 50
