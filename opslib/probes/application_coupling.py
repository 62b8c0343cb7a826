"""What the cluster asks before it restarts a pod or takes it out of service, and whether others can bring that about.

A liveness probe whose answer depends on a database or on a vendor restarts every pod when that is away.
"""

from __future__ import annotations

from typing import Any

from opslib.errors import OpsError
from opslib.model import Probe
from opslib.probes.application_health import ask
from opslib.systems.kubernetes_shapes import Container, PodProbe
from opslib.systems.target import ReadTarget

DEPENDING = ("/health", "/health/ready", "/health/dependencies", "/ready")
"""Routes that look at dependencies in the product's sources, where the API itself cannot be asked."""


def _read(target: ReadTarget) -> list[dict[str, Any]]:
    deployment = target.cluster.deployment(target.settings.api_deployment)
    rows = []
    for container in deployment.spec.template.spec.containers:
        for what, probe in _probes(container):
            rows.append({"container": container.name, "what": what, **_row(target, what, probe)})
    return rows


def _probes(container: Container) -> list[tuple[str, PodProbe | None]]:
    return [("liveness", container.liveness), ("readiness", container.readiness)]


def _row(target: ReadTarget, what: str, probe: PodProbe | None) -> dict[str, Any]:
    if probe is None:
        return {"asks": "nothing", "depends_on": [], "seen": "", "fails_after": None}
    if probe.get is None:
        return {"asks": "a command or a port", "depends_on": [], "seen": "", "fails_after": probe.seconds}
    path = probe.get.path
    depends, seen = _depends(target, path, what)
    return {"asks": f"GET {path}", "depends_on": depends, "seen": seen, "fails_after": probe.seconds}


def _depends(target: ReadTarget, path: str, what: str) -> tuple[list[str], str]:
    known = ["its dependencies"] if path in DEPENDING else []
    if what != "liveness":
        return known, "by the product's sources"
    try:
        said = ask(target, path)
    except OpsError as error:
        return known, f"by the product's sources; the API itself was not asked: {error.message}"
    if said["route"] != "there":
        return known, f"by the product's sources; the API answers {said['status']} there"
    return sorted(said["parts"]), f"the API's own answer ({said['status']})"


coupling = Probe(
    "application-coupling",
    "What the cluster asks the API's pods, and what their answers depend on",
    _read,
    source="GET /apis/apps/v1/namespaces/NAMESPACE/deployments/API, then the liveness probe's path",
    units={"fails_after": "s"},
)
"""A row for the liveness and one for the readiness of each container."""
