-- title: Which server, which database, at which moment
SELECT current_database() AS database,
       pg_database_size(current_database()) AS database_bytes,
       current_setting('server_version') AS server_version,
       now() AS taken_at,
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text AS wal_lsn,
       (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       to_regclass('supabase_migrations.schema_migrations') IS NOT NULL AS has_migrations
