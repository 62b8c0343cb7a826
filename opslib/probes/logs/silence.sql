-- title: When did each stream say something?
SELECT stream, at_ms // 600000 * 600000 AS slot, count(*) AS lines
FROM lines, given
WHERE kind IN ('read', 'unread') AND at_ms >= given.start_ms
GROUP BY ALL
ORDER BY stream, slot
