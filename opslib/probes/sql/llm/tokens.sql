-- title: Tokens of a request by model, now and in the days before
SELECT /* opslib */ u.provider, u.model, count(*) FILTER (WHERE u.now) AS answers,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY u.tokens) FILTER (WHERE u.now)) AS p95,
       count(*) FILTER (WHERE NOT u.now) AS answers_before,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY u.tokens) FILTER (WHERE NOT u.now)) AS p95_before
FROM (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp") names
CROSS JOIN LATERAL (
  SELECT provider, model, prompt_tokens + completion_tokens AS tokens,
         coalesce(created_at, "timestamp") > now() - make_interval(secs => %(seconds)s) AS now
  FROM public.llm_usage
  WHERE created_at > now() - make_interval(secs => %(before)s) OR "timestamp" > now() - make_interval(secs => %(before)s)
) u
GROUP BY u.provider, u.model
ORDER BY u.provider, u.model
