-- title: Which transactions are open, and for how long?
SELECT /* opslib */
    a.pid,
    coalesce(nullif(a.application_name, ''), '(unnamed)') AS application,
    a.state,
    round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 1)::float8 AS transaction_seconds,
    CASE WHEN a.state LIKE 'idle in transaction%'
         THEN round(extract(epoch FROM clock_timestamp() - a.state_change)::numeric, 1)::float8 END AS idle_seconds,
    coalesce(a.wait_event_type || ': ' || a.wait_event, '') AS waits,
    left(a.query, 1000) AS statement,
    a.usename::text AS user_name,
    a.datname::text AS database,
    a.backend_start
FROM pg_stat_activity a
WHERE a.xact_start IS NOT NULL
  AND a.backend_type IN ('client backend', 'background worker')
  AND a.pid <> pg_backend_pid()
ORDER BY transaction_seconds DESC
LIMIT 50
