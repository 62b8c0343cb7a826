-- title: How long answers took, by provider and by model
SELECT /* opslib */ o.provider, o.model, o.n AS answers, o.times[ceil(o.n * 0.50)::int] AS p50_ms,
       o.times[ceil(o.n * 0.95)::int] AS p95_ms,
       -- The order statistics between which the 95th percentile lies in 95 of 100 cases, by the binomial's normal form.
       o.times[greatest(1, floor(o.n * 0.95 - 1.96 * sqrt(o.n * 0.0475))::int)] AS p95_from_ms,
       CASE WHEN ceil(o.n * 0.95 + 1.96 * sqrt(o.n * 0.0475)) + 1 <= o.n
            THEN o.times[ceil(o.n * 0.95 + 1.96 * sqrt(o.n * 0.0475))::int + 1] END AS p95_to_ms,
       o.times[o.n] AS slowest_ms
FROM (
  SELECT u.provider, u.model, count(*)::int AS n, array_agg(u.latency_ms ORDER BY u.latency_ms) AS times
  FROM (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp") names
  CROSS JOIN LATERAL (
    SELECT provider, model, latency_ms
    FROM public.llm_usage
    WHERE (created_at > now() - make_interval(secs => %(seconds)s)
           OR "timestamp" > now() - make_interval(secs => %(seconds)s))
      AND latency_ms IS NOT NULL
  ) u
  GROUP BY GROUPING SETS ((u.provider), (u.provider, u.model))
) o
ORDER BY o.provider, o.model NULLS FIRST
