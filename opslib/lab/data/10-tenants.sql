-- Plans, organizations, users, agents, billing and the operators' tables. Foreign keys hold by
-- construction; checking each of them row by row would double the time.
set session_replication_role = replica;

insert into public.roles (id, role_name, permissions, created_at)
select pg_temp.key('role', n), (array['owner', 'admin', 'member', 'viewer'])[n],
  (array['["*"]', '["manage"]', '["write"]', '["read"]'])[n]::jsonb, pg_temp.clock() - interval '400 days'
from generate_series(1, 4) n;

insert into public.billing_plans (id, code, name, monthly_price_cents, included_tokens, created_at)
select pg_temp.key('plan', n), (array['free', 'pro', 'enterprise'])[n], (array['Free', 'Pro', 'Enterprise'])[n],
  (array[0, 9900, 99000])[n], (array[100000, 5000000, 100000000])[n], pg_temp.clock() - interval '400 days'
from generate_series(1, 3) n;

insert into public.organizations (id, name, slug, tier, created_at, updated_at)
select pg_temp.key('organization', n), 'Organization ' || n, 'organization-' || n,
  (array['free', 'pro', 'pro', 'enterprise'])[n % 4 + 1], made, made
from generate_series(0, pg_temp.organizations() - 1) n,
  pg_temp.moment('organization', n + 1, pg_temp.organizations(), interval '390 days') made;

insert into auth.users (id, email, email_confirmed_at, last_sign_in_at, raw_app_meta_data, created_at, updated_at)
select pg_temp.key('user', n), 'user-' || n || '@organization-' || pg_temp.home(n) || '.example', made,
  pg_temp.clock() - interval '20 days' * pg_temp.part('sign-in', n), '{"provider": "email"}', made, made
from generate_series(0, pg_temp.users() - 1) n,
  pg_temp.moment('user', n + 1, pg_temp.users(), interval '380 days') made;

insert into public.users (id, email, full_name, is_active, created_at, updated_at)
select pg_temp.key('user', n), 'user-' || n || '@organization-' || pg_temp.home(n) || '.example', 'User ' || n,
  n % 50 <> 49, made, made
from generate_series(0, pg_temp.users() - 1) n,
  pg_temp.moment('user', n + 1, pg_temp.users(), interval '380 days') made;

insert into public.organization_members (id, organization_id, user_id, role_id, status, created_at)
select pg_temp.key('member', n), pg_temp.key('organization', pg_temp.home(n)), pg_temp.key('user', n),
  pg_temp.key('role', case n / pg_temp.organizations() when 0 then 1 when 1 then 2 else 3 end),
  case when n / pg_temp.organizations() < 2 then 'active'
    else (array['active', 'active', 'active', 'active', 'active', 'active', 'active', 'active', 'invited', 'suspended'])
      [pg_temp.hash('member', n) % 10 + 1] end,
  pg_temp.moment('user', n + 1, pg_temp.users(), interval '380 days')
from generate_series(0, pg_temp.users() - 1) n;

insert into public.teams (id, organization_id, name, created_at)
select pg_temp.key('team', n), pg_temp.key('organization', n / 2), (array['Sales', 'Value engineering'])[n % 2 + 1],
  pg_temp.clock() - interval '300 days'
from generate_series(0, pg_temp.organizations() * 2 - 1) n;
insert into public.team_members (team_id, user_id, created_at)
select pg_temp.key('team', pg_temp.home(n) * 2 + pg_temp.hash('team', n) % 2), pg_temp.key('user', n),
  pg_temp.clock() - interval '200 days'
from generate_series(0, pg_temp.users() - 1, 3) n;

insert into auth.sessions (id, user_id, created_at, updated_at, refreshed_at, user_agent, ip)
select pg_temp.key('session', n), pg_temp.key('user', n), made, made, made + interval '50 minutes',
  'Mozilla/5.0 (lab)', '198.51.100.0'::inet + pg_temp.hash('ip', n) % 250
from generate_series(0, pg_temp.users() - 1) n,
  pg_temp.moment('session', n + 1, pg_temp.users(), interval '20 days') made;
insert into auth.refresh_tokens (token, user_id, session_id, created_at, updated_at)
select 'lab-' || md5('token' || n), pg_temp.key('user', n), pg_temp.key('session', n), made, made
from generate_series(0, pg_temp.users() - 1) n,
  pg_temp.moment('session', n + 1, pg_temp.users(), interval '20 days') made;

