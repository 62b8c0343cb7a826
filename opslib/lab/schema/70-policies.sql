-- Row level security: a member sees the rows of the own organizations, nobody else sees any.
-- The API's roles reach nothing without a policy; service_role passes by them.
do $$
declare
  relation text;
begin
  for relation in select tablename from pg_tables where schemaname = 'public' loop
    execute format('alter table public.%I enable row level security', relation);
  end loop;
end
$$;

create policy users_read on public.users for select to authenticated using (id = (select auth.uid()));
create policy users_update on public.users for update to authenticated
  using (id = (select auth.uid())) with check (id = (select auth.uid()));
create policy organizations_read on public.organizations for select to authenticated using (is_org_member(id));
create policy organizations_update on public.organizations for update to authenticated
  using (is_org_admin(id)) with check (is_org_admin(id));
create policy roles_read on public.roles for select to authenticated using (true);
create policy organization_members_read on public.organization_members for select to authenticated
  using (is_org_member(organization_id));
create policy organization_members_write on public.organization_members for all to authenticated
  using (is_org_admin(organization_id)) with check (is_org_admin(organization_id));
create policy teams_read on public.teams for select to authenticated using (is_org_member(organization_id));
create policy team_members_read on public.team_members for select to authenticated
  using (exists (select from public.teams t where t.id = team_id and is_org_member(t.organization_id)));
create policy plans_read on public.billing_plans for select to anon, authenticated using (true);

do $$
declare
  relation text;
begin
  -- The tables that members work with: read, and write inside the own organizations.
  foreach relation in array array['cases', 'workflows', 'messages', 'agent_sessions', 'episodic_memory'] loop
    execute format('create policy %I on public.%I for all to authenticated using (is_org_member(organization_id))'
      ' with check (is_org_member(organization_id))', relation || '_member', relation);
  end loop;
  foreach relation in array array['agents', 'agent_memory', 'llm_usage'] loop
    execute format('create policy %I on public.%I for select to authenticated using (is_org_member(organization_id))',
      relation || '_read', relation);
  end loop;
  foreach relation in array array['audit_logs', 'security_audit_log', 'agent_audit_log'] loop
    execute format('create policy %I on public.%I for select to authenticated using (is_org_admin(organization_id))',
      relation || '_admin_read', relation);
  end loop;
  -- Billing goes by the organization that the token names.
  foreach relation in array array['billing_subscriptions', 'billing_entitlements', 'billing_usage_events',
      'billing_usage_daily_totals', 'billing_invoices', 'grace_periods'] loop
    execute format('create policy %I on public.%I for select to authenticated'
      ' using (organization_id = (select auth.get_current_org_id()))', relation || '_read', relation);
  end loop;
end
$$;
