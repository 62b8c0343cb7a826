-- title: How far do lines' own moments lie from those that the node, or CloudWatch, gave them?
SELECT stream, median(skew_ms)::BIGINT AS median_ms, max(abs(skew_ms)) AS most_ms, count(*) AS lines
FROM lines
WHERE skew_ms IS NOT NULL
GROUP BY stream
ORDER BY abs(median(skew_ms)) DESC, stream
LIMIT 20
