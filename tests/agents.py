"""For tests of agents: sessions that were begun a while ago, with or without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BEGIN = """
WITH made AS (
  INSERT INTO public.agent_sessions (organization_id, agent_id, user_id, status, workflow_state, started_at)
  SELECT a.organization_id, a.id, (SELECT u.id FROM public.users u ORDER BY u.id LIMIT 1), %(status)s,
         '{"test": true}', now() - make_interval(mins => %(minutes)s)
  FROM (SELECT id, organization_id FROM public.agents ORDER BY id LIMIT 1) a, generate_series(1, %(many)s)
  RETURNING id, organization_id
)
INSERT INTO public.episodic_memory (organization_id, session_id, episode)
SELECT organization_id, id, '{}' FROM made WHERE %(trace)s
"""
ACT = """
INSERT INTO public.agent_audit_log (agent_id, action, details, success)
SELECT (SELECT id FROM public.agents ORDER BY id LIMIT 1), 'respond', '{"test": true}', n > %(failed)s
FROM generate_series(1, %(many)s) n
"""


@contextmanager
def begun(
    lab: Any, many: int, *, minutes: int = 20, trace: bool = True, status: str = "active", actions: int = 60
) -> Iterator[None]:
    """Have so many sessions, begun so many minutes ago, and successful actions, until the block ends."""
    with lab.admin() as database:
        database.execute(BEGIN, {"many": many, "minutes": minutes, "trace": trace, "status": status})
        database.execute(ACT, {"many": actions, "failed": 0})
        try:
            yield
        finally:
            database.execute("DELETE FROM public.agent_sessions WHERE workflow_state = '{\"test\": true}'")
            with database.transaction():
                database.execute("SET LOCAL session_replication_role = replica")
                database.execute("DELETE FROM public.agent_audit_log WHERE details = '{\"test\": true}'")
