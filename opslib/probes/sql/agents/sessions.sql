-- title: Sessions that agents began, and whether anything came of them
SELECT /* opslib */ a.agent_type, count(*) FILTER (WHERE s.age < %(seconds)s) AS begun,
       count(*) FILTER (WHERE s.age < %(seconds)s AND s.status = 'failed') AS failed,
       count(*) FILTER (WHERE s.stuck) AS stuck, max(s.age) FILTER (WHERE s.stuck) AS oldest_stuck,
       count(*) FILTER (WHERE s.status = 'active') AS active, max(s.age) FILTER (WHERE s.status = 'active') AS oldest_active
FROM (
  SELECT s.agent_id, s.status, round(extract(epoch FROM now() - s.started_at)::numeric) AS age,
         -- At work, begun within the window, and after the patience nothing: no answer, no step, no memory.
         s.status = 'active' AND s.started_at > now() - make_interval(secs => %(seconds)s)
           AND s.started_at < now() - make_interval(secs => %(patience)s)
           AND NOT EXISTS (SELECT FROM public.episodic_memory m WHERE m.session_id = s.id)
           AND NOT EXISTS (SELECT FROM public.agent_audit_log l WHERE l.session_id = s.id)
           AND NOT EXISTS (SELECT FROM public.llm_usage u WHERE u.session_id = s.id) AS stuck
  FROM public.agent_sessions s
  WHERE s.started_at > now() - make_interval(secs => %(seconds)s) OR s.status = 'active'
) s
LEFT JOIN public.agents a ON a.id = s.agent_id
GROUP BY a.agent_type
ORDER BY stuck DESC, a.agent_type
