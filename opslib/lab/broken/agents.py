"""Faults of agents: sessions of which nothing comes, and steps that fail."""

from __future__ import annotations

import json
import time
from typing import Any

from opslib.lab.broken import Fault, at_work
from opslib.lab.broken.revision import change_spec, released, roll_out, taken_back
from opslib.lab.cache import QUEUE
from opslib.settings import Settings
from opslib.systems.postgres import connect

RECOVER = "disaster/recover-everything"
MANY = 40

STUCK = """
INSERT INTO public.agent_sessions (organization_id, agent_id, user_id, status, workflow_state, started_at, created_at)
SELECT a.organization_id, a.id, a.user_id, 'active', '{"lab-fault": "sessions-stuck"}', t.began, t.began
FROM (SELECT g.id, g.organization_id, m.user_id FROM public.agents g
      JOIN LATERAL (SELECT user_id FROM public.organization_members
                    WHERE organization_id = g.organization_id AND status = 'active' ORDER BY user_id LIMIT 1) m ON true
      ORDER BY g.id LIMIT 4) a
CROSS JOIN (SELECT now() - make_interval(mins => n * 3 + 6) AS began FROM generate_series(1, 10) n) t
"""
JOBS, JOB_SECONDS = 12, 90.0
"""Jobs that wait, and how much later than the one before each was queued."""
WAITING = """
INSERT INTO public.agent_sessions (organization_id, agent_id, user_id, status, workflow_state, started_at, created_at)
SELECT a.organization_id, a.id, a.user_id, 'active', '{"lab-fault": "workers-at-zero"}', t.began, t.began
FROM (SELECT g.id, g.organization_id, m.user_id FROM public.agents g
      JOIN public.organization_members m ON m.organization_id = g.organization_id AND m.status = 'active'
      ORDER BY g.id, m.user_id LIMIT 1) a,
     (SELECT now() - make_interval(secs => %(age)s) AS began) t
RETURNING id::text
"""
GONE = (
    "DELETE FROM public.episodic_memory m USING public.agent_sessions s"
    " WHERE s.id = m.session_id AND s.workflow_state->>'lab-fault' = 'workers-at-zero'",
    "DELETE FROM public.agent_sessions WHERE workflow_state->>'lab-fault' = 'workers-at-zero'",
)
UNSTUCK = "DELETE FROM public.agent_sessions WHERE workflow_state->>'lab-fault' = 'sessions-stuck'"
FAILED = """
INSERT INTO public.agent_audit_log (organization_id, agent_id, action, details, success, created_at)
SELECT a.organization_id, a.id, 'tool_call', '{"lab-fault": "steps-fail"}', false, now() - make_interval(secs => n)
FROM (SELECT id, organization_id FROM public.agents ORDER BY id LIMIT 1) a, generate_series(1, %(many)s) n
"""
FORGOTTEN = "DELETE FROM public.agent_audit_log WHERE details->>'lab-fault' = %(mark)s"
STEPS_FAIL, AT_WORK = "steps-fail", "lab-fault-agents"


def _stuck(settings: Settings) -> None:
    with connect(settings.database_url, "lab") as database, database.transaction():
        database.execute(UNSTUCK)
        database.execute(STUCK)


def _unstuck(settings: Settings) -> None:
    with connect(settings.database_url, "lab") as database:
        database.execute(UNSTUCK)


def _failed(settings: Settings) -> None:
    _forget(settings)
    with connect(settings.database_url, "lab") as database:
        database.execute(FAILED, {"many": MANY})


def _forget(settings: Settings, mark: str = STEPS_FAIL) -> None:
    with connect(settings.database_url, "lab") as database, database.transaction():
        # The rows of an audit cannot be removed; these are the lab's own, and its trigger is told to look away.
        database.execute("SET LOCAL session_replication_role = replica")
        database.execute(FORGOTTEN, {"mark": mark})


def _to_zero(settings: Settings) -> None:
    """Let nobody take jobs for twenty minutes by now: they wait, and with each of them a user's session."""
    _none_wait(settings)
    change_spec(settings, settings.worker_deployment, lambda spec: spec.update(replicas=0))
    with connect(settings.database_url, "lab") as database, _queue(settings) as cache:
        for number in range(JOBS):
            age = JOB_SECONDS * (number + 1)
            (row,) = database.execute(WAITING, {"age": age}).fetchall()
            made = int((time.time() - age) * 1000)
            job, data = f"lab-{number}", json.dumps({"session": row["id"]})
            cache.hset(f"{QUEUE}:{job}", mapping={"name": "agent-step", "data": data, "timestamp": made})
            # New jobs come in on the left; whoever takes one takes it from the right.
            cache.rpush(f"{QUEUE}:wait", job)
    at_work.begin(settings, "agents")


def _from_zero(settings: Settings) -> None:
    at_work.end(settings, "agents")
    roll_out(settings, lambda spec: spec.update(replicas=max(2, spec["replicas"])), settings.worker_deployment)
    _none_wait(settings)
    _forget(settings, AT_WORK)


def _none_wait(settings: Settings) -> None:
    with connect(settings.database_url, "lab") as database, _queue(settings) as cache:
        for statement in GONE:
            database.execute(statement)
        for number in range(JOBS):
            cache.lrem(f"{QUEUE}:wait", 0, f"lab-{number}")
            cache.zrem(f"{QUEUE}:completed", f"lab-{number}")
            cache.delete(f"{QUEUE}:lab-{number}")


def _queue(settings: Settings) -> Any:
    import redis

    return redis.Redis.from_url(settings.cache_url.reveal(), socket_timeout=10, decode_responses=True)


def _steps_fail(settings: Settings) -> None:
    """Roll out workers whose tool calls fail, and let agents make their steps."""
    released(worker=True, tools="fail")(settings)
    with connect(settings.database_url, "lab") as database:
        for _ in range(MANY // at_work.STEPS + 1):
            at_work.agents(settings, database)
    at_work.begin(settings, "agents")


def _steps_succeed(settings: Settings) -> None:
    at_work.end(settings, "agents")
    taken_back(settings, worker=True)
    _forget(settings, AT_WORK)


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="agent-sessions-stuck",
        area="agents",
        title="Agents begin sessions, and nothing comes of them",
        check="agents-sessions",
        notebook="",
        make=_stuck,
        mend=_unstuck,
        person="a session that is stuck stays so: its user begins anew, and why it was, its container's log says",
    ),
    Fault(
        name="agent-steps-fail",
        area="agents",
        title="The agents' tool calls fail",
        check="agents-errors",
        notebook="",
        make=_failed,
        mend=_forget,
        person="rows of an audit are of the past; what the agent calls, and whether it works again, people look at",
    ),
    Fault(
        name="agent-workers-at-zero",
        area="agents",
        title="Somebody scaled the agents' workers to 0: jobs wait, and their sessions with them",
        check="agents-workers",
        notebook=RECOVER,
        make=_to_zero,
        mend=_from_zero,
    ),
    Fault(
        name="agent-revision-fails",
        area="agents",
        title="The workers' newest revision runs, and each tool call of its agents fails",
        check="agents-errors",
        notebook=RECOVER,
        make=_steps_fail,
        mend=_steps_succeed,
    ),
)
