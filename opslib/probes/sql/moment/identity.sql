-- title: Which server is this: of which database, on which timeline, started when?
SELECT /* opslib */ (SELECT system_identifier::text FROM pg_control_system()) AS system,
       pg_postmaster_start_time() AS started, pg_is_in_recovery() AS standby, current_database()::text AS database,
       current_setting('track_commit_timestamp')::bool AS dated
