-- title: What is left of these sessions, and of their refresh tokens?
SELECT /* opslib */
    (SELECT count(*) FROM auth.sessions WHERE id = ANY (%(ids)s::uuid[])) AS sessions,
    (SELECT count(*) FROM auth.refresh_tokens WHERE session_id = ANY (%(ids)s::uuid[])) AS refresh_tokens,
    (SELECT count(*) FROM auth.sessions WHERE id = ANY (%(kept)s::uuid[])) AS kept_sessions,
    (SELECT count(*) FROM auth.refresh_tokens WHERE session_id IS NULL AND NOT revoked) AS without_session
