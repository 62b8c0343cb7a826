"""Whether more replicas would fit: on the nodes, into the namespace's quotas, and into the database's connections.

What is free on a node is what it has to give (allocatable) without what the pods on it ask for (requests), as the
scheduler counts. Sources: Kubernetes documentation, "Resource Management for Pods and Containers", "Resource
Quotas", "Taints and Tolerations". Not looked at: affinity, spreading and volumes, which are named where they count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.database_sessions import connection_budget
from opslib.settings import ReadSettings
from opslib.systems.kubernetes import ReadOnlyCluster
from opslib.systems.kubernetes_shapes import Node, Pod, PodSpec
from opslib.systems.kubernetes_workloads import Quota
from opslib.systems.target import ReadTarget

Which = Literal["api", "worker"]
"""The deployments that are scaled: their names stand in the target's description."""
NOWHERE = "(no node)"
WAITING = "(waiting already)"
RESOURCES = ("cpu", "memory", "pods")


@dataclass(frozen=True)
class Wish:
    """So many more pods of one sort."""

    name: str
    spec: PodSpec
    pods: int


@dataclass
class Room:
    """What is left on one node; ``why`` no pod comes there, if none does."""

    node: Node
    free: dict[str, float]
    why: str = ""
    planned: Counter[str] = field(default_factory=Counter)

    def lacks(self, spec: PodSpec) -> str:
        """Return what this node lacks for one more such pod, or nothing."""
        if self.why:
            return self.why
        if any(self.node.meta.labels.get(key) != value for key, value in spec.node_labels.items()):
            return "another nodeSelector"
        for taint in self.node.spec.taints:
            if taint.effect != "PreferNoSchedule" and not any(one.allows(taint) for one in spec.tolerations):
                return f"taint {taint.key}"
        for what in ("cpu", "memory"):
            if (spec.asks(what) or 0.0) > self.free[what] + 1e-9:
                return what
        return "" if self.free["pods"] >= 1 else "pods"

    def take(self, name: str, spec: PodSpec) -> None:
        """Put one such pod here."""
        self.planned[name] += 1
        for what in ("cpu", "memory"):
            self.free[what] -= spec.asks(what) or 0.0
        self.free["pods"] -= 1


def rooms(nodes: Iterable[Node], pods: Sequence[Pod]) -> list[Room]:
    """Return what is left on each node beside the pods that are there."""
    found = []
    for node in nodes:
        here = [pod for pod in pods if pod.spec.node == node.name and not pod.over]
        free = {what: node.status.allocatable.get(what, 0.0) for what in RESOURCES}
        for pod in here:
            free["cpu"] -= pod.spec.asks("cpu") or 0.0
            free["memory"] -= pod.spec.asks("memory") or 0.0
            free["pods"] -= 1
        why = "cordoned" if node.spec.unschedulable else "" if node.condition("Ready") == "True" else "not ready"
        found.append(Room(node, free, why))
    return found


def place(found: Sequence[Room], wishes: Iterable[Wish]) -> list[tuple[Wish, int, str]]:
    """Put the wishes on the nodes, each pod where most cpu is free; returns what is left over, and for want of what."""
    left = []
    for wish in wishes:
        if wish.pods and wish.spec.asks("cpu") is None and wish.spec.asks("memory") is None:
            left.append((wish, wish.pods, "requests: it says neither cpu nor memory, so nobody can count"))
            continue
        for number in range(wish.pods):
            lacking = {room.node.name: room.lacks(wish.spec) for room in found}
            fitting = [room for room in found if not lacking[room.node.name]]
            if not fitting:
                left.append((wish, wish.pods - number, ", ".join(sorted(set(lacking.values()))) or "any node"))
                break
            max(fitting, key=lambda room: room.free["cpu"]).take(wish.name, wish.spec)
    return left


def name_of(settings: ReadSettings, which: Which) -> str:
    """Return the deployment's name in this target's description."""
    return settings.api_deployment if which == "api" else settings.worker_deployment


def wished(cluster: ReadOnlyCluster, pods: Sequence[Pod], name: str, replicas: int) -> Wish:
    """Return what ``replicas`` of a deployment need beside its pods that have a node already."""
    deployment = cluster.deployment(name)
    placed = [
        pod
        for pod in pods
        if pod.meta.namespace == cluster.namespace
        and pod.spec.node
        and not pod.over
        and deployment.spec.selector.fits(pod.meta.labels)
    ]
    return Wish(name, deployment.spec.template.spec, max(0, replicas - len(placed)))


def waiting(pods: Iterable[Pod], wishes: Sequence[str], cluster: ReadOnlyCluster) -> list[Wish]:
    """Return a wish for each pod of somebody else that waits for a node: it comes first."""
    own = [cluster.deployment(name).spec.selector for name in wishes]
    return [
        Wish(WAITING, pod.spec, 1)
        for pod in pods
        if not pod.spec.node
        and not pod.over
        and not (pod.meta.namespace == cluster.namespace and any(one.fits(pod.meta.labels) for one in own))
    ]


