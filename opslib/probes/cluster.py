"""What the cluster says of the product's namespace: autoscalers, budgets, rollouts, pods, and what they use.

Whether more replicas would fit is in :mod:`opslib.probes.cluster_room`, who may reach the pods in
:mod:`opslib.probes.cluster_ways`; both are offered here too. Sources: Kubernetes
API description; metrics.k8s.io.
"""

from __future__ import annotations

from typing import Any

from opslib.model import Probe
from opslib.probes.cluster_objects import images, named, warnings
from opslib.probes.cluster_room import connections, quota, room
from opslib.probes.cluster_standing import history, standing
from opslib.probes.cluster_states import state_of
from opslib.probes.cluster_ways import sources
from opslib.systems.kubernetes_workloads import Autoscaler, Budget
from opslib.systems.target import ReadTarget

__all__ = [
    "autoscalers",
    "connections",
    "disruption_budgets",
    "history",
    "images",
    "named",
    "node_use",
    "pod_use",
    "pods",
    "quota",
    "rollouts",
    "room",
    "sources",
    "standing",
    "state_of",
    "warnings",
]


def _percent(part: float, whole: float | None) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _autoscalers(target: ReadTarget) -> list[dict[str, Any]]:
    rows = []
    for one in target.cluster.autoscalers():
        conditions = {condition.type: condition for condition in one.status.conditions}
        active = conditions.get("ScalingActive")
        now, wanted = _figures(one)
        rows.append(
            {
                "autoscaler": one.name,
                "of": f"{one.spec.target.kind} {one.spec.target.name}",
                "low": one.spec.low,
                "high": one.spec.high,
                "replicas": one.status.current,
                "wants": one.status.desired,
                "use": now,
                "target": wanted,
                "active": active.status if active else "Unknown",
                "why": "" if active is None or active.status == "True" else f"{active.reason}: {active.message}",
            }
        )
    return rows


def _figures(one: Autoscaler) -> tuple[float | None, float | None]:
    """Return use and target of the resource that is furthest, in percent; None where it is no share, or not known."""
    targets = {
        said["resource"]["name"]: said["resource"].get("target", {}).get("averageUtilization")
        for said in one.spec.metrics
        if "resource" in said
    }
    uses = {
        said["resource"]["name"]: said["resource"].get("current", {}).get("averageUtilization")
        for said in one.status.metrics
        if "resource" in said
    }
    known = [(uses[name], wanted) for name, wanted in targets.items() if wanted and uses.get(name) is not None]
    if not known:
        return None, next(iter(targets.values()), None)
    return max(known, key=lambda pair: pair[0] / pair[1])


autoscalers = Probe(
    name="cluster-autoscalers",
    title="Autoscalers, their bounds and figures",
    read=_autoscalers,
    source="GET horizontalpodautoscalers (autoscaling/v2)",
    units={"use": "%", "target": "%"},
)
"""One row each; ``use`` is None where it is not measured."""


def _budgets(target: ReadTarget) -> list[dict[str, Any]]:
    known = target.cluster.budgets()
    rows = []
    for one in target.cluster.deployments():
        labels = one.spec.selector.labels
        own = [budget for budget in known if budget.spec.selector and budget.spec.selector.fits(labels)]
        covering: list[Budget | None] = [*own] or [None]
        for budget in covering:
            rows.append(
                {
                    "deployment": one.name,
                    "replicas": one.spec.replicas,
                    "budget": budget.name if budget else None,
                    "healthy": budget.status.healthy if budget else None,
                    "wanted": budget.status.wanted if budget else None,
                    "may_go": budget.status.allowed if budget else None,
                }
            )
    return rows


disruption_budgets = Probe(
    name="cluster-disruption-budgets",
    title="How many pods may go at once",
    read=_budgets,
    source="GET deployments · GET poddisruptionbudgets",
)
"""One row for each deployment and budget; ``budget`` is None where none covers it."""