insert into public.agents (id, organization_id, name, agent_type, config, created_at)
select pg_temp.key('agent', n), pg_temp.key('organization', n / 6), initcap(kind) || ' agent', kind,
  '{"temperature": 0.2}', pg_temp.clock() - interval '380 days'
from generate_series(0, pg_temp.organizations() * 6 - 1) n,
  lateral (select (array['opportunity', 'target', 'realization', 'expansion', 'integrity', 'orchestrator'])[n % 6 + 1]) k(kind);

insert into public.billing_subscriptions
  (id, organization_id, plan_id, status, current_period_start, current_period_end, created_at)
select pg_temp.key('subscription', n), pg_temp.key('organization', n),
  pg_temp.key('plan', (array[1, 2, 2, 3])[n % 4 + 1]), 'active', pg_temp.clock() - interval '1 day' * (n % 28),
  pg_temp.clock() + interval '1 day' * (30 - n % 28), pg_temp.clock() - interval '200 days'
from generate_series(0, pg_temp.organizations() - 1) n;
insert into public.billing_entitlements (organization_id, feature, quantity)
select pg_temp.key('organization', n), feature, 10 * (n % 4 + 1)
from generate_series(0, pg_temp.organizations() - 1) n, unnest(array['seats', 'agents']) feature;
insert into public.billing_invoices (id, organization_id, subscription_id, status, total_cents, due_at, created_at)
select pg_temp.key('invoice', n), pg_temp.key('organization', n / 6), pg_temp.key('subscription', n / 6),
  case when n % 6 = 0 then 'open' when n = 7 then 'uncollectible' else 'paid' end,
  (array[0, 9900, 9900, 99000])[n / 6 % 4 + 1], made + interval '14 days', made
from generate_series(0, pg_temp.organizations() * 6 - 1) n,
  lateral (select pg_temp.clock() - interval '30 days' * (n % 6) - interval '1 hour') m(made);
insert into public.billing_invoice_items (id, invoice_id, description, amount_cents)
select pg_temp.key('item', n), pg_temp.key('invoice', n), 'Subscription', (array[0, 9900, 9900, 99000])[n / 6 % 4 + 1]
from generate_series(0, pg_temp.organizations() * 6 - 1) n;

-- One backup a day, as the product's own script logs them; the newest a few hours old, one failed.
insert into public.backup_logs (id, backup_file, s3_path, size_bytes, checksum, duration_seconds, status, error_message, created_at)
select pg_temp.key('backup', n), file, 's3://valuecanvas-production-backups/database-backups/' || file,
  case when n <> 20 then 50000000 - n * 100000 end, case when n <> 20 then encode(sha256(file::bytea), 'hex') end,
  60 + n % 30, case when n = 20 then 'failed' else 'success' end, case when n = 20 then 'connection lost' end, made
from generate_series(0, 89) n,
  lateral (select pg_temp.clock() - interval '1 day' * n - interval '5 hours') m(made),
  lateral (select 'valuecanvas_backup_' || to_char(made, 'YYYYMMDD_HH24MISS') || '.sql.gz') f(file);

insert into public.webhook_events
  (id, stripe_event_id, event_type, payload, processed, processed_at, retry_count, next_retry_at, error_message, created_at)
select pg_temp.key('webhook', n), 'evt_lab_' || n,
  (array['invoice.paid', 'customer.subscription.updated', 'invoice.payment_failed'])[n % 3 + 1], '{"livemode": false}',
  n > 2, case when n > 2 then made + interval '2 seconds' end, case when n > 2 then 0 else n end,
  case when n <= 2 then pg_temp.clock() + interval '1 minute' * n end, case when n <= 2 then 'timeout' end, made
from generate_series(1, greatest(20, pg_temp.rows_of(0.002))) n,
  lateral (select pg_temp.clock() - interval '30 minutes' * n) m(made);
insert into public.webhook_dead_letter_queue (id, webhook_event_id, reason, created_at)
values (pg_temp.key('dead-letter', 1), pg_temp.key('webhook', 9), 'retries exhausted', pg_temp.clock() - interval '3 days');
insert into public.llm_job_results (job_id, organization_id, status, result, created_at)
select n::text, pg_temp.key('organization', n % pg_temp.organizations()), 'completed', '{}',
  pg_temp.clock() - interval '1 minute' * (61 - n)
from generate_series(1, 50) n;
