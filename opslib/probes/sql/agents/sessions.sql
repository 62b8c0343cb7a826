-- title: Sessions that agents began, and whether anything came of them
SELECT /* opslib */ a.agent_type, count(*) FILTER (WHERE s.age < %(seconds)s) AS begun,
       count(*) FILTER (WHERE s.age < %(seconds)s AND s.status = 'failed') AS failed,
       count(*) FILTER (WHERE s.stuck) AS stuck, max(s.age) FILTER (WHERE s.stuck) AS oldest_stuck,
       -- Begun after the newest stuck one of all, and completed or with a trace: what came of those that began since.
       count(*) FILTER (WHERE s.traced AND s.started_at > s.last_stuck) AS since_stuck,
       count(*) FILTER (WHERE s.status = 'active') AS active, max(s.age) FILTER (WHERE s.status = 'active') AS oldest_active
FROM (
  SELECT t.*, max(t.started_at) FILTER (WHERE t.stuck) OVER () AS last_stuck
  FROM (
    SELECT s.agent_id, s.status, s.started_at, round(extract(epoch FROM now() - s.started_at)::numeric) AS age, k.traced,
           -- At work, begun within the window, and after the patience nothing: no answer, no step, no memory.
           s.status = 'active' AND s.started_at > now() - make_interval(secs => %(seconds)s)
             AND s.started_at < now() - make_interval(secs => %(patience)s) AND NOT k.traced AS stuck
    FROM public.agent_sessions s
    CROSS JOIN LATERAL (
      SELECT s.started_at > now() - make_interval(secs => %(seconds)s)
         AND (s.status = 'completed' OR s.status = 'active'
              AND (EXISTS (SELECT FROM public.episodic_memory m WHERE m.session_id = s.id)
                OR EXISTS (SELECT FROM public.agent_audit_log l WHERE l.session_id = s.id)
                OR EXISTS (SELECT FROM public.llm_usage u WHERE u.session_id = s.id))) AS traced
    ) k
    WHERE s.started_at > now() - make_interval(secs => %(seconds)s) OR s.status = 'active'
  ) t
) s
LEFT JOIN public.agents a ON a.id = s.agent_id
GROUP BY a.agent_type
ORDER BY stuck DESC, a.agent_type
