"""Whether what a recovered deployment serves answers again, asked through its own address."""

from __future__ import annotations

import time
from collections.abc import Callable

from opslib.errors import OpsError
from opslib.model import Verdict
from opslib.probes import application_ready
from opslib.probes.cluster_standing import Recovered
from opslib.systems.target import VerifyTarget

READY_SECONDS, PAUSE_SECONDS = 15.0, 1.0
"""How long a balancer may take to notice that pods are back."""
Answer = tuple[Verdict, str]


def answering(target: VerifyTarget, which: Recovered) -> Answer:
    """Return what it says of itself, within a moment that a balancer may take; the worst of it where it says nothing.

    Workers have no address: they are not asked for.
    """
    asked: dict[str, Callable[[VerifyTarget], Answer]] = {"api": _api, "prometheus": _prometheus, "grafana": _grafana}
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            verdict, said = asked[which](target)
        except OpsError as error:
            kind = getattr(error, "kind", "")
            verdict, said = Verdict.CRITICAL if kind else Verdict.UNKNOWN, f"through its address: {error.message}"
        if verdict in (Verdict.OK, Verdict.WARNING) or time.monotonic() > until:
            return verdict, said
        time.sleep(PAUSE_SECONDS)


def _api(target: VerifyTarget) -> Answer:
    row = application_ready.read(target)[0]
    state, ill = application_ready.state(row), ", ".join(application_ready.ill(row))
    said = f"the API says {row['word'] or row['status']!r}{f', ill: {ill}' if ill else ''}"
    verdict = {"ready": Verdict.OK, "without spare": Verdict.WARNING, "not ready": Verdict.CRITICAL}.get(state)
    return verdict or (Verdict.CRITICAL if state == "unhealthy" else Verdict.UNKNOWN), said


def _prometheus(target: VerifyTarget) -> Answer:
    said = target.prometheus.ready()
    scraped = target.prometheus.targets()
    up = sum(one.health == "up" for one in scraped)
    verdict = Verdict.OK if up else Verdict.WARNING
    return verdict, f"Prometheus says {said.strip()!r}; {up} of {len(scraped)} targets are up"


def _grafana(target: VerifyTarget) -> Answer:
    said = target.grafana.health()
    return Verdict.OK, f"Grafana answers, its database is {said.database}"
