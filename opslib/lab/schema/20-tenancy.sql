-- Users, organizations, teams, and who belongs where.
create table public.users (
  id uuid primary key references auth.users on delete cascade,
  email text not null unique,
  full_name text,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table public.organizations (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  slug text not null unique,
  tier text not null default 'free' check (tier in ('free', 'pro', 'enterprise')),
  is_active boolean not null default true,
  settings jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table public.roles (
  id uuid primary key default gen_random_uuid(),
  role_name text not null unique,
  permissions jsonb not null default '[]',
  created_at timestamptz not null default now()
);
create table public.organization_members (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations on delete cascade,
  user_id uuid not null references public.users on delete cascade,
  role_id uuid not null references public.roles,
  status text not null default 'active' check (status in ('active', 'invited', 'suspended')),
  created_at timestamptz not null default now(),
  unique (organization_id, user_id)
);
create index organization_members_user_id_idx on public.organization_members (user_id, status);
create index organization_members_role_id_idx on public.organization_members (role_id);
create table public.teams (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations on delete cascade,
  name text not null,
  created_at timestamptz not null default now(),
  unique (organization_id, name)
);
create table public.team_members (
  team_id uuid not null references public.teams on delete cascade,
  user_id uuid not null references public.users on delete cascade,
  created_at timestamptz not null default now(),
  primary key (team_id, user_id)
);
create index team_members_user_id_idx on public.team_members (user_id);

create function public.is_org_member(org uuid) returns boolean
  language sql stable security definer set search_path = public, pg_temp as $$
  select exists (
    select from organization_members m
    where m.organization_id = org and m.user_id = auth.uid() and m.status = 'active'
  )
$$;
create function public.is_org_admin(org uuid) returns boolean
  language sql stable security definer set search_path = public, pg_temp as $$
  select exists (
    select from organization_members m join roles r on r.id = m.role_id
    where m.organization_id = org and m.user_id = auth.uid() and m.status = 'active'
      and r.role_name in ('owner', 'admin')
  )
$$;
