-- title: Who signed in how often within the window, most often first
SELECT /* opslib */ s.user_id::text AS user_id, count(*) AS sessions, min(s.created_at) AS first, max(s.created_at) AS last,
       count(DISTINCT s.user_agent) AS agents,
       (SELECT count(*) FROM auth.sessions a WHERE a.created_at > now() - %(hours)s * interval '1 hour') AS of_all
FROM auth.sessions s
WHERE s.created_at > now() - %(hours)s * interval '1 hour'
GROUP BY s.user_id
ORDER BY count(*) DESC, s.user_id
LIMIT 20
