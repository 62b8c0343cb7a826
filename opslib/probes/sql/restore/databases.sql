-- title: The server's databases, and which one this session is in
SELECT d.oid::bigint AS oid,
       d.datname::text AS name,
       pg_get_userbyid(d.datdba)::text AS owner,
       d.datallowconn AS open,
       d.datname = current_database() AS live,
       shobj_description(d.oid, 'pg_database') AS comment
FROM pg_database d
WHERE NOT d.datistemplate
ORDER BY d.datname
