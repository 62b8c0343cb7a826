"""What a recovery of a deployment would put right, and how far that has come: pure rules on how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from opslib.errors import Refused
from opslib.model import Plan
from opslib.probes.cluster_standing import Standing
from opslib.probes.cluster_states import state_of
from opslib.systems.kubernetes_history import ReplicaSet
from opslib.systems.kubernetes_shapes import Pod

Back = Literal["if-broken", "as-it-is", "previous"]
"""Whether the newest template gives way to the one before: if it lets no pod start, never, or in any case."""


@dataclass(frozen=True)
class Parts:
    """What is to be put right: the number of replicas from 0 to ``replicas``, the template, single pods."""

    replicas: int | None
    back_to: ReplicaSet | None
    pods: tuple[Pod, ...]

    @property
    def count(self) -> int:
        """How many things are touched."""
        return (self.replicas is not None) + (self.back_to is not None) + len(self.pods)


def parts(now: Standing, back: Back, least: int, wedged_seconds: float) -> Parts:
    """Return what is to be put right; raises Refused where something is amiss that none of it would mend."""
    name, current, previous = now.deployment.name, now.current, now.previous
    if len(now.autoscalers) > 1:
        raise Refused(f"{len(now.autoscalers)} autoscalers size {name}.", "Remove all but one; they undo each other.")
    if now.deployment.spec.paused:
        raise Refused(f"{name} is paused: no rollout of it goes on.", "Ask who paused it (kubectl rollout resume).")
    broken = now.template_is_broken
    wanted = back == "previous" or (back == "if-broken" and broken)
    if wanted and previous is None:
        raise Refused(
            f"{name} has no earlier revision that it could go back to.",
            "Deploy a mended commit (runbooks/force-full-deployment).",
        )
    low = now.autoscalers[0].spec.low if now.autoscalers else 1
    replicas = max(least, low) if now.deployment.spec.replicas == 0 else None
    gone = {pod.meta.uid for pod in now.of(current)} if wanted else set[str]()
    pods = tuple(pod for pod in now.wedged(wedged_seconds) if pod.meta.uid not in gone)
    found = Parts(replicas, previous if wanted else None, pods)
    late = [pod for pod in now.pods if not pod.ready]
    if not found.count and (late or not now.deployment.done):
        said = "; ".join(f"{pod.name} {state_of(pod)[0]} for {now.age(pod):.0f} s" for pod in late[:4])
        raise Refused(
            f"{now.deployment.status.available} of {now.deployment.spec.replicas} replicas of {name} are available, "
            f"and nothing here would mend the others: {said or 'a rollout is under way'}.",
            "Wait for what starts; for a node see runbooks/scale-for-high-traffic; or leave it out of services.",
        )
    return found


def differences(now: ReplicaSet, then: ReplicaSet) -> list[str]:
    """Return what an earlier template has otherwise, by containers' names; of variables names only, never a value."""
    before = {str(one.get("name")): one for one in now.containers}
    after = {str(one.get("name")): one for one in then.containers}
    said = [f"container {name} goes" for name in sorted(before.keys() - after.keys())]
    said += [f"container {name} comes back" for name in sorted(after.keys() - before.keys())]
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name], after[name]
        if old.get("image") != new.get("image"):
            said.append(f"{name}: image {old.get('image')} → {new.get('image')}")
        if names := _variables(old, new):
            said.append(f"{name}: variables {', '.join(names)} as they were")
        others = [key for key in sorted(old.keys() | new.keys()) if key not in ("image", "env", "name")]
        if changed := [key for key in others if old.get(key) != new.get(key)]:
            said.append(f"{name}: {', '.join(changed)} as they were")
    return said or ["nothing in its containers"]


def _variables(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    pairs = [{str(one.get("name")): one for one in said.get("env") or ()} for said in (old, new)]
    return [name for name in sorted(pairs[0].keys() | pairs[1].keys()) if pairs[0].get(name) != pairs[1].get(name)]


def left(now: Standing, plan: Plan) -> list[str]:
    """Return what of a plan is not done yet, in words; raises Refused where the deployment is another one."""
    wanted = plan.fingerprint
    if now.deployment.meta.uid != wanted["deployment"]:
        raise Refused(f"{now.deployment.name} was made anew since.", "Plan again.")
    found = []
    if wanted["template"]["to"] and (now.current is None or now.current.name != wanted["template"]["to"]):
        found.append("the template")
    if wanted["at zero"] and now.deployment.spec.replicas == 0:
        found.append("the number of replicas")
    there = {pod.meta.uid: pod for pod in now.pods}
    found += [f"pod {name}" for name, uid in wanted["pods"].items() if uid in there and not there[uid].ready]
    return found