def room_rows(cluster: ReadOnlyCluster, wanted: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return one row a node with what is asked for, planned and left; then one for each wish that finds no node."""
    pods = cluster.pods(everywhere=True)
    found = rooms(cluster.nodes(), pods)
    before = {room.node.name: dict(room.free) for room in found}
    wishes = [wished(cluster, pods, name, replicas) for name, replicas in wanted.items()]
    left = place(found, [*waiting(pods, list(wanted), cluster), *wishes])
    rows = [_row(room, before[room.node.name]) for room in found]
    odd = sorted({word for wish in wishes for word in _not_looked_at(wish.spec)})
    for row in rows:
        row["not_looked_at"] = ", ".join(odd)
    return rows + [
        {
            **dict.fromkeys(rows[0] if rows else ("planned",)),
            "node": NOWHERE,
            "planned": wish.name,
            "pods_planned": count,
        }
        | {"state": f"lacks {why}"}
        for wish, count, why in left
    ]


def _row(room: Room, before: Mapping[str, float]) -> dict[str, Any]:
    has = room.node.status.allocatable
    return {
        "node": room.node.name,
        "state": room.why or "takes pods",
        "planned": ", ".join(f"{name} {count}" for name, count in room.planned.items()),
        "pods_planned": sum(room.planned.values()),
        "cpu": has.get("cpu", 0.0),
        "cpu_requested": round(has.get("cpu", 0.0) - before["cpu"], 3),
        "cpu_planned": round(before["cpu"] - room.free["cpu"], 3),
        "cpu_left": round(room.free["cpu"], 3),
        "memory": has.get("memory", 0.0),
        "memory_requested": round(has.get("memory", 0.0) - before["memory"]),
        "memory_planned": round(before["memory"] - room.free["memory"]),
        "memory_left": round(room.free["memory"]),
        "pods_left": int(room.free["pods"]),
    }


def _not_looked_at(spec: PodSpec) -> list[str]:
    said = [word for word in ("nodeAffinity", "podAffinity", "podAntiAffinity") if word in spec.affinity]
    return said + (["topologySpreadConstraints"] if spec.spread else [])


def quota_rows(quotas: Iterable[Quota], wishes: Sequence[Wish]) -> list[dict[str, Any]]:
    """Return one row for each figure that a quota bounds, with what the wishes would add."""
    rows = []
    for quota in quotas:
        for what, hard in quota.status.hard.items():
            used = quota.status.used.get(what, 0.0)
            more = sum(_more(what, wish) for wish in wishes)
            row = {"quota": quota.name, "of": what, "hard": hard, "used": used, "planned": more}
            scoped = bool(quota.spec.scopes or quota.spec.selector)
            rows.append({**row, "left": round(hard - used - more, 9), "counts_some_pods_only": scoped})
    return rows


def _more(what: str, wish: Wish) -> float:
    if what in ("pods", "count/pods"):
        return float(wish.pods)
    kind, _, name = what.rpartition(".")
    if name in ("cpu", "memory") and kind in ("", "requests", "limits"):
        return wish.pods * (wish.spec.asks(name, limits=kind == "limits") or 0.0)
    return 0.0


def connection_rows(target: ReadTarget, wanted: Mapping[str, int], each: int) -> list[dict[str, Any]]:
    """Return the server's and this database's connection limit, with what so many replicas may come to hold.

    ``wanted`` is the replicas by deployment, ``each`` the connections that one of them opens. Pools fill as they are
    used, so what is open now says little of the replicas that run: all of their pools count, or what is in use and
    the pools of those that are added, whichever is more. ``planned`` is that without what is in use.
    """
    added = each * sum(max(0, count - target.cluster.deployment(name).spec.replicas) for name, count in wanted.items())
    own = ("server", f"database {target.settings.read_database_url.path}")
    rows = []
    for row in connection_budget.read(target):
        if row["budget"] not in own:
            continue
        total = max(row["used"] + added, each * sum(wanted.values()))
        rows.append(
            {
                **{key: row[key] for key in ("budget", "slots", "reserved", "usable", "used")},
                "added": added,
                "planned": total - row["used"],
                "left": row["usable"] - total,
                "percent": round(100 * total / max(1, row["usable"]), 1),
            }
        )
    return rows


def _wanted(settings: ReadSettings, api: int, worker: int) -> dict[str, int]:
    both: tuple[tuple[Which, int], ...] = (("api", api), ("worker", worker))
    return {name_of(settings, which): replicas for which, replicas in both if replicas}


def room(api: int, worker: int) -> Probe:
    """Each node with what is on it, and where so many replicas of both deployments would go; 0: as it is."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        rows = room_rows(target.cluster, _wanted(target.settings, api, worker))
        if not rows:
            raise Unreachable("The cluster shows no node.", "Let the token's account list nodes.", "forbidden")
        return rows

    return Probe(
        name="cluster-room",
        title=f"Room on the nodes for {api} and {worker} replicas",
        read=read,
        source="GET nodes · GET pods of all namespaces: allocatable less requests",
        units=dict.fromkeys(("memory", "memory_requested", "memory_planned", "memory_left"), "bytes"),
    )


def quota(api: int, worker: int) -> Probe:
    """What the namespace's quotas bound, with what so many replicas would add; no rows: no quota."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        pods, wanted = target.cluster.pods(), _wanted(target.settings, api, worker)
        wishes = [wished(target.cluster, pods, name, replicas) for name, replicas in wanted.items()]
        return quota_rows(target.cluster.quotas(), wishes)

    return Probe(
        name="cluster-quota",
        title=f"Quota of the namespace for {api} and {worker} replicas",
        read=read,
        source="GET resourcequotas",
    )


def connections(api: int, worker: int, each: int) -> Probe:
    """The database's connections with so many replicas of both deployments, each with a pool of ``each``."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return connection_rows(target, _wanted(target.settings, api, worker), each)

    return Probe(
        name="cluster-connections",
        title=f"Database connections with {api} and {worker} replicas",
        read=read,
        source=f"GET deployments · {connection_budget.source}",
        units={"percent": "%"},
    )
