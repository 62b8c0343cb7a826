-- title: When was an address, an account or a key seen first and last?
SELECT address, account, key, count(*) AS lines, min(at_ms) AS first_seen, max(at_ms) AS last_seen
FROM asked
WHERE address IS NOT NULL OR account IS NOT NULL OR key IS NOT NULL
GROUP BY ALL
ORDER BY first_seen, address, account, key
LIMIT 10000
