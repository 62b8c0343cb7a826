"""Which logs a deployment's pods have, and what Kubernetes itself has not kept of them.

Source: Kubernetes documentation, "Logging Architecture" (what the kubelet keeps), "Pod Lifecycle" (container states).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from opslib.actions.security_logs_files import Kind, Log, Writing
from opslib.systems.kubernetes_shapes import Container, ContainerStatus, Pod
from opslib.systems.kubernetes_workloads import Deployment
from opslib.systems.target import ReadTarget

NO_LOG = "Kubernetes has no such log"
"""How a gap begins that nobody can fill."""
QUIET = timedelta(minutes=10)
"""A log that begins later than this after its container, or the window, may have lost its beginning."""


def pods_of(target: ReadTarget, deployment: Deployment) -> list[Pod]:
    """Return every pod that the deployment's selector fits, also those that have ended."""
    return [pod for pod in target.cluster.pods() if deployment.spec.selector.fits(pod.meta.labels)]


def wanted(pod: Pod) -> Iterator[tuple[Container, ContainerStatus | None, Kind]]:
    """Yield each log of a pod: of each container now, and before its last restart where it had one."""
    for container, status in pod.containers:
        yield container, status, "now"
        if status and status.restarts and status.state.waiting is None:
            yield container, status, "before its last restart"


def begun(deployment: Deployment, pod: Pod, container: Container, status: ContainerStatus | None, kind: Kind) -> Log:
    """Return what is known of a log before a line of it is read."""
    now_ = (status.state.running or status.state.terminated or status.last.terminated) if status else None
    state = now_ if kind == "now" or status is None else status.last.terminated
    return Log(
        pod=pod.name,
        uid=pod.meta.uid,
        deployment=deployment.name,
        node=pod.spec.node or "none",
        container=container.name,
        image=container.image,
        digest=status.digest if status else "",
        kind=kind,
        restarts=status.restarts if status else 0,
        began=state.started if state else None,
    )


def never_ran(status: ContainerStatus | None) -> bool:
    """Tell whether a container has not been started yet, so that it has no log."""
    return status is None or (not status.restarts and status.state.running is None and status.state.terminated is None)


def limit_of(log: Log, status: ContainerStatus | None, writing: Writing, since: datetime) -> str:
    """Return what of a log nobody can have any more, as far as it shows."""
    said = []
    if log.kind == "now" and log.restarts > 1:
        said.append(f"it ended {log.restarts} times, and Kubernetes keeps the log of the last end only")
    ended = status.last.terminated.finished if status and status.last.terminated else None
    if log.kind != "now" and ended and ended < since:
        return "it ended before the window"
    begin = max(since, log.began or since)
    if writing.first is None:
        said.append(f"no line since {begin:%Y-%m-%d %H:%M} UTC: quiet, or rotated away")
    elif writing.first > begin + QUIET:
        when = f"{writing.first:%Y-%m-%d %H:%M} UTC"
        said.append(f"nothing before {when}, though {begin:%Y-%m-%d %H:%M} was asked for: quiet, or rotated away")
    return "; ".join(said)


def vanished(pod: str) -> Log:
    """Return the record of a pod that was seen when the step was planned, and whose logs nobody can have any more."""
    nothing = dict.fromkeys(("uid", "deployment", "node", "container", "image", "digest"), "unknown")
    gap = "the pod was there when the step was planned, and was gone when its logs were asked for"
    return Log(pod=pod, kind="now", restarts=0, began=None, gap=gap, **nothing)
