-- title: Answers of language models by provider
SELECT /* opslib */ u.provider, count(*) AS answers,
       round(extract(epoch FROM now() - max(u.at))::numeric, 1) AS newest_age
-- A name that the table lacks means the one of "names" here, and is NULL: some deployments write other columns.
FROM (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp") names
CROSS JOIN LATERAL (
  SELECT provider, coalesce(created_at, "timestamp") AS at
  FROM public.llm_usage
  WHERE created_at > now() - make_interval(secs => %(seconds)s) OR "timestamp" > now() - make_interval(secs => %(seconds)s)
) u
GROUP BY u.provider
ORDER BY u.provider
