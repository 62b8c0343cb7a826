-- title: Which lines could not be read?
SELECT stream, count(*) AS lines, min(at_ms) AS first_seen, max(at_ms) AS last_seen
FROM lines, given
WHERE kind = 'unread' AND at_ms >= given.start_ms
GROUP BY ALL
ORDER BY lines DESC, stream
LIMIT 10000
