"""What the steps of a key's rotation have in common, and the first: a new key, staged where nothing reads it yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from opslib.actions.base import Action, Progress, Settled
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.security_keys import Rotation, moment, rotation, staging
from opslib.probes.security_keys_places import exposed, twins
from opslib.probes.security_keys_used import listed
from opslib.systems.issuers import ReadOnlyIssuer
from opslib.systems.rotated_keys import ROTATED, Rotated, RotatedName
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.vault import PENDING, PREVIOUS, Version, usable

GONE = "none: the provider takes it no more"


class KeyAction(Action):
    """A step of the rotation of one key, which the name of who gives it says.

    All steps hold one lock, that of the language models: a run holds its locks through the soak, and an hour without
    scaling or deployments would be worse than what each step sees by itself, that somebody else changed its store.
    """

    area: ClassVar[str] = "llm"
    seconds: ClassVar[float] = 600.0

    provider: RotatedName

    @property
    def of(self) -> Rotated:
        """Whose key it is."""
        return ROTATED[self.provider]

    def standing(self, target: PlanTarget) -> Rotation:
        """Return how the rotation stands; raises Refused as :func:`opslib.probes.security_keys.rotation`."""
        return rotation(target, self.of)

    def staged(self, target: PlanTarget, version: str) -> tuple[Rotation, Version]:
        """Return the rotation with its new version; raises Refused where that is not ``version``, as planned."""
        now = self.standing(target)
        if now.version != version or now.new is None:
            raise Refused(f"The new key, version {version} of {target.vault.name}, is not staged.", "Stage it first.")
        return now, now.new


def made_name(one: Rotated, version: str) -> str:
    """Return the name of what a rotation makes: by it, that is found again. Supabase allows no hyphen."""
    name = f"ops_{one.variable.lower()}_{version[:8]}"
    return name if one.name == "supabase" else name.replace("_", "-")


def mark_of(provider: Rotated) -> str:
    """Return the annotation that says which version's key a pod was started with."""
    return f"opslib/{provider.variable.lower().replace('_', '-')}"


