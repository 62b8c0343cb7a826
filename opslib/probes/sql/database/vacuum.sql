-- title: How far is each table, or its TOAST, past the point at which autovacuum should have come?
WITH /* opslib */ options AS (
    SELECT c.oid, max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_enabled') AS enabled,
           max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_vacuum_threshold')::float8 AS threshold,
           max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_vacuum_scale_factor')::float8 AS scale,
           max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_vacuum_max_threshold')::float8 AS most,
           max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_analyze_threshold')::float8 AS a_threshold,
           max(o.option_value) FILTER (WHERE o.option_name = 'autovacuum_analyze_scale_factor')::float8 AS a_scale
    FROM pg_class c
    LEFT JOIN pg_class owner ON owner.reltoastrelid = c.oid
    -- A TOAST table without options of its own is treated by those of its table.
    LEFT JOIN LATERAL pg_options_to_table(coalesce(c.reloptions, owner.reloptions)) o ON true
    WHERE c.relkind IN ('r', 'm', 't')
    GROUP BY c.oid
), limits AS (
    SELECT s.relid, s.n_dead_tup, s.n_live_tup, s.n_mod_since_analyze, coalesce(o.enabled::boolean, true) AS enabled,
           greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed,
           -- From 18 on a ceiling keeps large tables from waiting for ever; -1 means none.
           greatest(1, least(
               coalesce(o.threshold, current_setting('autovacuum_vacuum_threshold')::float8)
               + coalesce(o.scale, current_setting('autovacuum_vacuum_scale_factor')::float8) * greatest(c.reltuples, 0),
               nullif(coalesce(o.most, current_setting('autovacuum_vacuum_max_threshold', true)::float8), -1)))
               AS calls_vacuum,
           coalesce(o.a_threshold, current_setting('autovacuum_analyze_threshold')::float8)
           + coalesce(o.a_scale, current_setting('autovacuum_analyze_scale_factor')::float8) * greatest(c.reltuples, 0)
               AS calls_analyze
    FROM pg_stat_all_tables s
    JOIN pg_class c ON c.oid = s.relid
    LEFT JOIN options o ON o.oid = s.relid
), pairs AS (
    SELECT u.schemaname || '.' || u.relname AS relation, r.*,
           t.n_dead_tup AS toast_dead, t.n_live_tup AS toast_live, t.calls_vacuum AS toast_calls,
           coalesce(t.enabled, true) AS toast_enabled,
           coalesce(t.n_dead_tup / t.calls_vacuum, 0) > r.n_dead_tup / r.calls_vacuum AS toast_is_worse,
           EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.relid IN (r.relid, t.relid)) AS being_vacuumed
    FROM pg_stat_user_tables u
    JOIN limits r ON r.relid = u.relid
    JOIN pg_class c ON c.oid = u.relid
    LEFT JOIN limits t ON t.relid = c.reltoastrelid
)
SELECT relation, n_dead_tup AS dead_rows, n_live_tup AS live_rows,
       toast_dead AS toast_dead_pieces, toast_live AS toast_live_pieces,
       CASE WHEN toast_is_worse THEN 'TOAST pieces' ELSE 'rows' END AS worst_part,
       round(CASE WHEN toast_is_worse THEN toast_calls ELSE calls_vacuum END)::bigint AS trigger_rows,
       round(greatest(n_dead_tup / calls_vacuum, toast_dead / toast_calls)::numeric, 2)::float8 AS trigger_ratio,
       round((n_mod_since_analyze / greatest(calls_analyze, 1))::numeric, 2)::float8 AS analyze_ratio,
       enabled AND toast_enabled AS autovacuum_enabled,
       current_setting('autovacuum')::boolean AND current_setting('track_counts')::boolean AS autovacuum_running,
       being_vacuumed,
       vacuumed AS last_vacuum,
       round(extract(epoch FROM now() - vacuumed)::numeric)::float8 AS seconds_since_vacuum
FROM pairs
ORDER BY trigger_ratio DESC, relation
LIMIT 50
