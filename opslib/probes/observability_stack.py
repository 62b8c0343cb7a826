"""Whether Prometheus, Alertmanager, Grafana and Jaeger answer, and how each thing that is scraped is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from opslib.errors import OpsError
from opslib.model import Probe
from opslib.probes.application_fresh import interval
from opslib.probes.cluster_standing import Recovered, home, look, name_of
from opslib.systems.target import ReadTarget

NOT_DESCRIBED = "not described"


def _prometheus(target: ReadTarget) -> tuple[str, int]:
    return target.prometheus.ready(), len(target.prometheus.targets())


def _alertmanager(target: ReadTarget) -> tuple[str, int]:
    return "its configuration can be read", len(target.alertmanager.routing().receivers)


def _grafana(target: ReadTarget) -> tuple[str, int]:
    said = target.grafana.health()
    return f"version {said.version}, database {said.database}", 1


def _jaeger(target: ReadTarget) -> tuple[str, int]:
    named = target.jaeger.services()
    return f"services that trace: {', '.join(named[:10]) or 'none'}", len(named)


PARTS: tuple[tuple[str, str, Callable[[ReadTarget], tuple[str, int]]], ...] = (
    ("Prometheus", "prometheus_url", _prometheus),
    ("Alertmanager", "alertmanager_url", _alertmanager),
    ("Grafana", "grafana_url", _grafana),
    ("Jaeger", "jaeger_url", _jaeger),
)


RUNS: dict[str, Recovered] = {"Prometheus": "prometheus", "Grafana": "grafana"}
"""Parts that can be brought back where the cluster runs them."""


def _stack(target: ReadTarget) -> list[dict[str, Any]]:
    rows = []
    for name, field, ask in PARTS:
        address = getattr(target.settings, field)
        row: dict[str, Any] = {"part": name, "address": address or "", "state": "answers", "says": "", "things": 0}
        row["runs"] = ""
        if address is None:
            row["state"] = NOT_DESCRIBED
        else:
            try:
                row["says"], row["things"] = ask(target)
            except OpsError as error:
                # One that is away says nothing of the others.
                row["runs"] = _runs(target, name)
                # What the cluster runs is no vendor's: its own words on whom to ask would lead elsewhere.
                row["state"], row["says"] = "fails", error.message if row["runs"] else str(error)
        rows.append(row)
    return rows


def _runs(target: ReadTarget, part: str) -> str:
    """Return how the deployment of a part stands, in words; nothing where the cluster does not run it or say so."""
    which = RUNS.get(part)
    if which is None or target.settings.observability_namespace is None:
        return ""
    try:
        found = look(home(target, which), name_of(target.settings, which))
    except OpsError:
        return ""
    said = found.deployment
    if said.spec.replicas == 0:
        return f"the deployment {said.name} is scaled to 0"
    newest = found.current if found.template_is_broken else None
    more = f", revision {newest.revision} lets no pod start" if newest else ""
    return f"{said.status.available} of {said.spec.replicas} replicas of {said.name} are available{more}"


stack = Probe(
    "observability-stack",
    "The parts of the observability stack",
    _stack,
    source="GET Prometheus /-/ready · Alertmanager /api/v2/status · Grafana /api/health · Jaeger /api/v3/services",
)
"""A row a part. ``things``: targets, receivers, 1, services that send traces; ``runs``: how its deployment stands."""


def _targets(target: ReadTarget) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    rows = []
    for one in target.prometheus.targets():
        every = interval(one.interval)
        age = _age(one.scraped, now)
        rows.append(
            {
                "job": one.labels.get("job", one.pool),
                "instance": one.labels.get("instance", "?"),
                "health": one.health,
                "age": age,
                "interval": every,
                "missed": None if age is None else round(age / every, 1),
                "why": one.error,
            }
        )
    return sorted(rows, key=lambda row: (row["health"] == "up", row["job"], row["instance"]))


def _age(text: str, now: datetime) -> float | None:
    """Return the seconds since a moment; None for one that was never (Prometheus says the year 1)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None if moment.year < 2000 else round(max(0.0, (now - moment).total_seconds()), 1)


targets = Probe(
    "observability-targets",
    "What is scraped, and when it was last",
    _targets,
    source="GET /api/v1/targets?state=active",
    units={"age": "s", "interval": "s"},
)
"""A row a target, those that are not up first. Ages are by this machine's clock."""
