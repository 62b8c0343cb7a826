-- title: Is an hour's volume unusual beside those before?
SELECT at_ms // 3600000 * 3600000 AS slot, count(*) AS lines
FROM lines, given
WHERE kind = 'read'
    AND status IS NOT NULL
    AND (given.address IS NULL OR lines.address = given.address)
    AND (given.account IS NULL OR lines.account = given.account)
    AND (given.tenant IS NULL OR lines.tenant = given.tenant)
    AND (given.request IS NULL OR lines.request = given.request)
    AND (given.session IS NULL OR lines.session = given.session)
GROUP BY ALL
ORDER BY slot
LIMIT 10000
