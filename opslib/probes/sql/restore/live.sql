-- title: The live database: name, identity, size, server
SELECT d.oid::bigint AS oid,
       d.datname::text AS name,
       pg_get_userbyid(d.datdba)::text AS owner,
       pg_database_size(d.oid) AS bytes,
       current_setting('server_version') AS server_version,
       pg_is_in_recovery() AS standby
FROM pg_database d
WHERE d.datname = current_database()
