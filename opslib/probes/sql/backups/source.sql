-- title: The database that would be saved
SELECT current_database() AS database,
       current_setting('server_version') AS server,
       (SELECT system_identifier::text FROM pg_control_system()) AS system,
       pg_is_in_recovery() AS standby,
       pg_database_size(current_database()) AS size,
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\_%%' AND n.nspname <> 'information_schema') AS tables,
       ARRAY(SELECT t FROM unnest(%(core)s::text[]) AS t WHERE to_regclass(t) IS NULL ORDER BY t) AS missing_tables
