"""Checks of the cluster: room for more replicas, autoscalers, budgets, rollouts, pods, and what is used.

The guide names no limits for the cluster but those of CPU and memory in its alerts; the others say where they come
from.
"""

from __future__ import annotations

from opslib.checks.cluster_objects import images, named, warnings
from opslib.checks.cluster_room import connections, quota, room
from opslib.checks.cluster_standing import standing
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import cluster as probes

__all__ = [
    "autoscalers",
    "connections",
    "disruption_budgets",
    "images",
    "named",
    "node_use",
    "pod_use",
    "pods",
    "quota",
    "rollouts",
    "room",
    "standing",
    "warnings",
]

USE = threshold("cluster-use")
RESTARTS = 5
BROKEN = frozenset(
    {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "Unschedulable", "Failed"}
)
"""States that do not end by waiting."""

Found = list[tuple[Verdict, str]]


def _judged(found: Found, fine: str, reading: Reading, value: float | None = None) -> Judgement:
    """Return the worst of what was found, with all of it in one sentence."""
    if not found:
        return Judgement(Verdict.OK, f"{fine}.", value, reading.rows)
    ordered = sorted(found, key=lambda one: -list(Verdict).index(one[0]))
    more = f"; and {len(ordered) - 4} more" if len(ordered) > 4 else ""
    return Judgement(ordered[0][0], "; ".join(text for _, text in ordered[:4]) + more + ".", value, reading.rows)


def _judge_autoscalers(reading: Reading) -> Judgement:
    found: Found = []
    for row in reading.rows:
        name = row["autoscaler"]
        if row["active"] != "True":
            verdict = Verdict.CRITICAL if "ScalingDisabled" in row["why"] else Verdict.WARNING
            found.append((verdict, f"{name} does not scale ({row['why'] or 'it does not say why'})"))
        elif row["replicas"] >= row["high"]:
            over = row["use"] is not None and row["target"] is not None and row["use"] > row["target"]
            said = f"{name} is at its upper bound {row['high']}"
            use = f" and at {row['use']:g} % of a target of {row['target']:g} %" if over else ""
            found.append((Verdict.CRITICAL if over else Verdict.WARNING, said + use))
    fine = f"{len(reading.rows)} autoscalers scale, none at its upper bound" if reading.rows else "no autoscaler"
    return _judged(found, fine, reading)


autoscalers = Check(
    name="cluster-autoscalers",
    title="Autoscalers see their figures and have room above",
    probe=probes.autoscalers,
    judge=_judge_autoscalers,
    remedy=(
        "At the upper bound: raise it by runbooks/scale-for-high-traffic, which looks for room first. Figures not "
        "known: look at metrics-server; the bounds hold without it. Off at 0 replicas: disaster/recover-everything."
    ),
)
"""At its upper bound is a WARNING, and CRITICAL where the use is above the target; blind is a WARNING."""


def _judge_budgets(reading: Reading) -> Judgement:
    found: Found = []
    for row in reading.rows:
        if row["replicas"] < 2:
            continue
        if row["budget"] is None:
            found.append((Verdict.WARNING, f"{row['deployment']} has {row['replicas']} replicas and no budget"))
        elif not row["may_go"]:
            said = f"{row['budget']} lets no pod go ({row['healthy']} healthy, {row['wanted']} wanted)"
            found.append((Verdict.WARNING, said))
    return _judged(found, "every deployment of two or more has a budget that lets one go", reading)


disruption_budgets = Check(
    name="cluster-disruption-budgets",
    title="A node can be emptied without an outage",
    probe=probes.disruption_budgets,
    judge=_judge_budgets,
    remedy="Add a PodDisruptionBudget (minAvailable 50%) to the manifests. One that lets none go holds up every drain.",
)
"""Two or more replicas without a PodDisruptionBudget, or one that lets no pod go: WARNING."""


def _judge_rollouts(reading: Reading) -> Judgement:
    found: Found = []
    for row in reading.rows:
        said = f"{row['deployment']}: {row['available']} of {row['wanted']} available"
        if row["progress"].startswith("False") or (row["wanted"] and not row["available"]):
            found.append((Verdict.CRITICAL, f"{said} ({row['progress']})"))
        elif row["paused"]:
            found.append((Verdict.WARNING, f"{row['deployment']} is paused"))
        elif not row["seen"] or not row["wanted"] == row["there"] == row["new"] == row["available"]:
            found.append((Verdict.WARNING, f"{said}, {row['new']} of the newest template"))
    return _judged(found, f"{len(reading.rows)} deployments are as they are wanted", reading)


