"""A deployment brought back: its number, its last template, and single pods that run and serve nobody."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.cluster_bounds import wait
from opslib.actions.cluster_recover_answer import answering
from opslib.actions.cluster_recover_parts import Back, Parts, differences, left, parts
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.guide.choices import NONE, SERVICES, chosen
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.probes.cluster_standing import WATCHING, Recovered, Standing, home, look, name_of
from opslib.probes.cluster_states import state_of
from opslib.systems.kubernetes_history import ReadOnlyWorkloads, ReplicaSet, Workloads
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

SEEN_SECONDS, PAUSE_SECONDS = 10.0, 0.25
"""How long a controller may take to look at what was changed, and how often that is asked."""
UNTOLD = "Kubernetes does not record whether that revision was ever well; kubectl rollout undo takes it as well."


class RecoverDeployment(Action):
    """Brings back the deployment that ``which`` names: replicas from 0, the template of before, single wedged pods.

    A pod is wedged when it runs and is not ready ``wedged_seconds`` after it was made. Such pods are removed one at a
    time, each only while it serves nobody, and the next only once all are ready again: as few serve as before, never
    fewer. ``least`` is how many replicas 0 becomes; of who watches it is one, for a second would want the same volume.
    """

    name: ClassVar[str] = "recover-deployment"
    title: ClassVar[str] = "Bring a deployment back"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "cluster"
    most: ClassVar[int] = 20
    seconds: ClassVar[float] = 4500.0
    items: ClassVar[tuple[str, ...]] = ("DR-SYS-00", "DR-OBJ-02Q")
    guide: ClassVar[str] = "kubectl apply -f k8s/production/"
    reason: ClassVar[str] = (
        "The guide has no scenario for the API, though it promises it within ten minutes: its only command applies a "
        "folder that does not exist (GH-01). Here what is amiss decides: a number of 0 goes back to its autoscaler's "
        "least, a template that lets no pod start gives way to the one before (as kubectl rollout undo does), and a "
        "pod that hangs is replaced, alone. Who watches, Prometheus and Grafana, is brought back the same way: the "
        "guide starts both and says nothing of their end."
    )

    which: Recovered
    services: str = Field(default=NONE, pattern=SERVICES)
    back: Back = "if-broken"
    least: int = Field(default=2, ge=1, le=50)
    wedged_seconds: float = Field(default=120.0, ge=0, le=3600)
    wait_seconds: float = Field(default=600.0, ge=1, le=3600)

    def plan(self, target: PlanTarget) -> Plan:
        """Look what is amiss; raises Refused where it is nothing that this step would mend."""
        if not chosen(self.services, self.which):
            return self._nothing({"asked for": self.services})
        now = _seen(home(target, self.which), name_of(target.settings, self.which))
        least = 1 if self.which in WATCHING else self.least
        found = parts(now, self.back, least, self.wedged_seconds)
        before: dict[str, Any] = {
            "deployment": now.deployment.name,
            "replicas": _number(now),
            "revision": _said(now.current),
            "pods that serve nobody": [f"{pod.name} ({state_of(pod)[0]})" for pod in found.pods],
        }
        if not found.count:
            return self._nothing(before)
        return self.planned(
            before=before,
            after=self._after(now, found),
            touches=found.count,
            touched="numbers, templates and pods",
            verification="The rollout is over, every replica is available"
            + (", and it answers through its own address." if self.which != "worker" else "."),
            undo=_undo(found),
            fingerprint={
                "deployment": now.deployment.meta.uid,
                "at zero": found.replicas is not None,
                "template": {
                    "now": now.current.name if now.current else None,
                    "to": found.back_to.name if found.back_to else None,
                },
                "pods": {pod.name: pod.meta.uid for pod in found.pods},
            },
            observed={
                "available": now.deployment.status.available,
                "pods": {pod.name: f"{state_of(pod)[0]}, {now.age(pod):.0f} s old" for pod in now.pods},
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Put right what is left of it, and wait; raises StepFailed where a pod's successor is not ready in time."""
        if not plan.touches:
            return {"in_time": True, "seconds": 0.0}
        name, began, cluster = str(plan.before["deployment"]), time.monotonic(), home(target, self.which)
        now = _seen(cluster, name)
        todo = left(now, plan)
        if "the template" in todo:
            self._template(target, now, plan.fingerprint["template"], forward=True)
            progress("the template of before is set")
        if "the number of replicas" in todo:
            scaled = cluster.deployment(name)
            self._writer(target).scale(name, int(plan.after["replicas"]), scaled.meta.version)
        for pod, uid in plan.fingerprint["pods"].items():
            self._replace(target, name, pod, str(uid), progress)
        _, in_time = wait(cluster, name, self._left(began), progress)
        return {"in_time": in_time, "seconds": round(time.monotonic() - began, 1)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the deployment, at its pods, and through its own address."""
        if not plan.touches:
            return Verification(Verdict.OK, f"Nothing was to be done: {_words(plan.before)}.")
        name, cluster = str(plan.before["deployment"]), home(target, self.which)
        if values["in_time"] is None:
            wait(cluster, name, self.wait_seconds)
        now = look(cluster, name)
        rows: Rows = tuple(
            {"pod": pod.name, "state": state_of(pod)[0], "image": pod.spec.containers[0].image} for pod in now.pods
        )
        if todo := left(now, plan):
            return Verification(Verdict.CRITICAL, f"Not as planned: {', '.join(todo)}.", rows)
        said = f"{now.deployment.status.available} of {now.deployment.spec.replicas} replicas of {name} are available"
        if not now.deployment.done or not now.deployment.status.available:
            return Verification(Verdict.CRITICAL, f"{said}.", rows)
        if self.which == "worker":
            return Verification(Verdict.OK, f"{said}.", rows)
        verdict, through = answering(target, self.which)
        return Verification(verdict, f"{said}; {through}.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look what of it is done: all, nothing, or a part that can be gone on with."""
        if not plan.touches:
            return Settled(Outcome.DONE, "Nothing was to be done.", {"in_time": True, "seconds": 0.0})
        try:
            todo = left(_seen(home(target, self.which), str(plan.before["deployment"])), plan)
        except Refused as error:
            return Settled(Outcome.UNKNOWN, error.message)
        if not todo:
            return Settled(Outcome.DONE, "All of it is done.", {"in_time": None, "seconds": None})
        if len(todo) == plan.touches:
            return Settled(Outcome.NOT_DONE, "Nothing of it is done.")
        return Settled(Outcome.PARTLY, f"Left to do: {', '.join(todo)}.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set the template and the number of before again; raises Refused where somebody deployed since."""
        name, wanted, cluster = str(plan.before["deployment"]), plan.fingerprint, home(target, self.which)
        now = _seen(cluster, name)
        if wanted["template"]["to"] and (now.current is None or now.current.name != wanted["template"]["now"]):
            if now.current is None or now.current.name != wanted["template"]["to"]:
                raise Refused(f"{name} has another template by now: somebody deployed since.", "Look what went live.")
            self._template(target, now, wanted["template"], forward=False)
        if wanted["at zero"] and now.deployment.spec.replicas:
            self._writer(target).scale(name, 0, cluster.deployment(name).meta.version)
        now = _seen(cluster, name)
        rows: Rows = ({"deployment": name, "replicas": now.deployment.spec.replicas, "revision": _said(now.current)},)
        return Verification(Verdict.OK, f"{name} is as it was before; removed pods are not made again as such.", rows)

    def _writer(self, target: WriteTarget) -> Workloads:
        return target.watchers_writer if self.which in WATCHING else target.workloads_writer

    def _nothing(self, before: Mapping[str, Any]) -> Plan:
        return self.planned(
            before=before,
            after=before,
            touches=0,
            touched="numbers, templates and pods",
            verification="None: nothing is amiss that this step would mend, or it is not asked for.",
            undo="None is needed.",
        )

    def _after(self, now: Standing, found: Parts) -> dict[str, Any]:
        after: dict[str, Any] = {
            "deployment": now.deployment.name,
            "replicas": found.replicas if found.replicas is not None else _number(now),
            "revision": _said(now.current),
            "pods replaced, one at a time": [pod.name for pod in found.pods],
        }
        if found.back_to is not None and now.current is not None:
            after["revision"] = f"the template of {_said(found.back_to)}"
            after["differs"] = differences(now.current, found.back_to)
            after["known of it"] = UNTOLD
        return after

    def _template(self, target: WriteTarget, now: Standing, names: Mapping[str, Any], *, forward: bool) -> None:
        """Set one of both templates where the other stands; raises Refused where neither does, or it is gone."""
        here, there = (names["now"], names["to"]) if forward else (names["to"], names["now"])
        name = now.deployment.name
        if now.current is None or now.current.name != here:
            raise Refused(f"{name} has another template by now: somebody deployed since it was planned.", "Plan again.")
        wanted = next((one for one in now.sets if one.name == there), None)
        if wanted is None:
            raise Refused(f"The revision {there} is not kept any more (revisionHistoryLimit).", "Deploy that commit.")
        meta = now.deployment.meta
        self._writer(target).set_template(name, meta.uid, meta.generation, wanted.template)

    def _replace(self, target: WriteTarget, name: str, pod: str, uid: str, progress: Progress) -> None:
        cluster = home(target, self.which)
        found = next((one for one in look(cluster, name).pods if one.meta.uid == uid), None)
        if found is None or found.ready:
            return
        progress(f"{pod} is replaced")
        try:
            self._writer(target).remove_pod(pod, uid)
        except Unreachable as error:
            if error.kind not in ("missing", "conflict"):
                raise
        if not wait(cluster, name, self.wait_seconds, progress)[1]:
            raise StepFailed(
                f"{pod} was removed, and its successor is not ready after {self.wait_seconds:g} s.",
                "Look what keeps it (diagnostics/cluster); the others were left alone. Then resume.",
            )

    def _left(self, began: float) -> float:
        return max(1.0, self.wait_seconds - (time.monotonic() - began))


def _said(one: ReplicaSet | None) -> str:
    return f"{one.revision}: {one.images}" if one else "none"


def _seen(cluster: ReadOnlyWorkloads, name: str) -> Standing:
    """Return how a deployment stands once its controller has seen its spec: until then its revisions are of before."""
    until = time.monotonic() + SEEN_SECONDS
    while True:
        now = look(cluster, name)
        if now.deployment.status.observed >= now.deployment.meta.generation:
            return now
        if time.monotonic() > until:
            raise Refused(f"{name} was changed, and its controller does not look at it.", "Look at the cluster itself.")
        time.sleep(PAUSE_SECONDS)


def _number(now: Standing) -> int | str:
    """Return how many replicas are wanted, as a plan may promise it: other numbers than 0 an autoscaler moves."""
    if now.deployment.spec.replicas and now.autoscalers:
        return f"as autoscaler {now.autoscalers[0].name} sizes it"
    return now.deployment.spec.replicas


def _words(before: Mapping[str, Any]) -> str:
    if "deployment" not in before:
        return "not asked for"
    return f"every replica of {before['deployment']} is available, revision {before['revision']}"


def _undo(found: Parts) -> str:
    said = []
    if found.back_to is not None:
        said.append("the newer template is set again")
    if found.replicas is not None:
        said.append("the number is 0 again")
    kept = "; ".join(said).capitalize() if said else "None"
    return f"{kept}." + (" A pod that was removed cannot be brought back: another one serves." if found.pods else "")
