-- title: Tokens of the newest answers of one provider by model, and of a week's before them
SELECT /* opslib */ true AS newest, u.provider, u.model, u.day, count(*) AS answers, sum(u.prompt_tokens)::bigint AS prompt,
       sum(u.completion_tokens)::bigint AS completion, sum(u.paid) AS stored,
       -- How long ago the model answered first within the window.
       round(extract(epoch FROM now() - min(u.began))::numeric) AS began_age
-- A name that the table lacks means the one of "names" here, and is NULL: some deployments write other columns.
FROM (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp",
             NULL::numeric AS cost, NULL::numeric AS estimated_cost) names
CROSS JOIN LATERAL (
  SELECT provider, model, prompt_tokens, completion_tokens, coalesce(cost, estimated_cost) AS paid,
         (coalesce(created_at, "timestamp") AT TIME ZONE 'UTC')::date AS day,
         min(coalesce(created_at, "timestamp")) OVER (PARTITION BY model) AS began
  FROM public.llm_usage
  WHERE provider = %(provider)s AND (created_at > now() - make_interval(secs => %(seconds)s)
                                     OR "timestamp" > now() - make_interval(secs => %(seconds)s))
  ORDER BY coalesce(created_at, "timestamp") DESC
  LIMIT %(most)s
) u
GROUP BY 2, 3, 4
UNION ALL
SELECT false, u.provider, u.model, u.day, count(*), sum(u.prompt_tokens)::bigint, sum(u.completion_tokens)::bigint, sum(u.paid),
       NULL
FROM (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp",
             NULL::numeric AS cost, NULL::numeric AS estimated_cost) names
CROSS JOIN LATERAL (
  SELECT provider, model, prompt_tokens, completion_tokens, coalesce(cost, estimated_cost) AS paid,
         (coalesce(created_at, "timestamp") AT TIME ZONE 'UTC')::date AS day
  FROM public.llm_usage
  WHERE provider = %(provider)s
    AND ((created_at <= now() - make_interval(secs => %(seconds)s) AND created_at > now() - interval '7 days')
         OR ("timestamp" <= now() - make_interval(secs => %(seconds)s) AND "timestamp" > now() - interval '7 days'))
) u
GROUP BY 2, 3, 4
ORDER BY newest DESC, provider, model, day
