-- title: Settings of the database, for everybody and for single roles in it
SELECT coalesce(r.rolname, '')::text AS role,
       split_part(item, '=', 1) AS name,
       substr(item, strpos(item, '=') + 1) AS value
FROM pg_db_role_setting s
JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
LEFT JOIN pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) AS item
ORDER BY 1, 2
