-- Cases, workflows and the messages in them.
set session_replication_role = replica;

insert into public.cases (id, organization_id, user_id, title, description, status, priority, created_at, updated_at, closed_at)
select pg_temp.key('case', n), pg_temp.key('organization', pg_temp.home(person)), pg_temp.key('user', person),
  'Case ' || n, 'Value case ' || md5('case' || n), status,
  (array['low', 'medium', 'medium', 'high', 'urgent'])[pg_temp.hash('priority', n) % 5 + 1], made, made,
  case when status in ('closed', 'archived') then made + interval '5 days' * pg_temp.part('closed', n) end
from (select count as total, n, pg_temp.hash('case-user', n) % pg_temp.users() as person
      from pg_temp.rows_of(0.1) count, generate_series(0, count - 1) n) c,
  pg_temp.moment('case', n + 1, total, interval '360 days') made,
  lateral (select case when n > total * 0.9 then (array['open', 'in_progress'])[pg_temp.hash('status', n) % 2 + 1]
    else (array['open', 'in_progress', 'closed', 'closed', 'closed', 'archived'])[pg_temp.hash('status', n) % 6 + 1] end) s(status);

insert into public.workflows (id, organization_id, case_id, name, status, steps, created_at, updated_at)
select pg_temp.key('workflow', n), pg_temp.key('organization', pg_temp.home(person)), pg_temp.key('case', n), 'Workflow ' || n,
  (array['draft', 'running', 'completed', 'completed', 'completed', 'failed'])[pg_temp.hash('workflow', n) % 6 + 1],
  '[{"step": "discover"}, {"step": "quantify"}, {"step": "present"}]', made, made
from (select count as total, n, pg_temp.hash('case-user', n) % pg_temp.users() as person
      from pg_temp.rows_of(0.03) count, generate_series(0, count - 1) n) w,
  pg_temp.moment('workflow', n + 1, total, interval '360 days') made;

insert into public.messages (id, organization_id, case_id, user_id, role, content, created_at)
select pg_temp.key('message', n), pg_temp.key('organization', pg_temp.home(person)), pg_temp.key('case', n % cases),
  case when n / cases % 2 = 0 then pg_temp.key('user', person) end,
  case when n / cases % 2 = 0 then 'user' else 'assistant' end,
  'Message ' || n || ' ' || repeat(md5('message' || n) || ' ', (2 + pg_temp.hash('length', n) % 6)::int),
  pg_temp.moment('message', n + 1, total, interval '360 days')
from (select count as total, cases, n, pg_temp.hash('case-user', n % cases) % pg_temp.users() as person
      from pg_temp.rows_of(0.3) count, pg_temp.rows_of(0.1) cases, generate_series(0, count - 1) n) m;
