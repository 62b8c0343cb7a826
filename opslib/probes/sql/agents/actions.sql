-- title: The newest actions of agents, how many failed, and what came since
SELECT /* opslib */ coalesce(a.agent_type, '(an agent that is gone)') AS agent_type, l.action, count(*) AS actions,
       count(*) FILTER (WHERE NOT l.success) AS failed,
       -- After the newest failure of all; and of the workers' newest revision, NULL where nobody knows since when it runs.
       count(*) FILTER (WHERE l.created_at > coalesce(l.last_failure, '-infinity')) AS since_failure,
       CASE WHEN %(age)s::float IS NOT NULL THEN count(*) FILTER (WHERE l.age < %(age)s::float) END AS of_revision,
       CASE WHEN %(age)s::float IS NOT NULL THEN count(*) FILTER (WHERE l.age < %(age)s::float AND NOT l.success) END
         AS of_revision_failed,
       round(max(l.age)::numeric) AS oldest_age, round(min(l.age)::numeric) AS newest_age,
       round(min(l.age) FILTER (WHERE NOT l.success)::numeric) AS failed_age
FROM (
  SELECT n.*, max(n.created_at) FILTER (WHERE NOT n.success) OVER () AS last_failure,
         extract(epoch FROM now() - n.created_at) AS age
  FROM (
    SELECT agent_id, action, success, created_at
    FROM public.agent_audit_log
    WHERE created_at > now() - make_interval(hours => %(hours)s)
    ORDER BY created_at DESC
    LIMIT %(most)s
  ) n
) l
LEFT JOIN public.agents a ON a.id = l.agent_id
GROUP BY 1, 2
ORDER BY failed DESC, 1, 2
