"""What breaks of the application: its health, its requests, its metrics, and what the cluster asks of its pods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, LiteralString

from opslib.lab.broken import Fault
from opslib.lab.broken.watchers import episode
from opslib.lab.doors import Doors, change
from opslib.settings import Settings
from opslib.systems.postgres_admin import AdminDatabase

LIVE = "/health/live"


def _episode(name: str, **said: Any) -> tuple[Callable[[Settings], None], Callable[[Settings], None]]:
    return (lambda settings: episode(settings, name, **said)), (lambda settings: episode(settings, name))


def _stopped(hours: float) -> Callable[[Settings], None]:
    return lambda settings: change(settings, "prometheus", stopped_hours=hours)


def _liveness(path: str) -> Callable[[Settings], None]:
    """Return what sets the path that the cluster asks the API's pods for; their pods stay, as after a new manifest."""

    def work(settings: Settings) -> None:
        doors = Doors(settings, cluster=True)
        known = doors.state()["kubernetes"]
        key = f"{settings.kubernetes_namespace}/{settings.api_deployment}"
        for container in known["objects"]["deployments"][key]["spec"]["template"]["spec"]["containers"]:
            container["livenessProbe"]["httpGet"]["path"] = path
        doors.put(kubernetes=known)

    return work


def _renamed(statement: LiteralString) -> Callable[[Settings], None]:
    """Return what gives the table that the health router reads another name, as a careless migration would."""

    def work(settings: Settings) -> None:
        with AdminDatabase(settings.database_url, "opslib:lab") as session:
            session.execute(statement, what="rename the table")

    return work


FAULTS: tuple[Fault, ...] = (
    Fault(
        "requests-fail",
        "application",
        "One of twenty requests ends in a 503, for six hours",
        "application-error-rate",
        "runbooks/roll-back-deployment",
        *_episode("requests-fail", kind="failing", share=0.05, **{"from": 6, "to": 0}),
    ),
    Fault(
        "budget-burns-slowly",
        "application",
        "0.9 % of the requests fail for a day: below the guide's alert, and a third of the month's budget",
        "application-burn",
        "runbooks/roll-back-deployment",
        *_episode("budget-burns-slowly", kind="failing", share=0.009, **{"from": 26, "to": 0}),
    ),
    Fault(
        "answers-are-slow",
        "application",
        "A fifth of the requests takes longer than every bucket of the histogram",
        "application-response-time",
        "runbooks/scale-for-high-traffic",
        *_episode("answers-are-slow", kind="slow", share=0.2, **{"from": 2, "to": 0}),
    ),
    Fault(
        "api-was-down",
        "application",
        "Both pods were down for twelve hours, three days ago",
        "application-uptime",
        "",
        *_episode("api-was-down", kind="down", **{"from": 84, "to": 72}),
    ),
    Fault(
        "metrics-stopped",
        "application",
        "Nothing has been scraped for an hour",
        "application-fresh",
        "",
        _stopped(1.0),
        _stopped(0.0),
    ),
    Fault(
        "liveness-depends",
        "application",
        "The cluster's liveness probe asks /health, which fails with the database and with Together.ai",
        "application-coupling",
        "",
        _liveness("/health"),
        _liveness(LIVE),
    ),
    Fault(
        "table-renamed",
        "application",
        "A table that the health router reads has another name",
        "application-health",
        "runbooks/migrate-database",
        _renamed("ALTER TABLE IF EXISTS public.agent_sessions RENAME TO agent_sessions_moved"),
        _renamed("ALTER TABLE IF EXISTS public.agent_sessions_moved RENAME TO agent_sessions"),
    ),
)
"""Found by the checks of diagnostics/application, each by its own."""
