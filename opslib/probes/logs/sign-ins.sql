-- title: Which sign-ins failed and which did not, by address and account?
SELECT address, account, status, count(*) AS lines, min(at_ms) AS first_seen, max(at_ms) AS last_seen
FROM asked
WHERE route IN ('/login', '/api/login', '/api/auth/login', '/auth/v1/token')
GROUP BY ALL
ORDER BY lines DESC, address, account, status
LIMIT 10000
