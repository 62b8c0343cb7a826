"""Network policies narrowed and put back: which changes shut addresses out, and each of them done once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from opslib.actions.cluster_bounds import TRIES
from opslib.errors import Refused, Unreachable
from opslib.model import Outcome, Plan
from opslib.probes.cluster_sources import Nets, everybody_but, narrowed
from opslib.probes.cluster_ways import Door
from opslib.systems.kubernetes import RUN, ReadOnlyCluster
from opslib.systems.kubernetes_policies import NetworkPolicy, Rule
from opslib.systems.kubernetes_shapes import Labels, Selector
from opslib.systems.target import WriteTarget

POLICY = "opslib-block-addresses"
"""The policy that is made where none selects the pods."""


@dataclass(frozen=True)
class Change:
    """One policy's rules before (None: it is made) and after; ``also`` are pods of others that it holds for."""

    policy: str
    uid: str | None
    before: list[Rule] | None
    after: list[Rule]
    made: NetworkPolicy
    also: tuple[str, ...] = ()
    labels: tuple[Labels, ...] = field(default=())

    @property
    def said(self) -> dict[str, Any]:
        """It as a plan says it."""
        return {"policy": self.policy, "uid": self.uid, "before": self.before, "after": self.after}


def changes(seen: Door, blocked: Nets) -> list[Change]:
    """Return what has to change so that ``blocked`` may not come in to any of the pods; empty if it is so already."""
    found = []
    for policy in seen.holding:
        before = list(policy.spec.ingress)
        after = narrowed(before, blocked)
        if after != before:
            spec = policy.spec.model_copy(update={"ingress": tuple(after)})
            made = policy.model_copy(update={"spec": spec})
            found.append(Change(policy.name, policy.meta.uid, before, after, made, _others(seen, policy)))
    if any(not any(one.holds(labels) for one in seen.policies) for labels in seen.labels):
        found.append(_new(seen, blocked))
    return found


def _new(seen: Door, blocked: Nets) -> Change:
    if any(one.name == POLICY for one in seen.policies):
        raise Refused(f"There is a policy {POLICY} that does not select these pods.", "See what it is for; remove it.")
    selector, rules = seen.deployment.spec.selector, everybody_but(blocked)
    made = _policy(POLICY, "new", selector.model_dump(by_alias=True), rules)
    labels = tuple(pod.meta.labels for pod in seen.pods)
    return Change(POLICY, None, None, rules, made, labels=labels)


def _policy(name: str, uid: str, selector: Any, rules: Iterable[Rule]) -> NetworkPolicy:
    meta = {"name": name, "uid": uid, "resourceVersion": "0", "creationTimestamp": "1970-01-01T00:00:00Z"}
    spec = {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": list(rules)}
    return NetworkPolicy.model_validate({"metadata": meta, "spec": spec})


def _others(seen: Door, policy: NetworkPolicy) -> tuple[str, ...]:
    mine = {pod.name for pod in seen.pods}
    return tuple(pod.name for pod in seen.all_pods if pod.name not in mine and policy.spec.pods.fits(pod.meta.labels))


def recorded(seen: Door) -> dict[str, Any]:
    """Return every policy that holds for the pods, as a plan keeps it: what was there is reckoned from it again."""
    return {
        one.name: {
            "uid": one.meta.uid,
            "selector": one.spec.pods.model_dump(by_alias=True, mode="json", exclude_defaults=True),
            "ingress": list(one.spec.ingress),
        }
        for one in seen.holding
    }


def present(plan: Plan) -> list[NetworkPolicy]:
    """Return the policies that were there when ``plan`` was made."""
    known = plan.fingerprint["policies"]
    return [_policy(name, said["uid"], said["selector"], said["ingress"]) for name, said in known.items()]


def taken(plan: Plan) -> list[Change]:
    """Return the changes that a plan says."""
    said = plan.fingerprint.get("changes", ())
    nothing = _policy("none", "none", {}, ())
    return [Change(one["policy"], one["uid"], one["before"], one["after"], nothing) for one in said]


def standing(cluster: ReadOnlyCluster, plan: Plan, change: Change, run: str) -> Outcome:
    """Tell whether one policy is as planned, as before, or neither."""
    found = next((one for one in cluster.policies() if one.name == change.policy), None)
    if change.before is None:
        if found is None:
            return Outcome.NOT_DONE
        ours = found.meta.annotations.get(RUN) == run and found.spec.pods == _selector(plan)
        return Outcome.DONE if ours and list(found.spec.ingress) == change.after else Outcome.UNKNOWN
    if found is None or found.meta.uid != change.uid:
        return Outcome.UNKNOWN
    rules = list(found.spec.ingress)
    return Outcome.DONE if rules == change.after else Outcome.NOT_DONE if rules == change.before else Outcome.UNKNOWN


def put(target: WriteTarget, plan: Plan, change: Change) -> None:
    """Set one policy's rules as planned where they are as before; raises Refused, with nothing changed, elsewhere."""
    if change.before is None:
        if standing(target.cluster, plan, change, target.run) is Outcome.DONE:
            return
        try:
            target.cluster_writer.make_policy(change.policy, _selector(plan), change.after, target.run)
        except Unreachable as error:
            if error.kind == "conflict":
                raise Refused(f"Somebody else made {change.policy} meanwhile.", "See who; plan again.") from error
            raise
        return
    _set(target, change, change.before, change.after)


def put_back(target: WriteTarget, plan: Plan, change: Change) -> None:
    """Set one policy's rules of before again, or remove the one that was made; nothing where it is so already."""
    if change.before is not None:
        _set(target, change, change.after, change.before)
    elif standing(target.cluster, plan, change, target.run) is Outcome.DONE:
        found = next(one for one in target.cluster.policies() if one.name == change.policy)
        target.cluster_writer.remove_policy(found.name, found.meta.uid, found.meta.version)


def _set(target: WriteTarget, change: Change, known: list[Rule], wanted: list[Rule]) -> None:
    for _ in range(TRIES):
        found = next((one for one in target.cluster.policies() if one.name == change.policy), None)
        if found is None or found.meta.uid != change.uid:
            raise Refused(f"{change.policy} was made anew, or removed, since.", "Plan again.")
        rules = list(found.spec.ingress)
        if rules == wanted:
            return
        if rules != known:
            raise Refused(f"{change.policy} has other rules by now.", "See who else sets it; plan again.")
        try:
            target.cluster_writer.set_ingress(change.policy, wanted, found.meta.version)
            return
        except Unreachable as error:
            if error.kind != "conflict":
                raise
    raise Refused(f"{change.policy} is written to all the time.", "Look who does; plan again.")


def _selector(plan: Plan) -> Selector:
    return Selector.model_validate(plan.fingerprint["selector"])
