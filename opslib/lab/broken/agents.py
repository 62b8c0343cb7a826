"""Faults of agents: sessions of which nothing comes, and steps that fail."""

from __future__ import annotations

from opslib.lab.broken import Fault
from opslib.settings import Settings
from opslib.systems.postgres import connect

MANY = 40

STUCK = """
INSERT INTO public.agent_sessions (organization_id, agent_id, user_id, status, workflow_state, started_at, created_at)
SELECT a.organization_id, a.id, (SELECT u.id FROM public.users u ORDER BY u.id LIMIT 1), 'active',
       '{"lab-fault": "sessions-stuck"}', t.began, t.began
FROM (SELECT id, organization_id FROM public.agents ORDER BY id LIMIT 4) a
CROSS JOIN (SELECT now() - make_interval(mins => n * 3 + 6) AS began FROM generate_series(1, 10) n) t
"""
UNSTUCK = "DELETE FROM public.agent_sessions WHERE workflow_state->>'lab-fault' = 'sessions-stuck'"
FAILED = """
INSERT INTO public.agent_audit_log (organization_id, agent_id, action, details, success, created_at)
SELECT a.organization_id, a.id, 'tool_call', '{"lab-fault": "steps-fail"}', false, now() - make_interval(secs => n)
FROM (SELECT id, organization_id FROM public.agents ORDER BY id LIMIT 1) a, generate_series(1, %(many)s) n
"""
FORGOTTEN = "DELETE FROM public.agent_audit_log WHERE details->>'lab-fault' = 'steps-fail'"


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


def _forget(settings: Settings) -> None:
    with connect(settings.database_url, "lab") as database, database.transaction():
        # The rows of an audit cannot be removed; these are the lab's own, and its trigger is told to look away.
        database.execute("SET LOCAL session_replication_role = replica")
        database.execute(FORGOTTEN)


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="agent-sessions-stuck",
        area="agents",
        title="Agents begin sessions, and nothing comes of them",
        check="agents-sessions",
        notebook="disaster/recover-llm",
        make=_stuck,
        mend=_unstuck,
    ),
    Fault(
        name="agent-steps-fail",
        area="agents",
        title="The agents' tool calls fail",
        check="agents-errors",
        notebook="runbooks/roll-back-deployment",
        make=_failed,
        mend=_forget,
    ),
)