rollouts = Check(
    name="cluster-rollouts",
    title="Deployments are rolled out",
    probe=probes.rollouts,
    judge=_judge_rollouts,
    remedy="See in the pods what keeps them. A rollout of the API or of the workers that is stuck is taken back by "
    "disaster/recover-everything with services=api or worker.",
)
"""Under way is a WARNING; past its deadline, or nothing available, CRITICAL."""


def _judge_pods(reading: Reading) -> Judgement:
    found: Found = []
    for row in reading.rows:
        ended = f", last ended by {row['last_end']}" if row["last_end"] else ""
        if row["state"] in BROKEN:
            why = f" ({row['why']})" if row["why"] else ""
            found.append((Verdict.CRITICAL, f"{row['pod']}: {row['state']}{why}{ended}"))
        elif row["state"] != "ready":
            found.append((Verdict.WARNING, f"{row['pod']}: {row['state']}{ended}"))
        elif row["restarts"] > RESTARTS:
            found.append((Verdict.WARNING, f"{row['pod']}: {row['restarts']} restarts{ended}"))
    return _judged(found, f"{len(reading.rows)} pods are ready", reading, float(len(found)))


pods = Check(
    name="cluster-pods",
    title="Every pod is ready and stays up",
    probe=probes.pods,
    judge=_judge_pods,
    remedy=(
        "CrashLoopBackOff: kubectl logs --previous of that pod. OOMKilled (137): its memory limit is too low, or it "
        "leaks. Unschedulable: nodes are full; add one, or lower what is asked for. ImagePull: see tag and registry; "
        "runbooks/force-full-deployment builds it again. Since a deployment, or one that hangs: "
        "disaster/recover-everything with services=api or worker."
    ),
)
"""What does not end by waiting is CRITICAL; not ready yet, or more than five restarts, a WARNING."""


def _judge_nodes(reading: Reading) -> Judgement:
    found: Found = []
    worst = None
    for row in reading.rows:
        for what in ("cpu", "memory"):
            use = row[f"{what}_use"]
            if use is None:
                found.append((Verdict.UNKNOWN, f"{row['node']} is not measured"))
                break
            worst = max(worst or 0.0, use)
            if (verdict := USE.judge(use)) is not Verdict.OK:
                found.append((verdict, f"{row['node']} uses {use:g} % of its {what}"))
    return _judged(found, f"the busiest figure of {len(reading.rows)} nodes is {worst or 0:g} %", reading, worst)


node_use = Check(
    name="cluster-node-use",
    title="Nodes have cpu and memory left",
    probe=probes.node_use,
    judge=_judge_nodes,
    remedy="Add a node, or spread what is on it. Not measured: look at metrics-server.",
    threshold=USE,
    items=("RUN-SCL-06",),
)
"""Use of each node against what it has to give."""


def _judge_pod_use(reading: Reading) -> Judgement:
    found: Found = []
    worst = None
    for row in reading.rows:
        for what in ("cpu", "memory"):
            use = row[f"of_{what}_limit"]
            if use is None:
                continue
            worst = max(worst or 0.0, use)
            if (verdict := USE.judge(use)) is not Verdict.OK:
                found.append((verdict, f"{row['pod']} uses {use:g} % of its {what} limit"))
    if not reading.rows:
        found.append((Verdict.UNKNOWN, "no pod is measured"))
    fine = (
        "no pod has a limit"
        if worst is None
        else f"the busiest of {len(reading.rows)} pods uses {worst:g} % of a limit"
    )
    return _judged(found, fine, reading, worst)


pod_use = Check(
    name="cluster-pod-use",
    title="Pods have cpu and memory left",
    probe=probes.pod_use,
    judge=_judge_pod_use,
    remedy="At its cpu limit it is slowed, at its memory limit killed: raise the limit, or add replicas.",
    threshold=USE,
    items=("RUN-SCL-05",),
)
"""Use of each pod against its limits; what has no limit is not judged."""

DECISIVE = (pods, rollouts, node_use, autoscalers)
"""What tells most of the cluster without waiting, most telling first."""
