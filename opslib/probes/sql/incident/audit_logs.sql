-- title: Rows of public.audit_logs since a moment, newest first
SELECT /* opslib */ to_jsonb(t) AS row,
       (SELECT count(*) FROM public.audit_logs WHERE created_at >= %(since)s) AS of_all
FROM public.audit_logs t
WHERE t.created_at >= %(since)s
ORDER BY t.created_at DESC, t.id
LIMIT %(most)s
