-- title: Sessions in the live database, by application
SELECT coalesce(nullif(a.application_name, ''), 'unnamed') AS application,
       a.usename::text AS role,
       count(*) AS sessions,
       count(*) FILTER (WHERE a.state <> 'idle') AS busy
FROM pg_stat_activity a
WHERE a.datname = current_database()
  AND a.backend_type = 'client backend'
  AND a.application_name NOT LIKE 'opslib:%'
GROUP BY 1, 2
ORDER BY 1, 2
