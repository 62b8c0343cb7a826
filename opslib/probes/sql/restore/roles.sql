-- title: Roles of the server
SELECT rolname::text AS name FROM pg_roles ORDER BY 1
