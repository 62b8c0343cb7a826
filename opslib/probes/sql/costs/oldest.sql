-- title: How far back usage goes
SELECT /* opslib */ floor(extract(epoch FROM now() - min(u.at)) / 3600)::int AS hours
FROM (SELECT NULL::timestamptz AS created_at, NULL::timestamptz AS "timestamp") names
CROSS JOIN LATERAL (
  SELECT coalesce(created_at, "timestamp") AS at
  FROM public.llm_usage
  ORDER BY created_at, "timestamp"
  LIMIT 1
) u
