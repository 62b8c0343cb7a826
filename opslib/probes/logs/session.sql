-- title: What did one session do, in order?
SELECT at_ms AS moment, stream, address, account, method, route, status, request, message
FROM asked
WHERE session IS NOT NULL
ORDER BY moment, stream, request
LIMIT 10000
