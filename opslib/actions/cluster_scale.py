"""More, or fewer, replicas of a deployment, where there is room for them, without a fight with its autoscaler."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.cluster_bounds import Sized, bounds_of, look, put, wait
from opslib.errors import Refused
from opslib.guide.thresholds import threshold
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.probes.cluster import state_of
from opslib.probes.cluster_room import (
    NOWHERE,
    Which,
    connection_rows,
    name_of,
    quota_rows,
    room_rows,
    wished,
)
from opslib.systems.kubernetes_shapes import Pod
from opslib.systems.target import PlanTarget, ReadTarget, VerifyTarget, WriteTarget

CONNECTION_USE = threshold("connection-use")

STUCK = frozenset({"Unschedulable", "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "Failed"})
"""States of a pod that do not end by waiting."""
PAUSE_SECONDS = 1.0


class ScaleDeployment(Action):
    """Sets the least number of ``replicas`` of a deployment: by its autoscaler's bounds, else by its own number.

    ``at_most`` is the autoscaler's upper bound; 0 leaves it, unless it is below ``replicas``. What one replica
    opens on the database is ``connections_each``; 0: it does not use it.
    """

    name: ClassVar[str] = "scale-deployment"
    title: ClassVar[str] = "Scale a deployment"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "cluster"
    most: ClassVar[int] = 20
    seconds: ClassVar[float] = 4500.0
    items: ClassVar[tuple[str, ...]] = ("RUN-SCL-01", "RUN-SCL-02")
    guide: ClassVar[str] = "kubectl scale deployment/api-server --replicas=10"
    reason: ClassVar[str] = (
        "An autoscaler undoes kubectl scale within seconds, so its bounds are set instead (GH-32). Whether ten "
        "replicas find nodes, quota and database connections is looked at before, not found out by Pending pods. The "
        "way back down, which the guide lacks, is the undo, or another run with lower figures (GH-33)."
    )

    which: Which
    replicas: int = Field(ge=1, le=200)
    at_most: int = Field(default=0, ge=0, le=500)
    connections_each: int = Field(default=10, ge=0, le=1000)
    wait_seconds: float = Field(default=600.0, ge=1, le=3600)
    settle_seconds: float = Field(default=45.0, ge=0, le=600)

    def plan(self, target: PlanTarget) -> Plan:
        """Look at bounds, nodes, quota and connections; raises Refused, with figures, for what does not fit."""
        name = name_of(target.settings, self.which)
        now = look(target.cluster, name)
        before, after = now.bounds, self._after(now)
        needed = max(after[0], after[1] if after[1] > before[1] else 0)
        seen = self._fits(target, name, needed)
        spec = now.deployment.spec.template.spec
        moves = max(abs(after[0] - before[0]), abs(after[1] - before[1]))
        sized = "the autoscaler's bounds" if now.autoscaler else "the number of replicas"
        return self.planned(
            before=now.said(before),
            after=now.said(after),
            touches=moves,
            touched="replicas by which a bound moves",
            verification=f"{sized.capitalize()} are as planned and stay so for {self.settle_seconds:g} s, and as many "
            "replicas are available as are wanted, none of them waiting for a node.",
            undo=f"{sized.capitalize()} of before are set again. An autoscaler takes replicas away by itself, as the "
            "load allows, five minutes later if nobody set it otherwise.",
            fingerprint={**now.identity, "one asks for": {what: spec.asks(what) for what in ("cpu", "memory")}},
            observed={"replicas now": now.deployment.spec.replicas, "room is looked at for": needed, **seen},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Set them, by the version that was read; then wait until the replicas are there, or time is up."""
        name, started = str(plan.after["deployment"]), time.monotonic()
        put(target, name, plan.fingerprint, bounds_of(plan.before), bounds_of(plan.after))
        _, in_time = wait(target.cluster, name, self.wait_seconds, progress)
        return {"in_time": in_time, "seconds": round(time.monotonic() - started, 1)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look for a while: bounds hold, replicas are available, nothing puts them back."""
        name, wanted = str(plan.after["deployment"]), bounds_of(plan.after)
        now = look(target.cluster, name)
        if values["in_time"] is None and now.bounds == wanted:
            wait(target.cluster, name, self.wait_seconds)
        until = time.monotonic() + self.settle_seconds
        while True:
            now = look(target.cluster, name)
            if now.bounds != wanted or time.monotonic() >= until:
                return self._said(target, now, plan)
            time.sleep(min(PAUSE_SECONDS, max(0.0, until - time.monotonic())))

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at the bounds: as planned, as before, or somebody else's."""
        now = look(target.cluster, str(plan.after["deployment"]))
        if now.identity != {key: plan.fingerprint[key] for key in now.identity}:
            return Settled(Outcome.UNKNOWN, "The deployment or its autoscaler was made anew since.")
        if now.bounds == bounds_of(plan.after):
            return Settled(Outcome.DONE, "The bounds are as planned.", {"in_time": None, "seconds": None})
        if now.bounds == bounds_of(plan.before):
            return Settled(Outcome.NOT_DONE, "The bounds are as before.")
        return Settled(Outcome.UNKNOWN, f"The bounds are {now.bounds[0]} and {now.bounds[1]}: somebody else set them.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set the recorded bounds again; raises Refused where somebody set others since."""
        name, back = str(plan.after["deployment"]), bounds_of(plan.before)
        put(target, name, plan.fingerprint, bounds_of(plan.after), back)
        now, in_time = wait(target.cluster, name, self.wait_seconds, progress)
        rows: Rows = ({**now.said(now.bounds), "replicas now": now.deployment.spec.replicas},)
        if now.bounds != back or not in_time:
            said = (
                f"{name} is at {now.deployment.status.available} available, bounds {now.bounds[0]} to {now.bounds[1]}."
            )
            return Verification(Verdict.CRITICAL, said, rows)
        held = now.deployment.spec.replicas
        more = f" The autoscaler holds {held} and takes them down as the load allows." if held > back[0] else ""
        return Verification(Verdict.OK, f"{name} is bounded as before.{more}", rows)

    def _after(self, now: Sized) -> tuple[int, int]:
        name = now.deployment.name
        if now.autoscaler is None:
            if self.at_most:
                raise Refused(
                    f"{name} has no autoscaler, so nothing could hold it at most at {self.at_most}.", "Give 0."
                )
            return self.replicas, self.replicas
        if self.at_most and self.at_most < self.replicas:
            raise Refused(f"At most {self.at_most} is below {self.replicas}.", "Give a higher number, or 0.")
        if now.deployment.spec.replicas == 0:
            raise Refused(
                f"{name} has 0 replicas, which switches its autoscaler {now.autoscaler.name} off: bounds do nothing.",
                "Find out who set it to 0 and why; then set it to 1 by hand.",
            )
        return self.replicas, self.at_most or max(now.bounds[1], self.replicas)

    def _fits(self, target: ReadTarget, name: str, needed: int) -> dict[str, Any]:
        """Return what is left on nodes, quota and connections; raises Refused where one of them falls short."""
        rows = room_rows(target.cluster, {name: needed})
        for row in rows:
            if row["node"] == NOWHERE and row["planned"] == name:
                raise Refused(
                    f"{row['pods_planned']} of the {name} pods for {needed} replicas find no node ({row['state']}): "
                    f"{_left(rows)}.",
                    "Add nodes, or ask for fewer.",
                )
        wish = wished(target.cluster, target.cluster.pods(), name, needed)
        quotas = quota_rows(target.cluster.quotas(), [wish])
        for row in quotas:
            if row["left"] < 0 and wish.pods and not row["counts_some_pods_only"]:
                said = f"{row['used']:g} and {row['planned']:g} more of {row['hard']:g}"
                raise Refused(
                    f"The quota {row['quota']} allows no {needed} replicas ({row['of']}: {said}).", "Ask its owner."
                )
        seen: dict[str, Any] = {"nodes": _left(rows), "not looked at": rows[0]["not_looked_at"] or "nothing"}
        if quotas:
            seen["quota"] = {f"{row['quota']} {row['of']}": row["left"] for row in quotas}
        return seen | self._connects(target, name, needed)

    def _connects(self, target: ReadTarget, name: str, needed: int) -> dict[str, Any]:
        if not self.connections_each:
            return {}
        rows = connection_rows(target, {name: needed}, self.connections_each)
        for row in rows:
            if row["added"] and CONNECTION_USE.judge(row["percent"]) is Verdict.CRITICAL:
                raise Refused(
                    f"{needed} replicas of {name} would open {row['planned']} more connections, {self.connections_each}"
                    f" each: with {row['used']} in use {row['percent']:g} % of {row['usable']} ({row['budget']}).",
                    "Ask for fewer, make its pool smaller, or pool in front of the database.",
                )
        return {"connections": {row["budget"]: f"{row['used']} + {row['planned']} of {row['usable']}" for row in rows}}

    def _said(self, target: VerifyTarget, now: Sized, plan: Plan) -> Verification:
        """Return what a last look says."""
        name, wanted = now.deployment.name, bounds_of(plan.after)
        pods = _own(target, now)
        bad = [(pod.name, *state_of(pod)) for pod in pods if not pod.ready]
        count, available = now.deployment.spec.replicas, now.deployment.status.available
        rows: Rows = (
            {**now.said(now.bounds), "wanted": count, "available": available},
            *({"pod": pod, "state": state, "why": why} for pod, state, why in bad),
        )
        if now.bounds != wanted:
            said = f"{name} was set back: {now.bounds[0]} to {now.bounds[1]}, not {wanted[0]} to {wanted[1]}"
            return Verification(Verdict.CRITICAL, f"{said}. Look who does (a pipeline, an operator).", rows)
        if not now.ready:
            stuck = [f"{pod} is {state} {why}".strip() for pod, state, why in bad if state in STUCK]
            verdict = Verdict.CRITICAL if stuck or available < wanted[0] else Verdict.WARNING
            why = f": {'; '.join(stuck[:3])}" if stuck else ""
            return Verification(verdict, f"{available} of {count} replicas of {name} are available{why}.", rows)
        return Verification(Verdict.OK, f"{name}: {available} replicas are available, and its bounds hold.", rows)


def _own(target: ReadTarget, now: Sized) -> list[Pod]:
    selector = now.deployment.spec.selector
    return [pod for pod in target.cluster.pods() if selector.fits(pod.meta.labels) and not pod.over]


def _left(rows: Sequence[Mapping[str, Any]]) -> str:
    said = [
        f"{row['node']} {row['cpu_left']:g} cores, {row['memory_left'] / 2**30:.1f} GiB left"
        + ("" if row["state"] == "takes pods" else f" ({row['state']})")
        for row in rows
        if row["node"] != NOWHERE
    ]
    return "; ".join(said)
