"""What a pod's status means, in one word."""

from __future__ import annotations

from opslib.systems.kubernetes_shapes import Pod


def state_of(pod: Pod) -> tuple[str, str]:
    """Return a pod's state in one word, and why it is so: ready, starting, or what keeps it."""
    if pod.ready:
        return "ready", ""
    for one in pod.status.containers:
        if one.state.waiting is not None and one.state.waiting.reason not in ("", "ContainerCreating"):
            return one.state.waiting.reason, one.state.waiting.message
    for condition in pod.status.conditions:
        if (condition.type, condition.status) == ("PodScheduled", "False"):
            return condition.reason or "Unschedulable", condition.message
    if pod.status.phase == "Failed":
        return pod.status.reason or "Failed", ""
    return "starting" if pod.spec.node else "waits for a node", ""
