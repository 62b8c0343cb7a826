-- title: Tokens and stored cost by tenant, user, provider and model
SELECT /* opslib */ u.organization_id::text AS tenant, u.user_id::text AS person, u.provider, u.model, u.day,
       count(*) AS answers, sum(u.prompt_tokens)::bigint AS prompt, sum(u.completion_tokens)::bigint AS completion,
       sum(u.paid) AS stored
FROM (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp",
             NULL::numeric AS cost, NULL::numeric AS estimated_cost) names
CROSS JOIN LATERAL (
  SELECT organization_id, user_id, provider, model, prompt_tokens, completion_tokens,
         coalesce(cost, estimated_cost) AS paid, (coalesce(created_at, "timestamp") AT TIME ZONE 'UTC')::date AS day
  FROM public.llm_usage
  WHERE created_at > now() - make_interval(hours => %(hours)s) OR "timestamp" > now() - make_interval(hours => %(hours)s)
) u
GROUP BY 1, 2, u.provider, u.model, u.day
