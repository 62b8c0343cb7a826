-- title: How far is each table past the point at which autovacuum should have come?
WITH /* opslib */ options AS (
    SELECT c.oid, max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_enabled') AS enabled,
           max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_vacuum_threshold')::float8 AS threshold,
           max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_vacuum_scale_factor')::float8 AS scale,
           max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_vacuum_max_threshold')::float8 AS most,
           max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_analyze_threshold')::float8 AS a_threshold,
           max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_analyze_scale_factor')::float8 AS a_scale
    FROM pg_class c LEFT JOIN LATERAL pg_options_to_table(c.reloptions) o ON true
    WHERE c.relkind IN ('r', 'm')
    GROUP BY c.oid
), limits AS (
    SELECT s.*, c.reltuples, coalesce(o.enabled::boolean, true) AS enabled,
           coalesce(o.threshold, current_setting('autovacuum_vacuum_threshold')::float8)
           + coalesce(o.scale, current_setting('autovacuum_vacuum_scale_factor')::float8) * greatest(c.reltuples, 0)
               AS uncapped,
           -- From 18 on a ceiling keeps large tables from waiting for ever; -1 means none.
           nullif(coalesce(o.most, current_setting('autovacuum_vacuum_max_threshold', true)::float8), -1) AS most,
           coalesce(o.a_threshold, current_setting('autovacuum_analyze_threshold')::float8)
           + coalesce(o.a_scale, current_setting('autovacuum_analyze_scale_factor')::float8) * greatest(c.reltuples, 0)
               AS analyze_trigger
    FROM pg_stat_user_tables s
    JOIN pg_class c ON c.oid = s.relid
    LEFT JOIN options o ON o.oid = s.relid
)
SELECT schemaname || '.' || relname AS relation,
       n_dead_tup AS dead_rows, n_live_tup AS live_rows,
       round(least(uncapped, most))::bigint AS trigger_rows,
       round((n_dead_tup / greatest(least(uncapped, most), 1))::numeric, 2)::float8 AS trigger_ratio,
       round((n_mod_since_analyze / greatest(analyze_trigger, 1))::numeric, 2)::float8 AS analyze_ratio,
       enabled AS autovacuum_enabled,
       current_setting('autovacuum')::boolean AND current_setting('track_counts')::boolean AS autovacuum_running,
       EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.relid = limits.relid) AS being_vacuumed,
       greatest(last_vacuum, last_autovacuum) AS last_vacuum,
       round(extract(epoch FROM now() - greatest(last_vacuum, last_autovacuum))::numeric)::float8
           AS seconds_since_vacuum
FROM limits
ORDER BY trigger_ratio DESC, relation
LIMIT 50
