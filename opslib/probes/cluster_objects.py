"""Whether the cluster has what the guide's commands name, what it warned of, and which images run.

Sources: guide "Kubernetes" commands (deployments api-server and llm-worker, label app, kubectl top); Kubernetes API
description (core/v1 Event: kept for an hour; ContainerStatus.imageID: the digest that was pulled).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe, now
from opslib.systems.kubernetes_workloads import Event
from opslib.systems.target import ReadTarget

LABEL = "app"
"""The label by which the guide's commands choose pods."""


def _named(target: ReadTarget) -> list[dict[str, Any]]:
    known = {one.name: one for one in target.cluster.deployments()}
    wanted = (target.settings.api_deployment, target.settings.worker_deployment)
    rows = []
    for name in wanted:
        there = known.get(name)
        label = there.spec.selector.labels.get(LABEL) if there else None
        pods = len(target.cluster.pods(f"{LABEL}={name}")) if there else None
        rows.append({"what": f"deployment {name}", "there": there is not None, "label": label, "pods": pods})
    try:
        measured = len(target.cluster.node_use())
    except Unreachable as error:
        if error.kind not in ("missing", "broken"):
            raise
        measured = 0
    return [*rows, {"what": "metrics-server", "there": measured > 0, "label": None, "pods": None}]


named = Probe(
    name="cluster-named",
    title="What the guide's commands name",
    read=_named,
    source="GET deployments · GET pods?labelSelector=app=NAME · GET nodes of metrics.k8s.io",
)
"""A row per deployment of the description (``label``: its selector's app; ``pods``: chosen by it), one for metrics."""


def warnings(minutes: float = 60.0) -> Probe:
    """Return the probe of warnings of the last ``minutes``, the same of all pods of an owner counted together."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        since = now() - timedelta(minutes=minutes)
        found: dict[tuple[str, str, str], list[tuple[datetime, Event]]] = defaultdict(list)
        owners = {pod.name: pod.meta.labels.get(LABEL, pod.name) for pod in target.cluster.pods()}
        for event in target.cluster.warnings():
            if event.last is not None and event.last >= since:
                about = owners.get(event.about.name, event.about.name)
                found[event.about.kind, about, event.reason].append((event.last, event))
        rows = []
        for (kind, name, reason), told in found.items():
            last, newest = max(told, key=lambda one: one[0])
            row = {"about": f"{kind} {name}", "reason": reason, "count": sum(event.count for _, event in told)}
            rows.append(row | {"last": last.isoformat(), "message": newest.message})
        return sorted(rows, key=lambda row: str(row["last"]), reverse=True)

    return Probe(
        name="cluster-warnings",
        title=f"Warnings of the last {minutes:g} minutes",
        read=read,
        source="GET events?fieldSelector=type=Warning",
    )


def _images(target: ReadTarget) -> list[dict[str, Any]]:
    pods, rows = target.cluster.pods(), []
    for one in target.cluster.deployments():
        own = [pod for pod in pods if one.spec.selector.fits(pod.meta.labels) and pod.status.phase == "Running"]
        for container in one.spec.template.spec.containers:
            running = [(said, status) for pod in own for said, status in pod.containers if said.name == container.name]
            same = [status for said, status in running if status and said.image == container.image]
            digests = {status.digest.rpartition("@")[2] for status in same}
            others = {said.image for said, _ in running} - {container.image}
            rows.append(
                {
                    "deployment": one.name,
                    "container": container.name,
                    "image": container.image,
                    "pinned": "@sha256:" in container.image,
                    "digests": len(digests - {""}),
                    "others": ", ".join(sorted(others)),
                }
            )
    return rows


images = Probe(
    name="cluster-images",
    title="Images that run, and images that should",
    read=_images,
    source="GET deployments · GET pods (imageID)",
)
"""A row per container: how many digests run under its image's name, and which other images run in its place."""
