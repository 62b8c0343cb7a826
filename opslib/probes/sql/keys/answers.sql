-- title: What the application's users were answered, by provider
SELECT /* opslib */ u.provider, count(*) AS answers, max(u.created_at) AS newest,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY u.latency_ms)) AS p95_ms, sum(u.cost) AS cost_usd
FROM public.llm_usage u
WHERE u.created_at > now() - make_interval(secs => %(minutes)s * 60)
GROUP BY u.provider
ORDER BY u.provider
