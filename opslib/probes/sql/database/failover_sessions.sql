-- title: Who of the application has a session with this server?
SELECT /* opslib */ application_name, count(*)::int AS sessions, max(backend_start) AS newest
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND application_name = ANY (%(names)s)
GROUP BY 1
ORDER BY 1
