-- Notes that members write on their cases.
create table public.case_notes (
  id uuid primary key default gen_random_uuid(),
  case_id uuid not null references public.cases on delete cascade,
  author_id uuid references public.users on delete set null,
  body text not null,
  created_at timestamptz not null default now()
);
create index case_notes_case_id_idx on public.case_notes (case_id, created_at);
create index case_notes_author_id_idx on public.case_notes (author_id);
alter table public.case_notes enable row level security;
create policy case_notes_member on public.case_notes for all to authenticated
  using (exists (select from public.cases c where c.id = case_id and public.is_org_member(c.organization_id)))
  with check (exists (select from public.cases c where c.id = case_id and public.is_org_member(c.organization_id)));
