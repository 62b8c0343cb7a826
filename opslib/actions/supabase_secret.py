"""A secret of the functions set at Supabase to the value that the vault has, without anybody seeing it.

Shown and recorded are names, the ids of the vault's versions, whether a value is equal, and when it was set. No
digest of a value is: who has one can try out guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.probes.supabase import smoke
from opslib.systems.publishable import client_prefix
from opslib.systems.supabase import RESERVED, Held
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.vault import CURRENT, PREVIOUS, Vault, Version, usable

NOT_SET, FOREIGN = "not set", "of no version of the vault"
"""What stood there before, where it was no version of the vault."""


class SetFunctionSecret(Action):
    """Sets the secret ``variable`` at Supabase to what the vault (OPS_VAULT_SECRET) has under ``key`` now.

    Bound to the vault's version when it was planned. Repeating it changes nothing more, so an answer that was lost
    is settled by the digest that Supabase lists.
    """

    name: ClassVar[str] = "set-function-secret"
    title: ClassVar[str] = "Set a secret of the functions from the vault"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "supabase"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 600.0
    items: ClassVar[tuple[str, ...]] = ("DEP-SUP-04", "DEP-SUP-05")
    guide: ClassVar[str] = "supabase secrets set TOGETHER_API_KEY=your-key"
    reason: ClassVar[str] = (
        "On a command line the value stands in the shell's history and in the list of processes (GH-03), and nothing "
        "tells afterwards whether it is the right one. Here the executor takes it from the vault, sends it once, and "
        "compares what Supabase lists with it; no value and no digest of one is shown or kept."
    )

    variable: str = Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")
    key: str = Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")

    def plan(self, target: PlanTarget) -> Plan:
        """Compare what is set with the vault's versions; raises Refused for a name or a value that must not be set."""
        self._allowed()
        vault = target.vault
        new = _current(vault)
        value = usable(self.key, new)
        held = target.supabase.secrets().get(self.variable)
        equal = held is not None and held.holds(value)
        before = new.id if equal else self._standing(vault, held)
        stood = before if before in (NOT_SET, FOREIGN) else f"version {before} of the vault"
        return self.planned(
            before={"value": stood, "as in the vault": _yes(equal)},
            after={"value": f"version {new.id} of the vault", "as in the vault": "yes"},
            touches=0 if equal else 1,
            touched="secrets set",
            verification="The digest that Supabase lists is that of the vault's value, and was set anew; the functions "
            "that may be called answer.",
            undo=_undo(before),
            fingerprint={
                "project": target.supabase.ref,
                "vault": vault.name,
                "version": new.id,
                "before": before,
                "updated": held.updated if held else None,
            },
            observed={"calls": calls_now(target)},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Set it, once; raises Refused before that when the vault has moved."""
        if plan.touches == 0:
            return {"version": plan.fingerprint["version"]}
        new = _current(target.vault)
        if new.id != plan.fingerprint["version"]:
            raise Refused(f"The vault is not at version {plan.fingerprint['version']} any more.", "Plan again.")
        target.supabase_writer.set_secret(self.variable, usable(self.key, new))
        progress(f"{self.variable} was set")
        return {"version": new.id}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Compare the digests, and call the functions that may be called."""
        new = target.vault.version(str(values["version"]))
        if new is None:
            return Verification(Verdict.UNKNOWN, f"The vault has no version {values['version']} any more.")
        since = plan.fingerprint["updated"] if plan.touches else None
        return self._compared(target, new, since, plan.observed["calls"])

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at the digest: it is the new value's, or what stood there before."""
        held, version = target.supabase.secrets().get(self.variable), str(plan.fingerprint["version"])
        new = target.vault.version(version)
        value = new.value(self.key) if new else None
        if held is not None and value is not None and held.holds(value):
            return Settled(Outcome.DONE, f"{self.variable} is as in the vault.", {"version": version})
        if (held.updated if held else None) == plan.fingerprint["updated"] and (held is None or held.updated):
            return Settled(Outcome.NOT_DONE, f"{self.variable} is as it was before.")
        return Settled(Outcome.UNKNOWN, f"{self.variable} is neither as it was nor as in the vault.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set the version of before again, or delete it where there was none; raises Refused where nobody has it."""
        before = str(plan.fingerprint["before"])
        held, new = target.supabase.secrets().get(self.variable), target.vault.version(str(values["version"]))
        value = new.value(self.key) if new else None
        if held is None or value is None or not held.holds(value):
            raise Refused(
                f"{self.variable} is not as this step left it: somebody set it since, or the vault forgot it.",
                "Look who did; set what is right with a new run.",
            )
        if before == NOT_SET:
            target.supabase_writer.delete_secret(self.variable)
            gone = self.variable not in target.supabase.secrets()
            return Verification(Verdict.OK if gone else Verdict.CRITICAL, f"{self.variable} is {'not ' * gone}set.")
        old = target.vault.version(before) if before != FOREIGN else None
        if old is None or old.value(self.key) is None:
            raise Refused(
                f"What {self.variable} was before is {FOREIGN}." if before == FOREIGN else "The vault forgot it.",
                "Put the right value into the vault, and run again.",
            )
        target.supabase_writer.set_secret(self.variable, usable(self.key, old))
        return self._compared(target, old, held.updated, plan.observed["calls"])

    def _allowed(self) -> None:
        if self.variable.startswith(RESERVED):
            raise Refused(f"{self.variable} is the platform's own: Supabase sets what begins with {RESERVED}.", "")
        if prefix := client_prefix(self.variable):
            raise Refused(
                f"{self.variable} would be public: a build puts what begins with {prefix} into the browser.",
                "Name it without.",
            )

    def _standing(self, vault: Vault, held: Held | None) -> str:
        """Return which version of the vault stands there, if any does."""
        if held is None:
            return NOT_SET
        old = vault.stage(PREVIOUS)
        value = old.value(self.key) if old else None
        return old.id if old and value is not None and held.holds(value) else FOREIGN

    def _compared(
        self, target: VerifyTarget, version: Version, since: str | None, calls: Mapping[str, Any]
    ) -> Verification:
        held, value = target.supabase.secrets().get(self.variable), version.value(self.key)
        if held is None or value is None:
            where = "set" if held is None else "in the vault"
            return Verification(Verdict.CRITICAL, f"{self.variable} is not {where}.")
        equal, moved = held.holds(value), since is None or held.updated != since
        rows: Rows = ({"secret": self.variable, "as in the vault": _yes(equal), "updated": held.updated},)
        if not equal or not moved:
            said = "was not set anew" if equal else f"is not as in version {version.id} of the vault"
            return Verification(Verdict.CRITICAL, f"{self.variable} {said}.", rows)
        called = [smoke(target, slug) for slug in target.settings.smoke_functions]
        rows += tuple(called)
        # What failed before this step fails for another reason; the check of all functions tells it.
        worse = [one for one in called if _failed(one["status"]) and not _failed(calls.get(one["function"]))]
        if worse:
            said = ", ".join(f"{one['function']} answers {one['status']}" for one in worse)
            return Verification(Verdict.CRITICAL, f"{self.variable} is as in the vault, but {said}.", rows)
        well = sum(not _failed(one["status"]) for one in called)
        live = f"{well} of {len(called)} functions answer" if called else "OPS_SMOKE_FUNCTIONS names none to call"
        return Verification(Verdict.OK, f"{self.variable} is as in version {version.id} of the vault; {live}.", rows)


def _current(vault: Vault) -> Version:
    found = vault.stage(CURRENT)
    if found is None:
        raise StepFailed(f"{vault.name} has no current version.", "Look at it in Secrets Manager.")
    return found


def calls_now(target: PlanTarget) -> dict[str, int]:
    """Return what the functions that may be called answer before the step; nothing where they cannot be asked."""
    with suppress(Unreachable):
        return {slug: smoke(target, slug)["status"] for slug in target.settings.smoke_functions}
    return {}


def _failed(status: int | None) -> bool:
    return status is not None and (status >= 500 or status == 404)


def _yes(equal: bool) -> str:
    return "yes" if equal else "no"


def _undo(before: str) -> str:
    if before == NOT_SET:
        return "It is deleted again."
    if before == FOREIGN:
        return "None: what is set now is in no version of the vault, so nobody here can set it again."
    return f"Version {before} of the vault is set again."
