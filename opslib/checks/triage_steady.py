"""The steady state of each service of the guide's table: the checks that are all OK where it is well.

Chaos engineering calls this the steady-state hypothesis. A drill and a game day look at it before anything is broken
and after it was recovered.
"""

from __future__ import annotations

from collections.abc import Callable

from opslib.checks import application, cache, cluster, database, frontend, llm
from opslib.errors import UsageError
from opslib.guide.promises import PROMISES, Service
from opslib.model import Check

STEADY: dict[Service, Callable[[], tuple[Check, ...]]] = {
    "database": lambda: (database.reachable, database.servers, database.core_tables),
    "application": lambda: (application.ready, cluster.pods, cluster.autoscalers),
    "llm": lambda: (llm.breakers(), llm.replicas()),
    "cache": lambda: (cache.reachable, cache.memory),
    "frontend": lambda: (frontend.whole, frontend.live),
}


def steady(service: str = "all") -> dict[str, tuple[Check, ...]]:
    """Return the steady state's checks by service, for a survey: of one service, or of all.

    Raises UsageError for a service that the guide's table does not have.
    """
    if service != "all" and service not in PROMISES:
        raise UsageError(f"There is no service {service!r}.", f"There are: all, {', '.join(PROMISES)}.")
    return {name: checks() for name, checks in STEADY.items() if service in ("all", name)}
