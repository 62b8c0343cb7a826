-- What the cost pages ask for.
create index llm_usage_created_at_idx on public.llm_usage (created_at);
create index llm_usage_organization_id_created_at_idx on public.llm_usage (organization_id, created_at);
create index llm_usage_user_id_idx on public.llm_usage (user_id);
create index llm_usage_session_id_idx on public.llm_usage (session_id);
