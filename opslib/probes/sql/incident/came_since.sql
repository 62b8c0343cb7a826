-- title: Sessions that began after a moment, newest first
SELECT /* opslib */ s.id::text AS session, s.user_id::text AS user_id, u.email::text AS email, s.created_at,
       host(s.ip) AS ip, left(s.user_agent, 200) AS user_agent, count(*) OVER () AS of_all
FROM auth.sessions s
LEFT JOIN auth.users u ON u.id = s.user_id
WHERE s.created_at > %(since)s
ORDER BY s.created_at DESC, s.id
LIMIT %(most)s
