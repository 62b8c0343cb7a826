"""How many replicas a deployment is to have: the bounds of its autoscaler, or its own number where it has none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opslib.actions.base import Progress
from opslib.errors import Refused, Unreachable
from opslib.systems.kubernetes import ReadOnlyCluster
from opslib.systems.kubernetes_workloads import Autoscaler, Deployment
from opslib.systems.target import WriteTarget

TRIES = 5
"""How often bounds are set anew because the object's version moved: an autoscaler reports on it every 15 s."""
LONGEST_PAUSE = 2.0


@dataclass(frozen=True)
class Sized:
    """A deployment and the autoscaler that sizes it, if one does, as they stand."""

    deployment: Deployment
    autoscaler: Autoscaler | None

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the most replicas; the same number twice where there is no autoscaler."""
        if self.autoscaler is None:
            return self.deployment.spec.replicas, self.deployment.spec.replicas
        return self.autoscaler.spec.low, self.autoscaler.spec.high

    @property
    def identity(self) -> dict[str, str | None]:
        """Who they are, whatever their versions."""
        return {
            "deployment": self.deployment.meta.uid,
            "autoscaler": self.autoscaler.meta.uid if self.autoscaler else None,
        }

    @property
    def ready(self) -> bool:
        """Whether its number is within its bounds, and all of it is available."""
        low, high = self.bounds
        return low <= self.deployment.spec.replicas <= high and self.deployment.done

    def said(self, bounds: tuple[int, int]) -> dict[str, Any]:
        """Return bounds as a plan says them."""
        whole = {"deployment": self.deployment.name}
        if self.autoscaler is None:
            return {**whole, "sized by": "nobody", "replicas": bounds[0]}
        return {**whole, "sized by": f"autoscaler {self.autoscaler.name}", "at least": bounds[0], "at most": bounds[1]}


def look(cluster: ReadOnlyCluster, name: str) -> Sized:
    """Return the deployment as it is sized now; raises Refused where several autoscalers fight for it."""
    found = cluster.autoscalers_of(name)
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise Refused(f"{len(found)} autoscalers size {name}: {names}.", "Remove all but one; they undo each other.")
    return Sized(cluster.deployment(name), found[0] if found else None)


def bounds_of(said: Mapping[str, Any]) -> tuple[int, int]:
    """Return what :meth:`Sized.said` said."""
    if "replicas" in said:
        return int(said["replicas"]), int(said["replicas"])
    return int(said["at least"]), int(said["at most"])


def put(
    target: WriteTarget, name: str, identity: Mapping[str, Any], known: tuple[int, int], wanted: tuple[int, int]
) -> None:
    """Set ``wanted`` where ``known`` stands; raises Refused, with nothing changed, where anything else does."""
    for _ in range(TRIES):
        now = look(target.cluster, name)
        if now.identity != {key: identity[key] for key in now.identity}:
            raise Refused(f"{name} or its autoscaler was made anew since.", "Plan again.")
        if now.bounds == wanted:
            return
        if now.bounds != known:
            raise Refused(
                f"{name} is {_words(now.bounds)} by now, not {_words(known)}.", "See who else sets it; plan again."
            )
        try:
            if now.autoscaler is None:
                target.cluster_writer.scale(name, wanted[0], now.deployment.meta.version)
            else:
                target.cluster_writer.bound(now.autoscaler.name, *wanted, now.autoscaler.meta.version)
            return
        except Unreachable as error:
            # Somebody wrote to it since it was read; most often its own controller, which leaves bounds alone.
            if error.kind != "conflict":
                raise
    raise Refused(
        f"{name} is written to all the time: {TRIES} tries found another version.", "Look who does; plan again."
    )


def wait(cluster: ReadOnlyCluster, name: str, seconds: float, progress: Progress | None = None) -> tuple[Sized, bool]:
    """Wait until all replicas are available; returns how it stands then, and whether it came to it in time."""
    until, pause = time.monotonic() + seconds, 0.1
    while True:
        now = look(cluster, name)
        if now.ready:
            return now, True
        if time.monotonic() >= until:
            return now, False
        if progress is not None:
            wanted = max(now.bounds[0], min(now.deployment.spec.replicas, now.bounds[1]))
            available = now.deployment.status.available
            progress(f"{name}: {available} of {wanted} available", min(available, wanted), wanted)
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.5)


def _words(bounds: tuple[int, int]) -> str:
    return f"{bounds[0]} replicas" if bounds[0] == bounds[1] else f"{bounds[0]} to {bounds[1]} replicas"
