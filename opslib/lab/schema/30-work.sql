-- What the users work on: cases, workflows, conversations, agents and their memory.
create table public.cases (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations on delete cascade,
  user_id uuid not null references public.users on delete cascade,
  title text not null,
  description text,
  status text not null default 'open' check (status in ('open', 'in_progress', 'closed', 'archived')),
  priority text not null default 'medium' check (priority in ('low', 'medium', 'high', 'urgent')),
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  closed_at timestamptz
);
create index cases_organization_id_status_idx on public.cases (organization_id, status);
create index cases_user_id_idx on public.cases (user_id);
create table public.workflows (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations on delete cascade,
  case_id uuid references public.cases on delete cascade,
  name text not null,
  status text not null default 'draft' check (status in ('draft', 'running', 'completed', 'failed')),
  steps jsonb not null default '[]',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index workflows_organization_id_idx on public.workflows (organization_id);
create index workflows_case_id_idx on public.workflows (case_id);
create table public.messages (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations on delete cascade,
  case_id uuid not null references public.cases on delete cascade,
  user_id uuid references public.users on delete set null,
  role text not null check (role in ('user', 'assistant', 'system')),
  content text not null,
  created_at timestamptz not null default now()
);
create index messages_case_id_created_at_idx on public.messages (case_id, created_at);
create index messages_organization_id_idx on public.messages (organization_id);
create index messages_user_id_idx on public.messages (user_id);
create table public.agents (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations on delete cascade,
  name text not null,
  agent_type text not null
    check (agent_type in ('opportunity', 'target', 'realization', 'expansion', 'integrity', 'orchestrator')),
  is_active boolean not null default true,
  config jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index agents_organization_id_idx on public.agents (organization_id);
create table public.agent_sessions (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations on delete cascade,
  agent_id uuid not null references public.agents on delete cascade,
  user_id uuid not null references public.users on delete cascade,
  status text not null default 'active' check (status in ('active', 'paused', 'completed', 'failed')),
  workflow_state jsonb not null default '{}',
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  created_at timestamptz not null default now()
);
create index agent_sessions_organization_id_idx on public.agent_sessions (organization_id, status);
create index agent_sessions_agent_id_idx on public.agent_sessions (agent_id);
create index agent_sessions_user_id_idx on public.agent_sessions (user_id);
create table public.episodic_memory (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations on delete cascade,
  session_id uuid not null references public.agent_sessions on delete cascade,
  episode jsonb not null,
  importance numeric(3, 2) not null default 0.5,
  created_at timestamptz not null default now()
);
create index episodic_memory_session_id_idx on public.episodic_memory (session_id);
create index episodic_memory_organization_id_idx on public.episodic_memory (organization_id);
create table public.agent_memory (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations on delete cascade,
  agent_id uuid not null references public.agents on delete cascade,
  content text not null,
  embedding real[],
  created_at timestamptz not null default now()
);
do $$
begin
  if exists (select from pg_extension where extname = 'vector') then
    alter table public.agent_memory alter column embedding type extensions.vector(1536);
  end if;
end
$$;
create index agent_memory_agent_id_idx on public.agent_memory (agent_id);
create index agent_memory_organization_id_idx on public.agent_memory (organization_id);
