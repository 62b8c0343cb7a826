-- title: Can pg_stat_statements be asked, and if not, why?
SELECT /* opslib */
    (SELECT default_version FROM pg_available_extensions WHERE name = 'pg_stat_statements') AS available,
    (SELECT extversion FROM pg_extension WHERE extname = 'pg_stat_statements') AS installed,
    (SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_stat_statements') AS schema,
    (SELECT n.nspname = ANY (current_schemas(true)) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_stat_statements') AS on_search_path,
    current_setting('shared_preload_libraries', true) ~ '(^|[ ,/"])pg_stat_statements' AS preloaded,
    current_setting('pg_stat_statements.track', true) AS track