def _rollouts(target: ReadTarget) -> list[dict[str, Any]]:
    rows = []
    for one in target.cluster.deployments():
        progress = next((said for said in one.status.conditions if said.type == "Progressing"), None)
        rows.append(
            {
                "deployment": one.name,
                "wanted": one.spec.replicas,
                "there": one.status.replicas,
                "new": one.status.updated,
                "available": one.status.available,
                "seen": one.status.observed >= one.meta.generation,
                "paused": one.spec.paused,
                "progress": f"{progress.status}: {progress.reason}" if progress else "not told",
            }
        )
    return rows


rollouts = Probe(
    name="cluster-rollouts",
    title="Deployments: wanted and available",
    read=_rollouts,
    source="GET deployments",
)
"""One row each; ``seen`` is whether the controller has looked since the last change."""


def _pods(target: ReadTarget) -> list[dict[str, Any]]:
    rows = []
    for pod in target.cluster.pods():
        if pod.status.phase == "Succeeded":
            continue
        state, why = state_of(pod)
        last = [one.last.terminated for one in pod.status.containers if one.last.terminated is not None]
        rows.append(
            {
                "pod": pod.name,
                "node": pod.spec.node or None,
                "state": state,
                "why": why,
                "restarts": sum(one.restarts for one in pod.status.containers),
                "last_end": f"{last[0].reason} ({last[0].code})" if last else None,
            }
        )
    return rows


pods = Probe(
    name="cluster-pods",
    title="Pods, and what keeps those that are not ready",
    read=_pods,
    source="GET pods",
)
"""One row each; ``last_end`` is how a container ended before its last restart, with its exit code."""


def _node_use(target: ReadTarget) -> list[dict[str, Any]]:
    uses = {one.meta.name: one.usage for one in target.cluster.node_use()}
    rows = []
    for node in target.cluster.nodes():
        has, used = node.status.allocatable, uses.get(node.name)
        cpu, memory = (used.get("cpu", 0.0), used.get("memory", 0.0)) if used else (None, None)
        row = {"node": node.name, "cpu": cpu, "memory": memory}
        row["cpu_use"] = None if cpu is None else _percent(cpu, has.get("cpu"))
        row["memory_use"] = None if memory is None else _percent(memory, has.get("memory"))
        rows.append(row)
    return rows


node_use = Probe(
    name="cluster-node-use",
    title="What the nodes use now",
    read=_node_use,
    source="GET nodes of metrics.k8s.io (kubectl top nodes)",
    units={"memory": "bytes", "cpu_use": "%", "memory_use": "%"},
)
"""Use against what a node has to give; None for a node that is not measured."""


def _pod_use(target: ReadTarget) -> list[dict[str, Any]]:
    specs = {pod.name: pod.spec for pod in target.cluster.pods()}
    rows = []
    for one in target.cluster.pod_use():
        spec = specs.get(one.meta.name)
        if spec is None:
            continue
        cpu, memory = one.sum("cpu"), one.sum("memory")
        rows.append(
            {
                "pod": one.meta.name,
                "cpu": round(cpu, 3),
                "memory": memory,
                "of_requested_cpu": _percent(cpu, spec.asks("cpu")),
                "of_cpu_limit": _percent(cpu, spec.asks("cpu", limits=True)),
                "of_memory_limit": _percent(memory, spec.asks("memory", limits=True)),
            }
        )
    return sorted(rows, key=lambda row: -(row["of_cpu_limit"] or 0))


pod_use = Probe(
    name="cluster-pod-use",
    title="What the pods use now",
    read=_pod_use,
    source="GET pods of metrics.k8s.io (kubectl top pods)",
    units={"memory": "bytes", **dict.fromkeys(("of_requested_cpu", "of_cpu_limit", "of_memory_limit"), "%")},
)
"""Use against requests and limits, the busiest first."""
