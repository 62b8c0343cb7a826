-- The audit tables and billing usage.
set session_replication_role = replica;

insert into public.audit_logs (id, organization_id, user_id, action, resource_type, resource_id, details, ip_address, created_at)
select pg_temp.key('audit', n), pg_temp.key('organization', pg_temp.home(person)), pg_temp.key('user', person),
  (array['create', 'update', 'read', 'export'])[pg_temp.hash('action', n) % 4 + 1],
  (array['case', 'workflow', 'agent'])[pg_temp.hash('resource', n) % 3 + 1], 'r-' || n, '{"via": "api"}',
  '198.51.100.0'::inet + pg_temp.hash('ip', person) % 250, pg_temp.moment('audit', n + 1, total, interval '180 days')
from (select count as total, n, pg_temp.hash('audit-user', n) % pg_temp.users() as person
      from pg_temp.rows_of(0.07) count, generate_series(0, count - 1) n) a;

insert into public.security_audit_log
  (id, organization_id, user_id, event_type, severity, event_data, ip_address, user_agent, created_at)
select pg_temp.key('security', n), pg_temp.key('organization', pg_temp.home(person)), pg_temp.key('user', person),
  (array['login', 'login', 'login', 'token_refresh', 'permission_denied', 'login_failed'])[pg_temp.hash('event', n) % 6 + 1],
  case when pg_temp.hash('severity', n) % 1000 < 950 then 'low' when pg_temp.hash('severity', n) % 1000 < 995 then 'medium'
    else 'high' end,
  '{"source": "api"}', '198.51.100.0'::inet + pg_temp.hash('ip', person) % 250, 'Mozilla/5.0 (lab)',
  pg_temp.moment('security', n + 1, total, interval '170 days')
from (select count as total, n, pg_temp.hash('security-user', n) % pg_temp.users() as person
      from pg_temp.rows_of(0.03) count, generate_series(0, count - 1) n) s;

insert into public.agent_audit_log (id, organization_id, agent_id, session_id, action, details, success, created_at)
select pg_temp.key('agent-audit', n), pg_temp.key('organization', pg_temp.home(person)),
  pg_temp.key('agent', pg_temp.home(person) * 6 + pg_temp.hash('agent', n % sessions) % 6), pg_temp.key('agent-session', n % sessions),
  (array['invoke', 'tool_call', 'respond'])[pg_temp.hash('agent-action', n) % 3 + 1], '{"tokens": 512}',
  pg_temp.hash('agent-success', n) % 100 > 1, pg_temp.moment('agent-audit', n + 1, total, interval '90 days')
from (select count as total, sessions, n, pg_temp.hash('session-user', n % sessions) % pg_temp.users() as person
      from pg_temp.rows_of(0.03) count, pg_temp.rows_of(0.05) sessions, generate_series(0, count - 1) n) a;

insert into public.billing_usage_events (id, organization_id, metric, quantity, idempotency_key, occurred_at)
select pg_temp.key('usage-event', n), pg_temp.key('organization', n % pg_temp.organizations()),
  (array['llm_tokens', 'agent_runs'])[n % 2 + 1], 1 + pg_temp.hash('quantity', n) % 5000, 'usage-' || n,
  pg_temp.moment('usage-event', n + 1, total, interval '60 days')
from pg_temp.rows_of(0.02) total, generate_series(0, total - 1) n;
insert into public.billing_usage_daily_totals (organization_id, metric, day, quantity)
select organization_id, metric, (occurred_at at time zone 'UTC')::date, sum(quantity)
from public.billing_usage_events group by 1, 2, 3;
