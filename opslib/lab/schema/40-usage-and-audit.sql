-- What the language models cost, and who did what. Audit tables take new rows only.
create table public.llm_usage (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations on delete cascade,
  user_id uuid references public.users on delete set null,
  session_id uuid references public.agent_sessions on delete set null,
  provider text not null,
  model text not null,
  prompt_tokens integer not null default 0,
  completion_tokens integer not null default 0,
  total_tokens integer not null default 0,
  cost numeric(10, 6) not null default 0,
  latency_ms integer,
  request_metadata jsonb not null default '{}',
  created_at timestamptz not null default now()
);

create table public.audit_logs (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid references public.organizations on delete set null,
  user_id uuid references public.users on delete set null,
  action text not null,
  resource_type text not null,
  resource_id text,
  details jsonb not null default '{}',
  ip_address inet,
  created_at timestamptz not null default now()
);
create index audit_logs_created_at_idx on public.audit_logs (created_at);
create index audit_logs_organization_id_idx on public.audit_logs (organization_id);
create index audit_logs_user_id_idx on public.audit_logs (user_id);
create table public.security_audit_log (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid references public.organizations on delete set null,
  user_id uuid references public.users on delete set null,
  event_type text not null,
  severity text not null default 'low' check (severity in ('low', 'medium', 'high', 'critical')),
  event_data jsonb not null default '{}',
  ip_address inet,
  user_agent text,
  created_at timestamptz not null default now()
);
create index security_audit_log_created_at_idx on public.security_audit_log (created_at);
create index security_audit_log_organization_id_idx on public.security_audit_log (organization_id);
create index security_audit_log_user_id_idx on public.security_audit_log (user_id);
create table public.agent_audit_log (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid references public.organizations on delete set null,
  agent_id uuid references public.agents on delete set null,
  session_id uuid references public.agent_sessions on delete set null,
  action text not null,
  details jsonb not null default '{}',
  success boolean not null default true,
  created_at timestamptz not null default now()
);
create index agent_audit_log_created_at_idx on public.agent_audit_log (created_at);
create index agent_audit_log_organization_id_idx on public.agent_audit_log (organization_id);
create index agent_audit_log_agent_id_idx on public.agent_audit_log (agent_id);
create index agent_audit_log_session_id_idx on public.agent_audit_log (session_id);

create function public.prevent_audit_modification() returns trigger
  language plpgsql set search_path = public, pg_temp as $$
begin
  raise exception '% on %.% is refused: audit rows are immutable', tg_op, tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege';
end
$$;
create trigger audit_logs_immutable before update or delete on public.audit_logs
  for each row execute function public.prevent_audit_modification();
create trigger security_audit_log_immutable before update or delete on public.security_audit_log
  for each row execute function public.prevent_audit_modification();
create trigger agent_audit_log_immutable before update or delete on public.agent_audit_log
  for each row execute function public.prevent_audit_modification();
