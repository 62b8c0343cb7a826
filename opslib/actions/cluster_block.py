"""Addresses shut out of a deployment's pods: by narrowing the network policies that let them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from opslib.actions.backups_folder import Digest
from opslib.actions.base import Action, Progress, Settled
from opslib.actions.cluster_networks import NOBODY, Networks, networks
from opslib.actions.cluster_policies import (
    POLICY,
    Change,
    changes,
    present,
    put,
    put_back,
    recorded,
    standing,
    taken,
)
from opslib.actions.security_custody import held
from opslib.actions.security_logs_files import parse_logs
from opslib.errors import Refused, StepFailed
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification, now
from opslib.probes.cluster_room import Which, name_of
from opslib.probes.cluster_sources import Nets, admits, entrance, shut, wider, words
from opslib.probes.cluster_ways import Door, blind, door, own, whose
from opslib.systems.target import PlanTarget, ReadTarget, VerifyTarget, WriteTarget

EDGE = "Block them where clients' own addresses are seen: the firewall, the load balancer, the hoster's edge."
NOT_SEEN = "policies of other kinds (AdminNetworkPolicy, Cilium, Calico, a mesh), and what stands before the cluster"


class BlockAddresses(Action):
    """Takes ``networks`` out of every rule that lets them in to the pods of a deployment; everybody else stays.

    Where no policy selects the pods, one is made that lets in everybody else. Refused where a policy would not see
    clients' own addresses, where operators or the cluster itself would be hit, and where it would let more in.
    """

    name: ClassVar[str] = "block-addresses"
    title: ClassVar[str] = "Block addresses"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "cluster"
    most: ClassVar[int] = 10
    seconds: ClassVar[float] = 600.0
    items: ClassVar[tuple[str, ...]] = ("RUN-SEC-03",)
    guide: ClassVar[str] = "kubectl apply -f security/block-suspicious-ips.yaml"
    reason: ClassVar[str] = (
        "The guide's file does not exist (GH-01). Policies only allow, and add up: one that lets in everybody but some "
        "opens what a default-deny had shut, and shuts nothing that another one allows. So the rules that let the "
        "addresses in are narrowed, each by those addresses alone, and who may come in is reckoned before and after."
    )

    which: Which
    networks: Networks = NOBODY
    manifest: Digest

    def plan(self, target: PlanTarget) -> Plan:
        """Reckon who may come in before and after; raises Refused, with the reason, for what must not be blocked so."""
        blocked = networks(self.networks)
        if not blocked:
            return self._nothing()
        seen = self._looked(target, blocked)
        made = changes(seen, blocked)
        self._not_wider(seen, made, blocked)
        rules = {one.policy: [words(rule) for rule in one.before or ()] or "nobody" for one in made}
        after = {one.policy: [words(rule) for rule in one.after] or "nobody" for one in made}
        new = {one.policy: "there is no such policy" for one in made if one.before is None}
        which = ", ".join(map(str, blocked))
        others = sorted({pod for one in made for pod in one.also})
        return self.planned(
            before={**rules, **new} or {"let in": "none of them, already"},
            after=after or {"let in": "none of them, already"},
            touches=len(made),
            touched="network policies",
            verification=f"The policies that are there then let {which} in by no port, and everybody else as before: "
            "reckoned from what the cluster says.",
            undo="The rules of before are set again; a policy that was made is removed, by its uid.",
            fingerprint={
                "deployment": seen.deployment.meta.uid,
                "selector": seen.deployment.spec.selector.model_dump(by_alias=True, mode="json", exclude_defaults=True),
                "blocked": [str(one) for one in blocked],
                "policies": recorded(seen),
                "changes": [one.said for one in made],
            },
            observed={
                "pods": len(seen.pods),
                "pods of others that it also holds for": others or "none",
                "ways": [one.name for one in seen.services],
                "not looked at": NOT_SEEN,
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Set the rules, each by the version that was read; raises Refused before that where evidence is not whole."""
        held(target.files, self.manifest, parse_logs)
        made = taken(plan)
        for change in made:
            if standing(target.cluster, plan, change, target.run) is Outcome.UNKNOWN:
                raise Refused(f"{change.policy} is not as it was planned with.", "See who else sets it; plan again.")
        for number, change in enumerate(made):
            progress(change.policy, number, len(made))
            try:
                put(target, plan, change)
            except Refused as error:
                if not number:
                    raise
                raise StepFailed(error.message, error.next_step) from error
        return self._values(target, plan)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Read all policies again and reckon; CRITICAL where one still lets them in, or others are let in otherwise."""
        if not plan.fingerprint:
            return Verification(Verdict.OK, "No address was to be blocked.")
        seen, blocked = door(target.cluster, name_of(target.settings, self.which)), networks(self.networks)
        known = present(plan)
        rows: Rows = tuple(
            {"policy": one.name, "lets in": "; ".join(words(rule) for rule in one.spec.ingress) or "nobody"}
            for one in seen.holding
        )
        for labels in seen.labels:
            there, before = entrance(seen.policies, labels), entrance(known, labels)
            if left := admits(there, blocked):
                said = f"{', '.join(map(str, left))} may still come in. See which policy lets them in, and who made it."
                return Verification(Verdict.CRITICAL, said, rows)
            if there != shut(before, blocked):
                said = "Others are let in otherwise than before: somebody else changes policies."
                return Verification(Verdict.CRITICAL, said, rows)
        which = ", ".join(map(str, blocked))
        said = f"By the policies that are there {which} may not reach {len(seen.pods)} pods by any port; all others may"
        return Verification(Verdict.OK, f"{said} as before. New connections only: what stands is not cut.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at each policy: as planned, as before, or somebody else's."""
        states = [standing(target.cluster, plan, change, target.run) for change in taken(plan)]
        if Outcome.UNKNOWN in states:
            return Settled(Outcome.UNKNOWN, "A policy is neither as before nor as planned: somebody else set it.")
        if all(one is Outcome.DONE for one in states):
            return Settled(Outcome.DONE, "The policies are as planned.", self._values(target, plan))
        if all(one is Outcome.NOT_DONE for one in states):
            return Settled(Outcome.NOT_DONE, "The policies are as before.")
        return Settled(Outcome.PARTLY, "Some of the policies are as planned; the others may be set as well.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set the rules of before again, or remove what was made; raises Refused where somebody changed it since."""
        made = taken(plan)
        for change in reversed(made):
            if standing(target.cluster, plan, change, target.run) is Outcome.UNKNOWN:
                raise Refused(f"{change.policy} was changed since.", "See who did; take the addresses out by hand.")
        for change in reversed(made):
            put_back(target, plan, change)
        seen, known = door(target.cluster, name_of(target.settings, self.which)), present(plan)
        if any(entrance(seen.policies, labels) != entrance(known, labels) for labels in seen.labels):
            return Verification(Verdict.CRITICAL, "Not everybody is let in as before: see who else changes policies.")
        return Verification(Verdict.OK, f"{', '.join(one.policy for one in made)}: everybody is let in as before.")

    def _nothing(self) -> Plan:
        return self.planned(
            before={"blocked": "nobody asked for"},
            after={"blocked": "nobody asked for"},
            touches=0,
            touched="network policies",
            verification="Nothing is looked at: no address is to be blocked.",
            undo="None is needed.",
        )

    def _values(self, target: ReadTarget, plan: Plan) -> dict[str, Any]:
        names = {one.policy for one in taken(plan)}
        found = {one.name: one.meta.uid for one in target.cluster.policies() if one.name in names} if names else {}
        return {"policies": found, "at": now()}

    def _looked(self, target: PlanTarget, blocked: Nets) -> Door:
        """Look at pods, policies and ways; raises Refused where a policy would block nobody, or one's own."""
        settings = target.settings
        if not settings.operator_networks:
            raise Refused(
                "The target description does not say from where operators and monitoring come: they could be shut out.",
                "Set OPS_OPERATOR_NETWORKS.",
            )
        if not settings.pods_see_clients:
            raise Refused(
                "Whether pods see clients' own addresses, and whether the network holds to policies, no API says.",
                f"Try it once from outside, then set OPS_PODS_SEE_CLIENTS=true. Until then: {EDGE}",
            )
        seen = door(target.cluster, name_of(settings, self.which))
        if why := blind(seen):
            raise Refused(f"A policy would not see who the client is: {'; '.join(why)}.", EDGE)
        if mine := whose(blocked, list(own(target.cluster, settings, seen))):
            raise Refused(f"These are your own: {'; '.join(mine[:3])}.", "Name narrower ranges.")
        return seen

    def _not_wider(self, seen: Door, made: list[Change], blocked: Nets) -> None:
        """Raise Refused where anybody could come in who could not before; reckoned apart from how changes are made."""
        after = [*(one for one in seen.policies if one.name not in {c.policy for c in made}), *(c.made for c in made)]
        # What the new rules hold for beside this deployment's pods counts as well.
        every = [*seen.labels, *(labels for change in made for labels in change.labels)]
        for labels in every:
            before, then = entrance(seen.policies, labels), entrance(after, labels)
            if wider(then, before):
                raise Refused(
                    f"{POLICY} would open pods that another policy shuts: policies only add to what is allowed.",
                    f"Let the same policies select all pods of the deployment. {EDGE}",
                )
            if admits(then, blocked):
                raise Refused("A policy would still let them in.", EDGE)
