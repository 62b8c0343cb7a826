-- title: The newest actions of agents, and how many failed
SELECT /* opslib */ coalesce(a.agent_type, '(an agent that is gone)') AS agent_type, l.action, count(*) AS actions,
       count(*) FILTER (WHERE NOT l.success) AS failed,
       round(extract(epoch FROM now() - min(l.created_at))::numeric) AS oldest_age,
       round(extract(epoch FROM now() - max(l.created_at))::numeric) AS newest_age
FROM (
  SELECT agent_id, action, success, created_at
  FROM public.agent_audit_log
  WHERE created_at > now() - make_interval(hours => %(hours)s)
  ORDER BY created_at DESC
  LIMIT %(most)s
) l
LEFT JOIN public.agents a ON a.id = l.agent_id
GROUP BY 1, 2
ORDER BY failed DESC, 1, 2
