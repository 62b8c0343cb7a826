-- title: Tokens and stored cost by day, provider and model
SELECT /* opslib */ u.day, u.recent, u.provider, u.model, count(*) AS answers, sum(u.prompt_tokens)::bigint AS prompt,
       sum(u.completion_tokens)::bigint AS completion, sum(u.paid) AS stored
FROM (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp",
             NULL::numeric AS cost, NULL::numeric AS estimated_cost) names
CROSS JOIN LATERAL (
  SELECT provider, model, prompt_tokens, completion_tokens, coalesce(cost, estimated_cost) AS paid,
         (coalesce(created_at, "timestamp") AT TIME ZONE 'UTC')::date AS day,
         coalesce(created_at, "timestamp") > now() - interval '24 hours' AS recent
  FROM public.llm_usage
  WHERE created_at > now() - make_interval(days => %(days)s) OR "timestamp" > now() - make_interval(days => %(days)s)
) u
GROUP BY u.day, u.recent, u.provider, u.model
ORDER BY u.day, u.provider, u.model
