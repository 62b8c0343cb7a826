"""What the steps of a key's rotation have in common, and the first: a new key, staged where nothing reads it yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from opslib.actions.base import Action, Outcome, Progress, Settled
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.model import Effect, Plan, Repeat, Verdict, Verification
from opslib.probes.security_keys import Rotation, exposed, listed, moment, rotation, staging
from opslib.systems.llm_keys import PROVIDERS, Provider, ProviderName
from opslib.systems.openai import Account
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.vault import PENDING, PREVIOUS, Version, usable


class KeyAction(Action):
    """A step of the rotation of one provider's key, which its provider's name says.

    All steps hold one lock, that of the language models: a run holds its locks through the soak, and an hour without
    scaling or deployments would be worse than what each step sees by itself, that somebody else changed its store.
    """

    area: ClassVar[str] = "llm"
    seconds: ClassVar[float] = 600.0

    provider: ProviderName

    @property
    def of(self) -> Provider:
        """The provider."""
        return PROVIDERS[self.provider]

    def standing(self, target: PlanTarget) -> Rotation:
        """Return how the rotation stands; raises Refused as :func:`opslib.probes.security_keys.rotation`."""
        return rotation(target, self.of)

    def staged(self, target: PlanTarget, version: str) -> tuple[Rotation, Version]:
        """Return the rotation with its new version; raises Refused where that is not ``version``, as planned."""
        now = self.standing(target)
        if now.version != version or now.new is None:
            raise Refused(f"The new key, version {version} of {target.vault.name}, is not staged.", "Stage it first.")
        return now, now.new


def account_name(provider: Provider, version: str) -> str:
    """Return the name of the service account of a rotation: by it, one that was made is found again."""
    return f"ops-{provider.variable.lower().replace('_', '-')}-{version[:8]}"


def mark_of(provider: Provider) -> str:
    """Return the annotation that says which version's key a pod was started with."""
    return f"opslib/{provider.variable.lower().replace('_', '-')}"


class StageKey(KeyAction):
    """Puts a new key into the vault with the stage AWSPENDING, where nothing reads it.

    OpenAI: a service account with a key is made for it, once. Where a provider has no API for keys, a person has
    staged the key, and this step looks whether it is one that may be used.
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
        now = self.standing(target)
        usable(now.variable, now.old)
        plan = self._made(target, now) if self.provider == "openai" else self._given(target, now)
        self._finished(target, now)
        return plan

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Make the account and put its key, once each; the value is in no variable of the notebook's process."""
        version = str(plan.fingerprint["version"])
        if plan.touches == 0:
            return {"version": version}
        made = target.openai_writer.make(str(plan.fingerprint["account"]))
        progress("a service account was made", 1, 2)
        target.vault_writer.put_pending(
            self.of.variable, made.value, base=str(plan.fingerprint["old"]), version=version
        )
        progress("its key is staged", 2, 2)
        return {"version": version, "account": made.account, "key": made.key}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the version's difference from the current one, and at the provider's list."""
        pending, old = target.vault.stage(PENDING), target.vault.version(str(plan.fingerprint["old"]))
        if pending is None or old is None or pending.id != values["version"]:
            return Verification(Verdict.CRITICAL, f"Version {values['version']} has not the stage {PENDING}.")
        if pending.differs(old) != (self.of.variable,):
            return Verification(Verdict.CRITICAL, f"The staged version differs in more than {self.of.variable}.")
        rows: tuple[dict[str, Any], ...] = ({"version": pending.id, "stage": PENDING, "differs in": self.of.variable},)
        if self.provider == "openai":
            found = listed(target, usable(self.of.variable, pending))
            mine = self._accounts(target, plan)
            if found is None or len(mine) != 1:
                said = f"OpenAI lists {len(mine)} accounts named {plan.fingerprint['account']}"
                return Verification(Verdict.CRITICAL, f"{said}, and {'no' if found is None else 'its'} key.", rows)
            rows += ({"service account": mine[0].name, "id": mine[0].id, "key": found.id, "used": found.used},)
        return Verification(Verdict.OK, f"The new key is version {pending.id} of the vault; nothing reads it.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for version and account; an account without a version is deleted: nobody has its key's value."""
        version = target.vault.version(str(plan.fingerprint["version"]))
        if plan.touches == 0:
            return Settled(Outcome.DONE, "Nothing was to be done.", {"version": plan.fingerprint["version"]})
        mine = self._accounts(target, plan)
        if version is None:
            for one in mine:
                target.openai_writer.remove(one.id)
            left = f" {len(mine)} accounts without a staged key were deleted." if mine else ""
            return Settled(Outcome.NOT_DONE, f"No key is staged.{left}")
        found = listed(target, usable(self.of.variable, version))
        if len(mine) != 1 or found is None:
            return Settled(Outcome.UNKNOWN, f"A key is staged, and OpenAI lists {len(mine)} accounts of its name.")
        return Settled(
            Outcome.DONE, "The key is staged.", {"version": version.id, "account": mine[0].id, "key": found.id}
        )

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Delete the account with its key and take the stage off; raises Refused once the version is current."""
        now = self.standing(target)
        if now.promoted:
            raise Refused("The new key is the current one.", "Undo that step first.")
        for one in self._accounts(target, plan):
            target.openai_writer.remove(one.id)
        pending = target.vault.stage(PENDING)
        if pending is not None and pending.id == values["version"]:
            target.vault_writer.move(PENDING, None, off=pending.id)
        left, pending = self._accounts(target, plan), target.vault.stage(PENDING)
        gone = not left and (pending is None or pending.id != values["version"])
        said = "The new key is gone from the vault's stages and at OpenAI." if gone else "The new key is still there."
        return Verification(Verdict.OK if gone else Verdict.CRITICAL, said)

    def _finished(self, target: PlanTarget, now: Rotation) -> None:
        """Raise Refused where the key before today's still lives: this rotation would lose sight of it."""
        before = target.vault.stage(PREVIOUS)
        value = before.value(now.variable) if before else None
        # After an undo the previous version has the key that is staged again.
        known = (now.old_key(), now.new.value(now.variable) if now.new else None)
        if before is None or value is None or value in known or not target.llm_keys.knows(self.of, value):
            return
        raise Refused(
            f"{self.of.title} still takes the key before today's (version {before.id}): a rotation was not finished.",
            f"Finish it (ops resume), or revoke that key at {self.of.keys_page}; then rotate.",
        )

    def _made(self, target: PlanTarget, now: Rotation) -> Plan:
        pending = target.vault.stage(PENDING)
        if pending is not None and pending.id != now.old.id:
            raise Refused(
                f"Version {pending.id} has the stage {PENDING}: another rotation is under way, or was left half done.",
                "Go on with that one or undo it (ops resume, ops undo).",
            )
        account = account_name(self.of, now.version)
        if any(one.name == account for one in target.openai.accounts()):
            raise Refused(f"OpenAI has a service account {account} already.", "Delete it: nobody has its key.")
        old = listed(target, now.old_key())
        if old is None:
            raise Refused(
                f"The key in use is none of the project {target.openai.id}'s, or more than one could be it.",
                "Correct OPENAI_PROJECT_ID: a key of another project would have other limits and another bill.",
            )
        return self.planned(
            before={PENDING: "none", "service account": "none"},
            after={PENDING: f"version {now.version}", "service account": account},
            touches=2,
            touched="service accounts made and versions put",
            verification="The staged version differs from the current one in this key alone, and OpenAI lists the key.",
            undo="The service account is deleted with its key, and the stage is taken off the version.",
            fingerprint=self._identity(target, now, account=account, old_key=old.id),
            observed={"old key was used": moment(old.used)},
        )

    def _given(self, target: PlanTarget, now: Rotation) -> Plan:
        if now.promoted or now.new is None:
            raise Refused(f"No new version has the stage {PENDING}.", staging(self.of))
        differs = now.new.differs(now.old)
        if not differs:
            raise Refused("The staged key is the same as before.", staging(self.of))
        if differs != (now.variable,):
            raise Refused(f"The staged version differs in {', '.join(differs)}.", f"Change {now.variable} alone.")
        if not target.llm_keys.knows(self.of, usable(now.variable, now.new)):
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

    def _accounts(self, target: PlanTarget, plan: Plan) -> list[Account]:
        if self.provider != "openai":
            return []
        return [one for one in target.openai.accounts() if one.name == plan.fingerprint["account"]]


