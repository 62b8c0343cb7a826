-- title: Is there a history of migrations, and which server is it?
SELECT /* opslib */
    to_regclass('supabase_migrations.schema_migrations') IS NOT NULL AS has_history,
    current_setting('server_version_num')::int / 10000 AS major,
    pg_is_in_recovery() AS standby,
    current_database()::text AS database
