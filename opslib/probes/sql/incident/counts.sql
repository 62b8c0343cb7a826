-- title: How much has to be preserved whole
SELECT /* opslib */ (SELECT count(*) FROM auth.sessions) AS user_sessions,
       (SELECT count(DISTINCT session_id) FROM auth.refresh_tokens) AS sessions_with_refresh_tokens