class StageKey(KeyAction):
    """Puts a new key into the vault with the stage AWSPENDING, where nothing reads it.

    OpenAI: a service account with a key is made for it, once; Supabase: a secret key. Where a provider has no API for
    keys, a person has staged the key, and this step looks whether it is one that may be used.
    """

    name: ClassVar[str] = "stage-key"
    title: ClassVar[str] = "Stage a new key in the vault"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 2
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-00", "RUN-KEY-01")
    guide: ClassVar[str] = "Generate new key in provider dashboard"
    reason: ClassVar[str] = (
        "A key that is copied from a dashboard passes a clipboard, a terminal and a history (GH-03). Here it goes from "
        "the provider into the vault unseen, beside the old one, which stays what everything reads."
    )

    def plan(self, target: PlanTarget) -> Plan:
        """Look at the vault, at the stores' names and at the provider; raises Refused for a key that must not be."""
        if shown := exposed(target, self.of):
            raise Refused(
                f"The key stands where a build puts it into every browser: {'; '.join(shown)}.",
                "Remove it there and deploy: whoever opened the front end may have it (GH-04). Then rotate.",
            )
        now, issuer = self.standing(target), target.issuer(self.provider)
        usable(now.variable, now.old)
        if alike := twins(target, now):
            raise Refused(
                f"The key also stands elsewhere, and would stay the old one there: {'; '.join(alike)}.",
                f"Let everything read {now.variable} from the vault and from {target.settings.kubernetes_secret}, "
                "and remove it elsewhere.",
            )
        plan = self._made(target, now, issuer) if issuer else self._given(target, now)
        self._finished(target, now)
        return plan

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Make the key and put it, once each; the value is in no variable of the notebook's process."""
        version = str(plan.fingerprint["version"])
        if plan.touches == 0:
            return {"version": version}
        issuer = target.issuer_writer(self.provider)
        made = issuer.make(str(plan.fingerprint["account"]))
        progress(f"a {issuer.thing} was made", 1, 2)
        target.vault_writer.put_pending(
            self.of.variable, made.value, base=str(plan.fingerprint["old"]), version=version
        )
        progress("its key is staged", 2, 2)
        return {"version": version, "account": made.id, "key": made.key}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the version's difference from the current one, and at the provider's list."""
        pending, old = target.vault.stage(PENDING), target.vault.version(str(plan.fingerprint["old"]))
        if pending is None or old is None or pending.id != values["version"]:
            return Verification(Verdict.CRITICAL, f"Version {values['version']} has not the stage {PENDING}.")
        if pending.differs(old) != (self.of.variable,):
            return Verification(Verdict.CRITICAL, f"The staged version differs in more than {self.of.variable}.")
        rows: tuple[dict[str, Any], ...] = ({"version": pending.id, "stage": PENDING, "differs in": self.of.variable},)
        if issuer := target.issuer(self.provider):
            name = str(plan.fingerprint["account"])
            found, mine = listed(target, self.of, usable(self.of.variable, pending)), issuer.named(name)
            if found is None or len(mine) != 1:
                said = f"{self.of.title} lists {len(mine)} {issuer.thing}s named {name}"
                return Verification(Verdict.CRITICAL, f"{said}, and {'no' if found is None else 'its'} key.", rows)
            rows += ({issuer.thing: name, "id": mine[0], "key": found.id, "used": found.used},)
        return Verification(Verdict.OK, f"The new key is version {pending.id} of the vault; nothing reads it.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for version and what was made; that without a version is deleted: nobody has its key's value."""
        version = target.vault.version(str(plan.fingerprint["version"]))
        if plan.touches == 0:
            return Settled(Outcome.DONE, "Nothing was to be done.", {"version": plan.fingerprint["version"]})
        mine = self._accounts(target, plan)
        if version is None:
            issuer = target.issuer_writer(self.provider)
            for one in mine:
                issuer.remove(one)
            left = f" {len(mine)} {issuer.thing}s without a staged key were deleted." if mine else ""
            return Settled(Outcome.NOT_DONE, f"No key is staged.{left}")
        found = listed(target, self.of, usable(self.of.variable, version))
        if len(mine) != 1 or found is None:
            said = f"A key is staged, and {self.of.title} lists {len(mine)} of its name."
            return Settled(Outcome.UNKNOWN, said)
        return Settled(Outcome.DONE, "The key is staged.", {"version": version.id, "account": mine[0], "key": found.id})

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Delete the key and take the stage off; raises Refused once the version is current."""
        now = self.standing(target)
        if now.promoted:
            raise Refused("The new key is the current one.", "Undo that step first.")
        for one in self._accounts(target, plan):
            target.issuer_writer(self.provider).remove(one)
        pending = target.vault.stage(PENDING)
        if pending is not None and pending.id == values["version"]:
            target.vault_writer.move(PENDING, None, off=pending.id)
        left, pending = self._accounts(target, plan), target.vault.stage(PENDING)
        gone = not left and (pending is None or pending.id != values["version"])
        said = f"gone from the vault's stages and at {self.of.title}" if gone else "still there"
        return Verification(Verdict.OK if gone else Verdict.CRITICAL, f"The new key is {said}.")

    def _finished(self, target: PlanTarget, now: Rotation) -> None:
        """Raise Refused where the key before today's still lives: this rotation would lose sight of it."""
        before = target.vault.stage(PREVIOUS)
        value = before.value(now.variable) if before else None
        # After an undo the previous version has the key that is staged again.
        known = (now.old_key(), now.new.value(now.variable) if now.new else None)
        if before is None or value is None or value in known or not target.rotated_keys.knows(self.of, value):
            return
        raise Refused(
            f"{self.of.title} still takes the key before today's (version {before.id}): a rotation was not finished.",
            f"Finish it (ops resume), or revoke that key at {self.of.keys_page}; then rotate.",
        )

    def _made(self, target: PlanTarget, now: Rotation, issuer: ReadOnlyIssuer) -> Plan:
        pending = target.vault.stage(PENDING)
        if pending is not None and pending.id != now.old.id:
            raise Refused(
                f"Version {pending.id} has the stage {PENDING}: another rotation is under way, or was left half done.",
                "Go on with that one or undo it (ops resume, ops undo).",
            )
        account = made_name(self.of, now.version)
        if issuer.named(account):
            raise Refused(f"{self.of.title} has a {issuer.thing} {account} already.", "Delete it: nobody has its key.")
        old = listed(target, self.of, now.old_key())
        # A key that nobody takes any more is on no list either, and a new one is just what is needed.
        if old is None and target.rotated_keys.knows(self.of, now.old_key()):
            raise Refused(
                f"The key in use is none of the project {issuer.project}'s, or more than one could be it.",
                f"Correct {issuer.setting}, or put the key of that project into the vault.",
            )
        return self.planned(
            before={PENDING: "none", issuer.thing: "none"},
            after={PENDING: f"version {now.version}", issuer.thing: account},
            touches=2,
            touched=f"{issuer.thing}s made and versions put",
            verification="The staged version differs from the current one in this key alone, and "
            f"{self.of.title} lists the key.",
            undo=f"The {issuer.thing} is deleted with its key, and the stage is taken off the version.",
            fingerprint=self._identity(target, now, account=account, old_key=old.id if old else GONE),
            observed={"old key was used": moment(old.used) if old else GONE},
        )

    def _given(self, target: PlanTarget, now: Rotation) -> Plan:
        if now.promoted or now.new is None:
            raise Refused(f"No new version has the stage {PENDING}.", staging(self.of))
        differs = now.new.differs(now.old)
        if not differs:
            raise Refused("The staged key is the same as before.", staging(self.of))
        if differs != (now.variable,):
            raise Refused(f"The staged version differs in {', '.join(differs)}.", f"Change {now.variable} alone.")
        if not target.rotated_keys.knows(self.of, usable(now.variable, now.new)):
            raise Refused(f"{self.of.title} does not take the staged key (401).", staging(self.of))
        return self.planned(
            before={PENDING: f"version {now.version}"},
            after={PENDING: f"version {now.version}"},
            touches=0,
            touched="nothing: a person has staged it",
            verification="The staged version differs from the current one in this key alone.",
            undo=f"Nothing was changed. Who made the key deletes it at {self.of.keys_page}.",
            fingerprint=self._identity(target, now),
            observed={"of another account": f"{self.of.title} does not tell whose a key is; its bill shows it later"},
        )

    def _identity(self, target: PlanTarget, now: Rotation, **more: str) -> dict[str, str]:
        return {"vault": target.vault.name, "old": now.old.id, "version": now.version, **more}

    def _accounts(self, target: PlanTarget, plan: Plan) -> list[str]:
        issuer = target.issuer(self.provider)
        return issuer.named(str(plan.fingerprint["account"])) if issuer else []
