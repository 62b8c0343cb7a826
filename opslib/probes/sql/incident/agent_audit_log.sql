-- title: Rows of public.agent_audit_log since a moment, newest first
SELECT /* opslib */ to_jsonb(t) AS row,
       (SELECT count(*) FROM public.agent_audit_log WHERE created_at >= %(since)s) AS of_all
FROM public.agent_audit_log t
WHERE t.created_at >= %(since)s
ORDER BY t.created_at DESC, t.id
LIMIT %(most)s
