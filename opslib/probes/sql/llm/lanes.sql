-- title: Answers over time by provider, with their times
SELECT /* opslib */ u.provider, floor(u.age / %(step)s)::int AS step, count(*) AS answers,
       round(percentile_cont(0.50) WITHIN GROUP (ORDER BY u.latency_ms)) AS p50_ms,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY u.latency_ms)) AS p95_ms
FROM (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp") names
CROSS JOIN LATERAL (
  SELECT provider, latency_ms, greatest(0, extract(epoch FROM now() - coalesce(created_at, "timestamp"))) AS age
  FROM public.llm_usage
  WHERE created_at > now() - make_interval(secs => %(seconds)s) OR "timestamp" > now() - make_interval(secs => %(seconds)s)
) u
GROUP BY u.provider, 2
ORDER BY u.provider, 2
