"""Another key that signs a Supabase project's tokens: made ready, brought into use, and seen on a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification, now
from opslib.probes.security_signing import Signing, shown_secret, signing_of
from opslib.systems.supabase_keyring import BEFORE, IN_USE, REVOKED, SHARED, STANDBY, SigningKey
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

ALGORITHM = "ES256"
"""What Supabase recommends: anybody can check with the public half, and every library knows it."""


class SigningAction(Action):
    """A step with the project's signing keys. All hold the lock of authentication, as what ends sessions does."""

    area: ClassVar[str] = "authentication"
    seconds: ClassVar[float] = 600.0
    most: ClassVar[int] = 1
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-00",)

    def identity(self, target: PlanTarget, current: SigningKey, **more: str) -> dict[str, str]:
        """Return by what a plan is the same: the project, and the key that signs."""
        return {"project": target.keyring.ref, "current": current.id, **more}


class PrepareSigningKey(SigningAction):
    """Makes a standby key, which signs nothing yet, where there is none; its private half nobody ever gets."""

    name: ClassVar[str] = "prepare-signing-key"
    title: ClassVar[str] = "Make the next signing key"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    guide: ClassVar[str] = "JWT_SECRET=your-jwt-secret-here"
    reason: ClassVar[str] = (
        "The guide has one secret, which whoever checks tokens must have, and no second one beside it: another secret "
        "signs everybody out and takes the API keys anon and service_role with it. A key with a public half overlaps "
        "with the one before, and no store holds it."
    )

    def plan(self, target: PlanTarget) -> Plan:
        """Look which keys there are; raises Refused for a project without any, or a secret that browsers get."""
        if shown := shown_secret(target):
            raise Refused(
                f"The shared secret stands where a build puts it into every browser: {'; '.join(shown)}.",
                "Remove it there and deploy: whoever opened the front end can make tokens (GH-04). Then rotate.",
            )
        found = signing_of(target)
        current, ready = found.current, found.standby
        return self.planned(
            before={"next": f"{ready.algorithm} {ready.id}" if ready else "none"},
            after={"next": f"{ready.algorithm} {ready.id}" if ready else f"a new key of {ALGORITHM}"},
            touches=0 if ready else 1,
            touched="keys made",
            verification="Supabase lists one standby key, and the key that signs is the one of before.",
            undo="Nothing is undone: the key was there." if ready else "The key is revoked before it signs anything.",
            fingerprint=self.identity(target, current, standby=ready.id if ready else ""),
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Make it, once; raises Refused where another one came meanwhile."""
        if plan.touches == 0:
            return {"key": plan.fingerprint["standby"], "made": False}
        if signing_of(target).standby is not None:
            raise Refused("There is a standby key by now.", "Look who made it; plan again with that one.")
        made = target.keyring_writer.make_signing_key(ALGORITHM)
        progress(f"{made.id} was made")
        return {"key": made.id, "made": True}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the list, and whether the public set has it yet."""
        found = signing_of(target)
        mine = found.key(str(values["key"]))
        published = mine.id in target.door.public_keys()
        rows = ({"key": mine.id, "algorithm": mine.algorithm, "status": mine.status, "published": published},)
        if mine.status != STANDBY or found.current.id != plan.fingerprint["current"]:
            return Verification(Verdict.CRITICAL, f"{mine.id} is {mine.status}, and {found.current.id} signs.", rows)
        seen = "is in the public set" if published else "is not in the public set yet, which is kept for ten minutes"
        return Verification(Verdict.OK, f"{mine.id} is ready, signs nothing, and {seen}.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for a standby key: when it was planned there was none, and there is one at a time."""
        if plan.touches == 0:
            return Settled(Outcome.DONE, "Nothing was to be done.", {"key": plan.fingerprint["standby"], "made": False})
        ready = signing_of(target).standby
        if ready is None:
            return Settled(Outcome.NOT_DONE, "There is no standby key.")
        return Settled(Outcome.DONE, f"{ready.id} is ready.", {"key": ready.id, "made": True})

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Revoke it; raises Refused while it signs. A key that was there before stays."""
        if not values["made"]:
            return Verification(Verdict.OK, f"{values['key']} was there before, and stays.")
        mine = signing_of(target).key(str(values["key"]))
        if mine.status == IN_USE:
            raise Refused(f"{mine.id} signs.", "Undo that step first.")
        if mine.status == STANDBY:
            mine = target.keyring_writer.move_signing_key(mine.id, BEFORE)
        if mine.status == BEFORE:
            target.keyring_writer.move_signing_key(mine.id, REVOKED)
        left = signing_of(target).key(mine.id).status
        said = f"{mine.id} is {left}."
        return Verification(Verdict.OK if left == REVOKED else Verdict.CRITICAL, said)


class RotateSigningKey(SigningAction):
    """Brings the standby key into use, once it was published for ``publish_minutes``; the one before stays trusted.

    Nobody is signed out: tokens of the key before are taken until they expire, and renewed ones are signed anew.
    """

    name: ClassVar[str] = "rotate-signing-key"
    title: ClassVar[str] = "Sign with the next key"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    guide: ClassVar[str] = "JWT_SECRET=your-jwt-secret-here"
    reason: ClassVar[str] = (
        "Who checks tokens keeps the public set for a while: a key that signs before it is known there is refused. And "
        "the key before must stay trusted for as long as its tokens count, or everybody is signed out."
    )

    publish_minutes: float = Field(default=20.0, ge=0, le=1440)

    def plan(self, target: PlanTarget) -> Plan:
        """Say which key signs now, and that the standby key will."""
        if self.publish_minutes >= target.plan_minutes:
            raise Refused(
                f"The next key is to be known for {self.publish_minutes:g} minutes, and a plan holds for "
                f"{target.plan_minutes:g}.",
                "Let it be known for less, or let the target's owner raise OPS_PLAN_MINUTES.",
            )
        current = signing_of(target).current
        return self.planned(
            before={"signs": f"{current.algorithm} {current.id}", "trusted": current.id},
            after={"signs": "the standby key", "trusted": f"the standby key, and {current.id} until it is revoked"},
            touches=1,
            touched="keys brought into use",
            verification="Supabase lists the next key in use, the one before as previously used, and both in the set.",
            undo=f"{current.id} signs again; tokens of the next key are taken until they expire.",
            fingerprint=self.identity(target, current),
            observed={"a token counts for": f"{target.supabase.auth_config().jwt_exp} s"},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Bring it into use, once; raises Refused where it is too young, not published, or another key signs."""
        found, before = signing_of(target), str(plan.fingerprint["current"])
        ready = found.standby
        if found.current.id != before or ready is None:
            raise Refused("The keys are not as they were planned with.", "Look at the step before; plan again.")
        age = now() - ready.created
        if age.total_seconds() < self.publish_minutes * 60:
            raise Refused(
                f"{ready.id} was made {age.total_seconds():.0f} s ago: who keeps the public set does not know it yet.",
                f"Wait until it is {self.publish_minutes:g} minutes old, then resume.",
            )
        if ready.id not in target.door.public_keys():
            raise Refused(f"{ready.id} is not in the project's public set.", "Wait some minutes, then resume.")
        target.keyring_writer.move_signing_key(ready.id, IN_USE)
        return {"key": ready.id, "before": before}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at both keys and at the public set."""
        return _looked(target, signing_of(target), str(values["key"]), str(values["before"]))

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look which key signs."""
        found, before = signing_of(target), str(plan.fingerprint["current"])
        if found.current.id == before:
            return Settled(Outcome.NOT_DONE, f"{before} signs, as before.")
        if found.key(before).status == BEFORE and found.standby is None:
            return Settled(Outcome.DONE, f"{found.current.id} signs.", {"key": found.current.id, "before": before})
        return Settled(Outcome.UNKNOWN, f"{found.current.id} signs, and {before} is {found.key(before).status}.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Let the key before sign again; raises Refused where another rotation followed, or it was revoked."""
        found, mine, before = signing_of(target), str(values["key"]), str(values["before"])
        old = found.key(before)
        if found.current.id != mine or old.status not in (BEFORE, STANDBY):
            raise Refused(
                f"{found.current.id} signs, and {before} is {old.status}.",
                "Look who did that; a key that was revoked is trusted again by the undo of its revocation.",
            )
        if old.status == BEFORE:
            target.keyring_writer.move_signing_key(before, STANDBY)
            progress(f"{before} is ready")
        target.keyring_writer.move_signing_key(before, IN_USE)
        return _looked(target, signing_of(target), before, mine)


class TrySigningKey(SigningAction):
    """Signs the trial account in and out, and looks by which key its token was signed, and whether it is taken."""

    name: ClassVar[str] = "try-signing-key"
    title: ClassVar[str] = "See which key signs a token"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-05",)
    guide: ClassVar[str] = 'POST /api/llm/chat {"prompt": "Test"}'
    reason: ClassVar[str] = (
        "A list says which key is meant to sign. A token says which one does; that it is taken at both doors says that "
        "people can sign in. It is shown nowhere, and its session is ended at once."
    )

    def plan(self, target: PlanTarget) -> Plan:
        """Say whether there is an account that may sign in for it."""
        there = target.settings.trial_email is not None
        return self.planned(
            before={"sessions of the trial account": "as they are"},
            after={"sessions of the trial account": "one more, and ended" if there else "as they are"},
            touches=int(there),
            touched="sessions made and ended",
            verification="The token names the key that Supabase lists in use, and sign-in and REST interface take it."
            if there
            else "None: OPS_TRIAL_EMAIL names no account, so nobody signs in.",
            undo="Nothing stays: the session was ended.",
            fingerprint={"project": target.keyring.ref, "trial": there},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Sign in, look, sign out; the token is kept nowhere."""
        if plan.touches == 0:
            return {"key": ""}
        token = target.trial_door.sign_in()
        try:
            taken = target.trial_door.known(token)
        finally:
            target.trial_door.sign_out(token)
        return {"key": token.key, "algorithm": token.algorithm, "seconds": token.seconds, "taken": taken}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Hold the token's key against the list and the public set."""
        if plan.touches == 0:
            said = "Nobody signed in: OPS_TRIAL_EMAIL and OPS_TRIAL_PASSWORD name no account"
            return Verification(Verdict.UNKNOWN, f"{said}. Sign in yourself, and look at the token's kid.")
        current, rows = signing_of(target).current, (dict(values),)
        # A shared secret need not name itself in what it signs.
        mine = values["key"] == current.id or (current.algorithm == SHARED and values["algorithm"] == SHARED)
        if not mine:
            return Verification(Verdict.CRITICAL, f"A token is signed by {values['key']}, not by {current.id}.", rows)
        if current.algorithm != SHARED and current.id not in target.door.public_keys():
            return Verification(Verdict.CRITICAL, f"{current.id} signs, and is not in the public set.", rows)
        if not values["taken"]:
            return Verification(Verdict.CRITICAL, "A token that was just made is refused.", rows)
        said = f"A token that was just made is signed by {current.id}, counts {values['seconds']} s, and is taken"
        return Verification(Verdict.OK, f"{said}.", rows)

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Nothing is left to be undone."""
        return Verification(Verdict.OK, "The session was ended when it had been looked at.")


def _looked(target: VerifyTarget, found: Signing, key: str, before: str) -> Verification:
    published = set(target.door.public_keys())
    pair = [found.key(one) for one in (key, before)]
    rows = tuple(
        {"key": one.id, "algorithm": one.algorithm, "status": one.status, "published": one.id in published}
        for one in pair
    )
    if [one.status for one in pair] != [IN_USE, BEFORE]:
        said = "; ".join(f"{one.id} is {one.status}" for one in pair)
        return Verification(Verdict.CRITICAL, f"{said}.", rows)
    if missing := [one.id for one in pair if one.algorithm != SHARED and one.id not in published]:
        return Verification(Verdict.CRITICAL, f"Not in the public set: {', '.join(missing)}.", rows)
    return Verification(Verdict.OK, f"{key} signs; tokens of {before} are taken until they expire.", rows)
