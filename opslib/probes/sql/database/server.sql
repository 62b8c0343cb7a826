-- title: Which server answers, since when, and in which role?
SELECT /* opslib */
    current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS version_number,
    current_database() AS database,
    CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END AS role,
    pg_postmaster_start_time() AS started_at,
    extract(epoch FROM now() - pg_postmaster_start_time())::float8 AS uptime_seconds,
    pg_conf_load_time() AS configuration_loaded_at,
    (SELECT count(*) FROM pg_settings WHERE pending_restart)::int AS settings_awaiting_restart,
    current_user AS asked_as,
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all_sessions,
    (SELECT bool_or(setting = 'default_transaction_read_only=on')
     FROM pg_db_role_setting, unnest(setconfig) AS setting
     WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
       AND setrole = 0) IS TRUE AS database_set_read_only
