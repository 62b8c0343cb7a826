-- title: Who accessed what, from which address?
SELECT address, account, route, count(*) AS lines, min(at_ms) AS first_seen, max(at_ms) AS last_seen
FROM asked
WHERE route IS NOT NULL
GROUP BY ALL
ORDER BY lines DESC, address, account, route
LIMIT 10000
