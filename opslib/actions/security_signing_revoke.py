"""A key that signed before is trusted no more, last: once its tokens have run out, or at once, for a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from opslib.actions.base import Progress, Settled
from opslib.actions.security_signing import SigningAction
from opslib.canonical import to_json
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification, now
from opslib.probes.security_signing import Signing, signing_of
from opslib.systems.supabase_keyring import BEFORE, REVOKED, STANDBY, SigningKey
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget


class RevokeSigningKey(SigningAction):
    """Revokes the key that signed before (``previous``: of several the one that was replaced first), or the ``older``
    JWT secret, once its last token has expired and ``margin_minutes`` are over; with ``sign_out`` at once.

    Revoked before that, it signs people out: a token of it is refused, until the one who has it gets a new one.
    """

    name: ClassVar[str] = "revoke-signing-key"
    title: ClassVar[str] = "Trust the key of before no more"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-06",)
    guide: ClassVar[str] = "Revoke old key in provider dashboard"
    reason: ClassVar[str] = (
        "While a key is trusted, whoever has it can make tokens of anybody. Revoked too early it signs everybody out "
        "whose token it signed; the guide's way, another JWT_SECRET, does that each time."
    )

    key: Literal["previous", "older"] = "previous"
    sign_out: bool = False
    margin_minutes: float = Field(default=15.0, ge=0, le=1440)

    def plan(self, target: PlanTarget) -> Plan:
        """Say which key, and until when its tokens count; raises Refused before that, and while API keys hang on it."""
        found = signing_of(target)
        current, mine = found.current, self._mine(found)
        if mine.id == found.older and target.keyring.legacy_keys():
            raise Refused(
                "The API keys anon and service_role are tokens of the older secret: revoked, both are refused at once.",
                "Replace them and let them be taken no more first (runbooks/rotate-api-keys, provider=supabase).",
            )
        due = self._due(target, mine)
        return self.planned(
            before={"trusted": f"{mine.algorithm} {mine.id}", "signs": current.id},
            after={"trusted": f"not {mine.id}", "signs": current.id},
            touches=1,
            touched="keys revoked",
            verification="Supabase lists the key as revoked, and another one signs.",
            undo=f"{mine.id} becomes a standby key: its tokens are taken again, as far as they count.",
            fingerprint=self.identity(target, current, key=mine.id),
            observed={"its tokens count until": to_json(due), "at once": self.sign_out},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Revoke it, once; raises Refused where it signs again by now, or another key does."""
        found, key = signing_of(target), str(plan.fingerprint["key"])
        if found.current.id != plan.fingerprint["current"] or found.key(key).status != BEFORE:
            raise Refused("The keys are not as they were planned with.", "Look who changed them; plan again.")
        self._due(target, found.key(key))
        target.keyring_writer.move_signing_key(key, REVOKED)
        return {"key": key}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the list; the public set is told, but kept for a while also by Supabase itself."""
        found = signing_of(target)
        mine = found.key(str(values["key"]))
        published = mine.id in target.door.public_keys()
        rows = ({"key": mine.id, "status": mine.status, "published": published, "signs": found.current.id},)
        if mine.status != REVOKED:
            return Verification(Verdict.CRITICAL, f"{mine.id} is {mine.status}.", rows)
        more = "still in the public set, which is kept for ten minutes" if published else "not in the public set"
        said = f"{mine.id} is revoked, and {more}; {found.current.id} signs"
        return Verification(Verdict.OK, f"{said}. What keeps the set by itself may trust it for some time.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look in which status it is."""
        key = str(plan.fingerprint["key"])
        status = signing_of(target).key(key).status
        if status == REVOKED:
            return Settled(Outcome.DONE, f"{key} is revoked.", {"key": key})
        if status == BEFORE:
            return Settled(Outcome.NOT_DONE, f"{key} is trusted, as before.")
        return Settled(Outcome.UNKNOWN, f"{key} is {status}: somebody moved it.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Let it be a standby key, which is trusted and signs nothing; raises Refused where there is one already."""
        found, key = signing_of(target), str(values["key"])
        if found.key(key).status != REVOKED or found.of(STANDBY):
            raise Refused(
                f"{key} is {found.key(key).status}, and {len(found.of(STANDBY))} other keys are standby.",
                "There is one standby key at a time: look at the project's page of JWT keys.",
            )
        target.keyring_writer.move_signing_key(key, STANDBY)
        status = signing_of(target).key(key).status
        said = f"{key} is {status}: its tokens are taken again."
        return Verification(Verdict.OK if status == STANDBY else Verdict.CRITICAL, said)

    def _mine(self, found: Signing) -> SigningKey:
        if self.key == "previous":
            if not found.before:
                raise Refused("No key of before is trusted.", "Rotate first (runbooks/rotate-signing-keys).")
            return found.before[0]
        if found.older is None or found.key(found.older).status != BEFORE:
            raise Refused(
                "The older JWT secret is none of the keys that are trusted from before.",
                "Look at the list: it may sign now (runbooks/rotate-signing-keys), or be revoked.",
            )
        return found.key(found.older)

    def _due(self, target: PlanTarget, mine: SigningKey) -> datetime:
        """Return from when on no token of it counts; raises Refused before that, unless people are to be signed out."""
        seconds = target.supabase.auth_config().jwt_exp
        if seconds is None:
            raise Refused("The project does not say for how long its tokens count.", "Look at its JWT settings.")
        due = mine.updated + timedelta(seconds=seconds, minutes=self.margin_minutes)
        if not self.sign_out and now() < due:
            raise Refused(
                f"Tokens of {mine.id} may count until {due:%Y-%m-%d %H:%M} UTC: who has one would be signed out.",
                "Plan again after that; or, where the key is known to others, with sign_out=true.",
            )
        return due
