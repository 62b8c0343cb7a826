"""What a drill can practise: one line per service, with what is broken and which notebook recovers it.

A line whose notebook is not there yet stays in the table, and its service is reported as not drilled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from opslib.checks import cache, cluster, database, frontend, llm
from opslib.checks.triage_steady import STEADY
from opslib.errors import OpsError, UsageError
from opslib.guide.exercises import LINES
from opslib.guide.promises import PROMISES, Service
from opslib.headless import notebooks
from opslib.model import Check, Probe
from opslib.probes import database as database_probes
from opslib.probes import frontend as frontend_probes

Stated = tuple[str, str]
"""Where a plan says what it would lose: a probe that it read, and the field with seconds, or with the moment after
which all is lost."""


@dataclass(frozen=True)
class Scenario:
    """One service, broken in one way.

    ``traffic`` is a kind of ``ops lab traffic``; ``detects`` is the check that notices the fault, one of those that say
    that all is well (:data:`opslib.checks.triage_steady.STEADY`). ``prepare`` are notebooks that run before it.
    ``stated``: see :data:`Stated`.
    ``holdings`` are things that may not be lost where the traffic writes nothing: a probe and the field that names one.
    """

    service: Service
    fault: str
    notebook: str
    traffic: str
    detects: Callable[[], Check]
    parameters: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    stated: Stated | None = None
    holdings: tuple[Probe, str, str] | None = None

    def steady(self) -> tuple[Check, ...]:
        """Return the checks that say that the service is well."""
        return STEADY[self.service]()

    def obstacle(self) -> str:
        """Return why this cannot be drilled yet; empty when it can."""
        try:
            notebooks.find(self.notebook)
        except OpsError:
            return f"The notebook {self.notebook} is not there yet."
        return ""


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "database",
        LINES["database"].fault,
        LINES["database"].notebook,
        "rows",
        detects=lambda: database.servers,
        parameters=("way=failover",),
        stated=(database_probes.failover().name, "lost_after"),
    ),
    Scenario(
        "application",
        LINES["application"].fault,
        LINES["application"].notebook,
        "chats",
        detects=lambda: cluster.autoscalers,
        parameters=("services=api",),
    ),
    Scenario(
        "llm",
        LINES["llm"].fault,
        LINES["llm"].notebook,
        "chats",
        detects=llm.breakers,
        parameters=("trials=1", "watch_minutes=0.05", "watch_seconds=1"),
    ),
    Scenario(
        "cache",
        LINES["cache"].fault,
        LINES["cache"].notebook,
        "keys",
        detects=lambda: cache.memory,
        parameters=("window_seconds=1", "least_lookups=1"),
    ),
    Scenario(
        "frontend",
        LINES["frontend"].fault,
        LINES["frontend"].notebook,
        "pages",
        detects=lambda: frontend.whole,
        holdings=(frontend_probes.deployments, "deployment", "deployments"),
    ),
)
"""In the order of the guide's priorities, which is the order of a drill of all of them."""


def chosen(services: Collection[str]) -> tuple[Scenario, ...]:
    """Return the scenarios of these services, all where none is named, in the order of their priorities.

    Raises UsageError for a service that the guide's table does not have.
    """
    if strange := sorted(set(services) - set(PROMISES)):
        raise UsageError(f"There is no service {strange[0]!r} to drill.", f"There are: {', '.join(PROMISES)}.")
    return tuple(one for one in SCENARIOS if not services or one.service in services)
