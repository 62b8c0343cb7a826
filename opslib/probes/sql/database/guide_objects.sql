-- title: Do the objects exist that the guide's commands name, and what stands in their place?
WITH /* opslib */ refresh AS (
    SELECT p.oid FROM pg_proc p WHERE p.proname = 'refresh_agent_performance_metrics' LIMIT 1
), metrics AS (
    SELECT c.oid FROM pg_class c WHERE c.relname = 'agent_performance_metrics' AND c.relkind = 'm' LIMIT 1
)
SELECT 'IMP-OBJ-04' AS item, 'table users' AS object,
       to_regclass('public.users') IS NOT NULL AS present,
       CASE WHEN to_regclass('public.users') IS NULL AND to_regclass('auth.users') IS NOT NULL THEN 'auth.users' END
           AS instead, NULL::text AS fault
UNION ALL
SELECT 'IMP-OBJ-05', 'table value_cases (user_id, status)',
       (SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('public.value_cases')
        AND attname IN ('user_id', 'status') AND NOT attisdropped) = 2,
       CASE WHEN (SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('public.cases')
                  AND attname IN ('user_id', 'status') AND NOT attisdropped) = 2 THEN 'cases (user_id, status)' END,
       NULL
UNION ALL
SELECT 'IMP-OBJ-06', 'table auth.sessions', to_regclass('auth.sessions') IS NOT NULL, NULL, NULL
UNION ALL
SELECT 'IMP-OBJ-07', 'function refresh_agent_performance_metrics()', EXISTS (SELECT FROM refresh),
       CASE WHEN NOT EXISTS (SELECT FROM refresh) AND NOT EXISTS (SELECT FROM metrics)
            THEN 'nothing to refresh: there is no view agent_performance_metrics' END,
       CASE WHEN EXISTS (SELECT FROM metrics)
                 AND NOT EXISTS (SELECT FROM pg_index i JOIN metrics m ON m.oid = i.indrelid
                                 WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL)
            THEN 'agent_performance_metrics has no unique index, so REFRESH … CONCURRENTLY fails' END
UNION ALL
SELECT 'IMP-OBJ-08', 'extension pg_stat_statements, loaded',
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')
       AND current_setting('shared_preload_libraries', true) ~ '(^|[ ,/"])pg_stat_statements',
       NULL,
       (SELECT CASE WHEN n.nspname <> ALL (ARRAY['public', 'pg_catalog'])
                    THEN 'it is in schema ' || n.nspname || ': the guide''s query needs that schema on its search_path' END
        FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements')
ORDER BY 1
