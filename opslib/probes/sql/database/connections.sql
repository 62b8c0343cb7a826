-- title: Who holds connections, and in which state?
SELECT /* opslib */
    coalesce(nullif(application_name, ''), '(unnamed)') AS application,
    usename::text AS user_name,
    datname::text AS database,
    coalesce(state, 'unknown') AS state,
    count(*)::int AS sessions,
    round(extract(epoch FROM max(clock_timestamp() - state_change))::numeric, 1)::float8 AS longest_in_state_seconds,
    round(extract(epoch FROM max(clock_timestamp() - backend_start))::numeric, 1)::float8 AS oldest_session_seconds,
    count(*) FILTER (WHERE wait_event_type = 'Lock')::int AS waiting_for_a_lock
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
GROUP BY 1, 2, 3, 4
ORDER BY sessions DESC, application, state
