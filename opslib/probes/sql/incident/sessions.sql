-- title: Sessions of the application's users, newest first, without any token
SELECT /* opslib */ jsonb_build_object(
           'id', s.id, 'user_id', s.user_id, 'email', u.email, 'last_sign_in_at', u.last_sign_in_at,
           'created_at', s.created_at, 'updated_at', s.updated_at, 'refreshed_at', s.refreshed_at,
           'not_after', s.not_after, 'aal', s.aal, 'user_agent', s.user_agent, 'ip', host(s.ip)) AS row,
       (SELECT count(*) FROM auth.sessions) AS of_all
FROM auth.sessions s
LEFT JOIN auth.users u ON u.id = s.user_id
ORDER BY s.created_at DESC, s.id
LIMIT %(most)s
