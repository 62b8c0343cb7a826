-- title: Tokens and stored cost of the last hour, and of its last minutes, by provider and model
SELECT /* opslib */ u.provider, u.model, u.day, u.recent, count(*) AS answers, sum(u.prompt_tokens)::bigint AS prompt,
       sum(u.completion_tokens)::bigint AS completion, sum(u.paid) AS stored
-- A name that the table lacks means the one of "names" here, and is NULL: some deployments write other columns.
FROM (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp",
             NULL::numeric AS cost, NULL::numeric AS estimated_cost) names
CROSS JOIN LATERAL (
  SELECT provider, model, prompt_tokens, completion_tokens, coalesce(cost, estimated_cost) AS paid,
         (coalesce(created_at, "timestamp") AT TIME ZONE 'UTC')::date AS day,
         coalesce(created_at, "timestamp") > now() - make_interval(secs => %(seconds)s) AS recent
  FROM public.llm_usage
  WHERE (created_at > now() - interval '1 hour' AND created_at <= now())
     OR ("timestamp" > now() - interval '1 hour' AND "timestamp" <= now())
) u
GROUP BY u.provider, u.model, u.day, u.recent
ORDER BY u.provider, u.model, u.day, u.recent