class TryKey(KeyAction):
    """Says one word to the provider with the new key, before anything reads it. Costs less than 0.0001 USD."""

    name: ClassVar[str] = "try-key"
    title: ClassVar[str] = "Try the new key at the provider"
    effect: ClassVar[Effect] = Effect.READ
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    most: ClassVar[int] = 1
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-05",)
    guide: ClassVar[str] = 'POST /api/llm/chat {"prompt": "Test"}'
    reason: ClassVar[str] = (
        "The guide's call goes to the application, which refuses it without CSRF token and session (GH-17), may answer "
        "from its cache or by the other provider, and proves nothing of this key. The key itself is tried, while a "
        "wrong one harms nobody."
    )

    def plan(self, target: PlanTarget) -> Plan:
        """Say what will be asked; nothing is asked yet."""
        now = self.standing(target)
        return self.planned(
            before={"key": f"version {now.version}", "tried": "no"},
            after={"key": f"version {now.version}", "tried": "one word of a chat, below 0.0001 USD"},
            touches=0,
            touched="nothing is changed",
            verification="The provider answers the chat, and takes the key when it is asked for its models.",
            undo="Nothing was changed.",
            fingerprint={"version": now.version},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Ask; raises Refused for a key that the provider does not take, or of another project."""
        now, new = self.staged(target, str(plan.fingerprint["version"]))
        key = usable(now.variable, new)
        try:
            spoken = target.key_user.speak(self.of, key)
        except Unreachable as error:
            if error.kind == "unauthorized":
                raise Refused(
                    f"{self.of.title} does not take the new key (401).", "Undo this run; stage another."
                ) from None
            raise
        project = target.settings.openai_project
        if spoken.project and project and spoken.project != project:
            raise Refused(f"The new key is of the project {spoken.project}, not of {project}.", "Undo this run.")
        return {"version": new.id, "model": spoken.model, "tokens": spoken.tokens, "project": spoken.project}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Ask for the models with it once more, which costs nothing."""
        now = self.standing(target)
        if now.new is None:
            raise StepFailed("The new key is not in the vault any more.", "Look who took its stage off.")
        known = target.llm_keys.knows(self.of, usable(now.variable, now.new))
        said = f"{self.of.title} answered with {values['model']}: {values['tokens']} tokens."
        rows = ({"model": values["model"], "tokens": values["tokens"], "project": values["project"] or "not told"},)
        return Verification(Verdict.OK if known else Verdict.CRITICAL, said if known else "It is refused now.", rows)
