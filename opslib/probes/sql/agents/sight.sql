-- title: Tables of the agents' work that are not there, or of which row security hides rows
SELECT /* opslib */ w.name, to_regclass(w.name) IS NOT NULL AS found,
       row_security_active(to_regclass(w.name)::oid) AS hidden
FROM (VALUES ('public.agents'), ('public.agent_sessions'), ('public.agent_audit_log'), ('public.episodic_memory'),
             ('public.llm_usage')) w(name)
WHERE to_regclass(w.name) IS NULL OR row_security_active(to_regclass(w.name)::oid)
