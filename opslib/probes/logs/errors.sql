-- title: Which errors were there, by what they say without numbers and ids?
SELECT level, min(message) AS message, count(*) AS lines, min(at_ms) AS first_seen, max(at_ms) AS last_seen
FROM asked
WHERE level IN ('error', 'ERROR', 'fatal', 'FATAL', 'critical', 'CRITICAL')
GROUP BY
    level,
    regexp_replace(
        regexp_replace(message, '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|0x[0-9a-fA-F]+', '#', 'g'),
        '[0-9]+', '#', 'g'
    )
ORDER BY lines DESC, level, message
LIMIT 10000
