"""The new key in the cluster: the secret that pods are started with, and then pods that are started with it.

Both are one step, so that its undo can do both again: pods that start before the secret is back would keep the new key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Progress, Settled
from opslib.actions.security_keys import KeyAction, mark_of
from opslib.errors import OpsError, Refused, StepFailed
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.probes.security_keys import FOREIGN, NOT_SET
from opslib.redaction import Secret
from opslib.systems.kubernetes_secrets import HeldSecret, Reader
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.vault import usable


class SetClusterKey(KeyAction):
    """Sets the key in the secret that OPS_KUBERNETES_SECRET names, and starts the pods that read it anew.

    Each deployment's template gets an annotation with the vault's version: it says which key its pods were started
    with, and setting it twice changes nothing.
    """

    name: ClassVar[str] = "set-cluster-key"
    title: ClassVar[str] = "Give the pods the new key"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 10
    seconds: ClassVar[float] = 4500.0
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-04",)
    guide: ClassVar[str] = "vercel --prod"
    reason: ClassVar[str] = (
        "The guide deploys the front end, which never has this key. What calls the providers are pods, and pods read "
        "their variables when they start: a secret that is changed without a rollout changes nothing until the next "
        "crash, and then one pod at a time (GH-28)."
    )

    wait_seconds: float = Field(default=600.0, ge=1, le=3600)

    @property
    def mark(self) -> str:
        """The annotation's name."""
        return mark_of(self.of)

    def plan(self, target: PlanTarget) -> Plan:
        """Look at the secret and who reads it; a secret without this key is left alone."""
        now, secret = self.standing(target), _secret(target)
        key = secret.key_of(now.variable)
        before = now.holds(secret.value(key)) if key else NOT_SET
        readers = target.cluster_secrets.readers(secret.name) if key else []
        if key and secret.immutable:
            raise Refused(f"The secret {secret.name} is immutable.", "Make a new one, and let the pods name that.")
        undo = f"The key of version {before} is set again, and the pods are started anew once more."
        if before == FOREIGN:
            undo = "None: what is set now is in neither version of the vault, so nobody here can set it again."
        names = [one.name for one in readers]
        return self.planned(
            before={"secret": secret.name, "key": before if before in (NOT_SET, FOREIGN) else f"of version {before}"},
            after={"secret": secret.name, "key": f"of version {now.version}" if key else NOT_SET, "restarted": names},
            touches=1 + len(readers) if key else 0,
            touched="secrets set and deployments started anew",
            verification="The secret has the new key, each rollout is over, and every pod was started with it.",
            undo=undo if key else "Nothing was changed.",
            fingerprint={
                "secret": {"uid": secret.meta.uid, "version": secret.meta.version, "key": key},
                "before": before,
                "version": now.version,
                "readers": {one.name: one.meta.uid for one in readers},
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Set it, once, by the version that was read; mark each deployment; wait until pods are there."""
        if plan.touches == 0:
            return {"in_time": True}
        now, new = self.staged(target, str(plan.fingerprint["version"]))
        if not now.promoted:
            raise Refused("The new key is not the vault's current one.", "Make it that first.")
        value, known = usable(now.variable, new), plan.fingerprint["secret"]
        secret, _ = _secret(target), self._readers(target, plan)
        if secret.value(known["key"]) != value:
            if (secret.meta.uid, secret.meta.version) != (known["uid"], known["version"]):
                raise Refused(f"Somebody changed the secret {secret.name} since it was planned.", "Plan again.")
            target.cluster_secrets_writer.set_value(secret.name, known["key"], value, secret.meta.version)
            progress(f"{secret.name} was set")
        self._restart(target, plan, new.id)
        return {"in_time": self._waited(target, plan, new.id, progress)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the secret, at the rollouts, and at what each pod was started with."""
        if plan.touches == 0:
            return Verification(Verdict.OK, f"The cluster's secret has no {self.of.variable}.")
        if values["in_time"] is None:
            self._waited(target, plan, str(plan.fingerprint["version"]), lambda *_: None)
        now = self.standing(target)
        value = now.new.value(now.variable) if now.new else None
        return self._looked(target, plan, value, now.version)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at the secret and at the marks: both new, both old, or half of it, which can be gone on with."""
        if plan.touches == 0:
            return Settled(Outcome.DONE, "Nothing was to be done.", {"in_time": True})
        now, secret, known = self.standing(target), _secret(target), plan.fingerprint["secret"]
        new = now.new.value(now.variable) if now.new else None
        marked = [one.mark(self.mark) == now.version for one in self._readers(target, plan)]
        if new is not None and secret.value(known["key"]) == new:
            if all(marked):
                return Settled(Outcome.DONE, "The secret has the new key, and pods start with it.", {"in_time": None})
            return Settled(Outcome.PARTLY, f"The secret has the new key; {sum(marked)} deployments start with it.")
        if secret.meta.version == known["version"] and not any(marked):
            return Settled(Outcome.NOT_DONE, "The secret is as it was.")
        return Settled(Outcome.UNKNOWN, "The secret has neither the new key nor what it had: somebody set it.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set the old key again, and start the pods once more; raises Refused where somebody set another since."""
        before, now, secret = str(plan.fingerprint["before"]), self.standing(target), _secret(target)
        key = str(plan.fingerprint["secret"]["key"])
        if before in (FOREIGN, NOT_SET) or before != now.old.id:
            raise Refused(f"What {secret.name} held before is in no version of the vault.", plan.undo)
        if now.holds(secret.value(key)) != now.version:
            raise Refused(
                f"{secret.name} is not as this step left it.", "Look who set it; run again with what is right."
            )
        old = now.old_key()
        target.cluster_secrets_writer.set_value(secret.name, key, old, secret.meta.version)
        self._restart(target, plan, before)
        self._waited(target, plan, before, progress)
        return self._looked(target, plan, old, before)

    def _readers(self, target: PlanTarget, plan: Plan, error: type[OpsError] = Refused) -> list[Reader]:
        """Return the deployments that were planned with; raises ``error`` where one was made anew."""
        known = plan.fingerprint["readers"]
        found = [one for one in target.cluster_secrets.readers(target.settings.kubernetes_secret) if one.name in known]
        if {one.name: one.meta.uid for one in found} != known:
            raise error("A deployment that reads the secret was made anew since.", "Look who did; then run again.")
        return found

    def _restart(self, target: WriteTarget, plan: Plan, version: str) -> None:
        # The secret is set by now: from here on nothing is refused as if it were not.
        target.cluster_secrets_writer.restart_all(lambda: self._readers(target, plan, StepFailed), self.mark, version)

    def _waited(self, target: VerifyTarget, plan: Plan, version: str, told: Callable[[str, int, int], None]) -> bool:
        names = list(plan.fingerprint["readers"])
        return target.cluster_secrets.wait_started(names, self.mark, version, self.wait_seconds, told)

    def _looked(self, target: VerifyTarget, plan: Plan, value: Secret | None, version: str) -> Verification:
        secret, key = _secret(target), str(plan.fingerprint["secret"]["key"])
        found = target.cluster_secrets.started(list(plan.fingerprint["readers"]), self.mark)
        rows: Rows = tuple(
            {
                "deployment": one.deployment,
                "rollout": "over" if one.over else "under way",
                "pods": len(one.marks),
                "with another key": len(one.before(version)),
            }
            for one in found
        )
        if value is None or secret.value(key) != value:
            return Verification(Verdict.CRITICAL, f"{secret.name} has not the key of version {version}.", rows)
        if late := [one.deployment for one in found if not one.all_with(version)]:
            said = f"{secret.name} is set, but {', '.join(late)} has pods that were started before"
            return Verification(
                Verdict.CRITICAL, f"{said}. See runbooks/scale-for-high-traffic for what holds pods.", rows
            )
        pods = sum(row["pods"] for row in rows)
        return Verification(Verdict.OK, f"{secret.name} is set; {pods} pods were started with version {version}.", rows)


def _secret(target: PlanTarget) -> HeldSecret:
    return target.cluster_secrets.secret(target.settings.kubernetes_secret)
