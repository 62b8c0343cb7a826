"""What breaks of the application: its health, its requests, its metrics, and what the cluster asks of its pods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opslib.lab.broken import Fault
from opslib.lab.broken.revision import roll_out
from opslib.lab.broken.watchers import episode
from opslib.lab.doors import Doors, change
from opslib.settings import Settings

LIVE = "/health/live"
RECOVER = "disaster/recover-everything"
CAUSE = "which version or which dependency fails has to be found first; then the figure goes down by itself"
KEY, FORMER = "SUPABASE_SERVICE_KEY", "sb_secret_lab-dummy-service-key-of-last-year"


def _episode(name: str, **said: Any) -> tuple[Callable[[Settings], None], Callable[[Settings], None]]:
    return (lambda settings: episode(settings, name, **said)), (lambda settings: episode(settings, name))


def _stopped(hours: float) -> Callable[[Settings], None]:
    return lambda settings: change(settings, "prometheus", stopped_hours=hours)


def _liveness(path: str) -> Callable[[Settings], None]:
    """Return what rolls out a manifest with the path that the cluster asks the API's pods for."""

    def change(spec: dict[str, Any]) -> None:
        for container in spec["template"]["spec"]["containers"]:
            container["livenessProbe"]["httpGet"]["path"] = path

    return lambda settings: roll_out(settings, change)


def _former_key(settings: Settings) -> None:
    """Give the API's running pods another key of Supabase's; the secret and the vault keep theirs."""
    doors = Doors(settings, cluster=True)
    known = doors.state()["kubernetes"]
    for pod in known["objects"]["pods"].values():
        if pod["metadata"].get("labels", {}).get("app") == settings.api_deployment:
            known["environment"][pod["metadata"]["uid"]][KEY] = FORMER
    doors.put(kubernetes=known)


def _present_key(settings: Settings) -> None:
    """Have new pods take the place of those, which start with what the secret has."""
    doors = Doors(settings, cluster=True)
    known = doors.state()["kubernetes"]
    old = {uid for uid, given in known.get("environment", {}).items() if given.get(KEY) == FORMER}
    kept = {key: pod for key, pod in known["objects"]["pods"].items() if pod["metadata"]["uid"] not in old}
    if len(kept) < len(known["objects"]["pods"]):
        doors.put(kubernetes={**known, "objects": {**known["objects"], "pods": kept}})


FAULTS: tuple[Fault, ...] = (
    Fault(
        "requests-fail",
        "application",
        "One of twenty requests ends in a 503, for six hours",
        "application-error-rate",
        "",
        *_episode("requests-fail", kind="failing", share=0.05, **{"from": 6, "to": 0}),
        person=CAUSE,
    ),
    Fault(
        "budget-burns-slowly",
        "application",
        "0.9 % of the requests fail for a day: below the guide's alert, and a third of the month's budget",
        "application-burn",
        "",
        *_episode("budget-burns-slowly", kind="failing", share=0.009, **{"from": 26, "to": 0}),
        person=CAUSE,
    ),
    Fault(
        "answers-are-slow",
        "application",
        "A fifth of the requests takes longer than every bucket of the histogram",
        "application-response-time",
        "",
        *_episode("answers-are-slow", kind="slow", share=0.2, **{"from": 2, "to": 0}),
        person="what the slow answers wait for has to be found first: more replicas help against load alone",
    ),
    Fault(
        "one-route-is-slow",
        "application",
        "One route of a hundred requests is slow, each time; the percentile of all does not show it",
        "application-routes",
        "",
        lambda settings: change(settings, "prometheus", slow_routes=["/api/exports"]),
        lambda settings: change(settings, "prometheus", slow_routes=[]),
        person="what that route waits for has to be found first, in the database or in its own code",
    ),
    Fault(
        "api-was-down",
        "application",
        "Both pods were down for twelve hours, three days ago",
        "application-uptime",
        "",
        *_episode("api-was-down", kind="down", **{"from": 84, "to": 72}),
        person="it is over: what is left is to learn from it",
    ),
    Fault(
        "metrics-stopped",
        "application",
        "Nothing has been scraped for an hour",
        "application-fresh",
        "",
        _stopped(1.0),
        _stopped(0.0),
        person="Prometheus and its network are started where they run",
    ),
    Fault(
        "liveness-depends",
        "application",
        "The cluster's liveness probe asks /health, which fails with the database and with Together.ai",
        "application-coupling",
        RECOVER,
        _liveness("/health"),
        _liveness(LIVE),
    ),
    Fault(
        "api-has-former-key",
        "application",
        "The API's pods run with a key of Supabase's that was replaced: it says 503 of itself",
        "application-health",
        "runbooks/rotate-api-keys",
        _former_key,
        _present_key,
    ),
)
"""Found by the checks of diagnostics/application, each by its own."""
