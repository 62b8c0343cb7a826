-- title: Whether sessions can still be refreshed
WITH /* opslib */ tokens AS (
    SELECT t.session_id, bool_or(NOT t.revoked) AS live, count(*) AS issued
    FROM auth.refresh_tokens t
    WHERE t.session_id IS NOT NULL
    GROUP BY t.session_id
)
SELECT count(*) AS sessions,
       count(*) FILTER (WHERE s.not_after < now()) AS ended,
       count(*) FILTER (WHERE t.session_id IS NULL) AS without_token,
       count(*) FILTER (WHERE NOT t.live) AS all_revoked,
       (SELECT count(*) FROM auth.refresh_tokens o
        WHERE o.session_id IS NULL OR NOT EXISTS (SELECT FROM auth.sessions x WHERE x.id = o.session_id)) AS orphans,
       (SELECT count(*) FROM auth.refresh_tokens r
        WHERE r.revoked AND r.updated_at > now() - %(hours)s * interval '1 hour') AS revoked_lately,
       (SELECT count(*) FROM auth.refresh_tokens p
        JOIN auth.refresh_tokens a ON a.parent = p.token AND a.id <> p.id
        JOIN auth.refresh_tokens b ON b.parent = p.token AND b.id > a.id
        WHERE b.created_at > now() - %(hours)s * interval '1 hour') AS used_twice
FROM auth.sessions s
LEFT JOIN tokens t ON t.session_id = s.id
