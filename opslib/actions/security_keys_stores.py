"""The new key where it is read: the vault's current version first, then what copies it; each with its way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from opslib.actions.base import Progress, Settled
from opslib.actions.security_keys import KeyAction
from opslib.actions.supabase_secret import SetFunctionSecret, calls_now
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.security_keys import FOREIGN, NOT_SET
from opslib.systems.supabase import RESERVED
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.vault import CURRENT, PREVIOUS


class PromoteKey(KeyAction):
    """Moves the stage AWSCURRENT to the version with the new key; the old one becomes AWSPREVIOUS."""

    name: ClassVar[str] = "promote-key"
    title: ClassVar[str] = "Make the new key the vault's current one"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 1
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-00",)
    guide: ClassVar[str] = "(the guide has no vault: each store gets the key by hand)"
    reason: ClassVar[str] = (
        "One place says which key is today's, and keeps the one of before. What copies it is compared with that place, "
        "and gets the old one from there when a step is undone."
    )

    def plan(self, target: PlanTarget) -> Plan:
        """Say which version is current and which will be."""
        now = self.standing(target)
        return self.planned(
            before={CURRENT: f"version {now.old.id}"},
            after={CURRENT: f"version {now.version}", PREVIOUS: f"version {now.old.id}"},
            touches=1,
            touched="stages moved",
            verification="The stages are where they are planned, and the versions differ in this key alone.",
            undo=f"{CURRENT} is moved back to version {now.old.id}.",
            fingerprint={"vault": target.vault.name, "old": now.old.id, "version": now.version},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Move it, once; raises Refused where another version is current by now."""
        now, new = self.staged(target, str(plan.fingerprint["version"]))
        if now.promoted or now.old.id != plan.fingerprint["old"]:
            raise Refused(f"Version {plan.fingerprint['old']} is not the current one any more.", "Plan again.")
        target.vault_writer.promote(new.id, off=now.old.id)
        return {"version": new.id}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at both stages and at what differs."""
        now = self.standing(target)
        if not now.promoted or now.new is None or now.old.id != plan.fingerprint["old"]:
            return Verification(Verdict.CRITICAL, f"The stages of {target.vault.name} are not as planned.")
        differs = now.new.differs(now.old)
        rows = ({"stage": CURRENT, "version": now.new.id}, {"stage": PREVIOUS, "version": now.old.id})
        if differs != (now.variable,):
            return Verification(Verdict.CRITICAL, f"The versions differ in {', '.join(differs) or 'nothing'}.", rows)
        return Verification(Verdict.OK, f"The new {now.variable} is the vault's current one.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look which version is current."""
        current = target.vault.stage(CURRENT)
        if current is not None and current.id == plan.fingerprint["version"]:
            return Settled(Outcome.DONE, "The new version is current.", {"version": current.id})
        if current is not None and current.id == plan.fingerprint["old"]:
            return Settled(Outcome.NOT_DONE, "The old version is current.")
        return Settled(Outcome.UNKNOWN, "A third version is current: somebody else put one.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Move it back; raises Refused where somebody put another version since."""
        now = self.standing(target)
        if not now.promoted or now.old.id != plan.fingerprint["old"]:
            raise Refused("The new version is not the current one any more.", "Look who put another one.")
        target.vault_writer.promote(now.old.id, off=now.version)
        current = target.vault.stage(CURRENT)
        back = current is not None and current.id == plan.fingerprint["old"]
        said = f"Version {plan.fingerprint['old']} is {'' if back else 'NOT '}current again."
        return Verification(Verdict.OK if back else Verdict.CRITICAL, said)


class SetFunctionKey(KeyAction):
    """Sets the functions' secret of Supabase to the new key, where they have that secret or need it."""

    name: ClassVar[str] = "set-function-key"
    title: ClassVar[str] = "Give the functions the new key"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 1
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-02",)
    guide: ClassVar[str] = "supabase secrets set TOGETHER_API_KEY=new-key"
    reason: ClassVar[str] = (
        "On a command line the key stands in the shell's history and in the list of processes (GH-03). Functions read "
        "their secrets when they are called: nothing has to be deployed for it."
    )

    @property
    def setting(self) -> SetFunctionSecret:
        """The action that sets any of the functions' secrets, for this one."""
        return SetFunctionSecret(variable=self.of.variable, key=self.of.variable)

    def plan(self, target: PlanTarget) -> Plan:
        """Look which version's key the functions have; a project that neither has nor needs it is left alone."""
        now = self.standing(target)
        needs = now.variable in target.settings.function_secrets
        held = target.supabase.secrets().get(now.variable) if target.settings.supabase_project else None
        # Names of this kind nobody may set: Supabase gives functions its own keys.
        free = not now.variable.startswith(RESERVED)
        used = free and (held is not None or (needs and target.settings.supabase_project is not None))
        before = now.holds(held)
        undo = "It is deleted again." if before == NOT_SET else f"The key of version {before} is set again."
        if before == FOREIGN:
            undo = "None: what is set now is in neither version of the vault, so nobody here can set it again."
        return self.planned(
            before={"value": before if before in (NOT_SET, FOREIGN) else f"of version {before}"},
            after={"value": f"of version {now.version}" if used else NOT_SET},
            touches=int(used and before != now.version),
            touched="secrets set",
            verification="The digest that Supabase lists is that of the new key, and was set anew; the functions that "
            "may be called answer.",
            undo=undo if used else "Nothing was changed.",
            fingerprint={
                "project": target.settings.supabase_project,
                "vault": target.vault.name,
                "version": now.version,
                "before": before,
                "updated": held.updated if held else None,
                "used": used,
            },
            observed={"calls": calls_now(target) if used else {}},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Set it, once; raises Refused where the new key is not the vault's current one."""
        return self.setting.apply(target, plan, progress)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Compare digests and call the functions that may be called."""
        if not plan.fingerprint["used"]:
            given = self.of.variable.startswith(RESERVED)
            said = "Supabase gives its functions keys itself" if given else "No function has or needs it"
            return Verification(Verdict.OK, f"{self.of.variable}: {said}.")
        return self.setting.verify(target, plan, values)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at the digest: the new key's, or what stood there before."""
        return self.setting.settle(target, plan, progress)

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set the old key again; raises Refused where nobody here has it."""
        return self.setting.undo(target, plan, values, progress)
