-- Agent sessions, their memory, and what the language models cost.
set session_replication_role = replica;

insert into public.agent_sessions
  (id, organization_id, agent_id, user_id, status, workflow_state, started_at, ended_at, created_at)
select pg_temp.key('agent-session', n), pg_temp.key('organization', pg_temp.home(person)),
  pg_temp.key('agent', pg_temp.home(person) * 6 + pg_temp.hash('agent', n) % 6), pg_temp.key('user', person), status,
  -- Sessions of the last days still hold the page that they showed last.
  case when n < total * 0.9 then '{"stage": "quantify"}' else jsonb_build_object('stage', 'quantify', 'page',
    jsonb_build_object('type', 'page', 'version', 2,
      'organizationId', pg_temp.key('organization', pg_temp.home(person)), 'metadata', '{"theme": "dark"}'::jsonb,
      'sections', jsonb_build_array(
        '{"type": "component", "component": "InfoBanner", "version": 2, "props": {"title": "Quantify"}}'::jsonb,
        case when n % 3 = 0 then '{"type": "component", "component": "ValueTreeCard", "version": 2,
          "props": {"title": "Drivers", "nodes": []}}'::jsonb else '{"type": "component", "component": "NarrativeBlock",
          "version": 1, "props": {"title": "What changed", "content": "Less waiting."}}'::jsonb end,
        '{"type": "layout.directive", "intent": "compare", "component": "DataTable", "layout": "two_column",
          "props": {"data": [], "columns": []}}'::jsonb))) end, made, case when status in ('completed', 'failed') then made + interval '4 minutes' end, made
from (select count as total, n, pg_temp.hash('session-user', n) % pg_temp.users() as person
      from pg_temp.rows_of(0.05) count, generate_series(0, count - 1) n) s,
  pg_temp.moment('agent-session', n + 1, total, interval '90 days') made,
  lateral (select case when n > total * 0.99 - 5 and exists (select from public.organization_members m
      where m.organization_id = pg_temp.key('organization', pg_temp.home(person))
        and m.user_id = pg_temp.key('user', person) and m.status = 'active') then 'active' when pg_temp.hash('agent-status', n) % 100 < 2 then 'failed'
    when pg_temp.hash('agent-status', n) % 100 < 4 then 'paused' else 'completed' end) k(status);

insert into public.episodic_memory (id, organization_id, session_id, episode, importance, created_at)
select pg_temp.key('episode', n), pg_temp.key('organization', pg_temp.home(person)), pg_temp.key('agent-session', n),
  jsonb_build_object('summary', md5('episode' || n)), round(pg_temp.part('importance', n)::numeric, 2),
  pg_temp.moment('episode', n + 1, total, interval '90 days')
from (select count as total, n, pg_temp.hash('session-user', n) % pg_temp.users() as person
      from pg_temp.rows_of(0.02) count, generate_series(0, count - 1) n) e;

-- Who is at work was answered at once: a session of which nothing comes is a fault.
insert into public.episodic_memory (id, organization_id, session_id, episode, importance, created_at)
select md5(current_setting('lab.seed') || 'first-episode' || id)::uuid, organization_id, id, '{"summary": "begun"}', 0.1,
  least(started_at + interval '40 seconds', pg_temp.clock())
from public.agent_sessions where status = 'active';

-- 1536 numbers a row: 48 hashes of 32 bytes.
insert into public.agent_memory (id, organization_id, agent_id, content, embedding, created_at)
select pg_temp.key('memory', n), pg_temp.key('organization', n % (pg_temp.organizations() * 6) / 6),
  pg_temp.key('agent', n % (pg_temp.organizations() * 6)), 'Memory ' || n,
  (select array_agg((get_byte(block, place) / 128.0 - 1)::real order by step, place)
   from generate_series(1, 48) step, lateral (select sha256((n || ':' || step)::bytea)) b(block), generate_series(0, 31) place
  ),
  pg_temp.moment('memory', n + 1, total, interval '90 days')
from least(300, greatest(20, pg_temp.rows_of(0.001))) total, generate_series(0, total - 1) n;
do $$
begin
  if exists (select from pg_extension where extname = 'vector') then
    create index agent_memory_embedding_idx on public.agent_memory
      using ivfflat (embedding extensions.vector_cosine_ops) with (lists = 10);
  end if;
end
$$;

-- Evenly over the window before the clock: 30 days, shorter in a small lab, so that every hour has some.
insert into public.llm_usage
  (id, organization_id, user_id, session_id, provider, model, prompt_tokens, completion_tokens, total_tokens, cost,
   latency_ms, request_metadata, created_at)
select pg_temp.key('usage', n), pg_temp.key('organization', pg_temp.home(person)), pg_temp.key('user', person),
  pg_temp.key('agent-session', n % sessions), case when openai then 'openai' else 'together_ai' end,
  case when openai then 'gpt-4' else model end, asked, answered, asked + answered,
  case when openai then (asked * 30.0 + answered * 60.0) / 1e6
    else (asked + answered) * (array[0.90, 0.90, 0.20, 0.60])[kind] / 1e6 end,
  (350 - 600 * ln(1 - pg_temp.part('latency', n)))::int, '{"cached": false}',
  pg_temp.moment('usage', n + 1, total, interval '1 hour' * least(720, greatest(48, total / 20)))
from (select count as total, sessions, n, pg_temp.hash('session-user', n % sessions) % pg_temp.users() as person,
        pg_temp.hash('model', n) % 4 + 1 as kind, pg_temp.hash('provider', n) % 200 = 0 as openai,
        (100 + pg_temp.hash('asked', n) % 1500)::int as asked, (50 + pg_temp.hash('answered', n) % 900)::int as answered
      from pg_temp.rows_of(0.25) count, pg_temp.rows_of(0.05) sessions, generate_series(0, count - 1) n) u,
  lateral (select (array['meta-llama/Llama-3-70b-chat-hf', 'meta-llama/Llama-3-70b-chat-hf',
    'meta-llama/Llama-3-8b-chat-hf', 'mistralai/Mixtral-8x7B-Instruct-v0.1'])[kind]) m(model);
