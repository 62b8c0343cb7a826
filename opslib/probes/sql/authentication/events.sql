-- title: What the sign-in answered, by path, status and error (Supabase's logs, not the database)
SELECT metadata.path AS path, metadata.status AS status, coalesce(metadata.error, metadata.msg, '') AS said, count(*) AS events
FROM auth_logs
CROSS JOIN unnest(metadata) AS metadata
WHERE metadata.path IN ('/token', '/verify', '/otp', '/callback', '/authorize', '/logout') AND metadata.status IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY 4 DESC
LIMIT 50
