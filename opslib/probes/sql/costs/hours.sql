-- title: Tokens and stored cost of single hours, by provider and model
SELECT /* opslib */ h.ago, u.provider, u.model, u.day, count(*) AS answers, sum(u.prompt_tokens)::bigint AS prompt,
       sum(u.completion_tokens)::bigint AS completion, sum(u.paid) AS stored
FROM unnest(%(hours)s::int[]) h(ago)
-- A name that the table lacks means the one of "names" here, and is NULL: some deployments write other columns.
CROSS JOIN (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp",
                   NULL::numeric AS cost, NULL::numeric AS estimated_cost) names
CROSS JOIN LATERAL (
  SELECT provider, model, prompt_tokens, completion_tokens, coalesce(cost, estimated_cost) AS paid,
         (coalesce(created_at, "timestamp") AT TIME ZONE 'UTC')::date AS day
  FROM public.llm_usage
  WHERE (created_at > now() - make_interval(hours => h.ago + 1) AND created_at <= now() - make_interval(hours => h.ago))
     OR ("timestamp" > now() - make_interval(hours => h.ago + 1) AND "timestamp" <= now() - make_interval(hours => h.ago))
) u
GROUP BY h.ago, u.provider, u.model, u.day
ORDER BY h.ago, u.provider, u.model, u.day
