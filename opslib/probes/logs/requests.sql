-- title: How many requests were there by the hour, route and status?
SELECT at_ms // 3600000 * 3600000 AS slot, route, status, count(*) AS lines
FROM asked
WHERE status IS NOT NULL
GROUP BY ALL
ORDER BY slot, lines DESC, route, status
LIMIT 10000
