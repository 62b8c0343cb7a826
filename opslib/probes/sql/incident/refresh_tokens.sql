-- title: How many refresh tokens each session has; never a token
SELECT /* opslib */ jsonb_build_object(
           'session_id', session_id, 'users', count(DISTINCT user_id), 'tokens', count(*),
           'revoked', count(*) FILTER (WHERE revoked), 'first', min(created_at), 'last', max(created_at)) AS row,
       count(*) OVER () AS of_all
FROM auth.refresh_tokens
GROUP BY session_id
ORDER BY max(created_at) DESC, session_id
LIMIT %(most)s
