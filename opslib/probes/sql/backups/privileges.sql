-- title: Who may do what with the database as a whole
SELECT coalesce(r.rolname, '')::text AS role, a.privilege_type AS privilege, a.is_grantable AS grantable
FROM pg_database d
CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE d.datname = current_database()
ORDER BY 1, 2, 3
