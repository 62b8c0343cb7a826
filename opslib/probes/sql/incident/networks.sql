-- title: Users by the number of networks from which they signed in lately
SELECT /* opslib */ s.user_id::text AS user_id, u.email::text AS email,
       count(*) AS sessions,
       count(DISTINCT network(set_masklen(s.ip, CASE family(s.ip) WHEN 4 THEN 24 ELSE 48 END))) AS networks,
       count(DISTINCT s.user_agent) AS user_agents,
       min(s.created_at) AS first, max(s.created_at) AS last
FROM auth.sessions s
LEFT JOIN auth.users u ON u.id = s.user_id
WHERE s.created_at >= now() - make_interval(secs => %(hours)s * 3600)
GROUP BY s.user_id, u.email
ORDER BY networks DESC, sessions DESC, user_id
LIMIT %(most)s
