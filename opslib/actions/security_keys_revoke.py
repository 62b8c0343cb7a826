"""The old key taken out of the world, last: once nothing holds it, nothing uses it, and a person said so."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Progress, Settled
from opslib.actions.security_keys import KeyAction
from opslib.actions.security_keys_holders import holders, readers
from opslib.errors import Refused, StepFailed
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.security_keys import Rotation
from opslib.probes.security_keys_used import listed
from opslib.redaction import Secret
from opslib.systems.issuers import Which, older
from opslib.systems.supabase_keyring import PUBLISHABLE, form_of
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.vault import usable

PAUSE_SECONDS = 1.0
SETTLING_SECONDS = 60.0
"""How long a provider may go on taking a key that it has deleted."""


class RevokeOldKey(KeyAction):
    """Deletes the old key where there is an API; elsewhere waits until a person has, for ``wait_seconds``.

    Nothing brings a deleted key back. Supabase's older keys are taken no more, both at once, and that can be undone.

    Refused while a store or any secret of pods has the old key, a pod was started with it, or it was used within
    ``idle_minutes``.
    """

    name: ClassVar[str] = "revoke-old-key"
    title: ClassVar[str] = "Revoke the old key"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.IRREVERSIBLE
    most: ClassVar[int] = 2
    seconds: ClassVar[float] = 4500.0
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-06",)
    guide: ClassVar[str] = "Revoke old key in provider dashboard"
    reason: ClassVar[str] = (
        "A key that is revoked while something still has it is an outage, and nobody makes it again. So every store is "
        "looked at once more, and where the provider tells, when the old key was used last."
    )

    idle_minutes: float = Field(default=30.0, ge=0, le=10_080)
    wait_seconds: float = Field(default=900.0, ge=1, le=3600)

    def plan(self, target: PlanTarget) -> Plan:
        """Say which key it is; raises Refused where that is not certain, or where others would go with it."""
        if self.idle_minutes >= target.plan_minutes:
            raise Refused(
                f"The old key is to rest for {self.idle_minutes:g} minutes, and a plan holds for "
                f"{target.plan_minutes:g}: its approvals would be over before the revocation.",
                "Let the old key rest for less, or let the target's owner raise OPS_PLAN_MINUTES.",
            )
        now = self.standing(target)
        issuer = target.issuer(self.provider)
        if issuer and not issuer.entry(now.old_key()) and not target.rotated_keys.knows(self.of, now.old_key()):
            return self._gone(now)
        which = issuer.which(now.old_key()) if issuer else {"key": f"of version {now.old.id}"}
        if self.provider == "supabase":
            _apart(target, which)
        by = f"this step, at {self.of.title}" if issuer else f"a person, at {self.of.keys_page}"
        return self.planned(
            before={**which, "taken": "yes"},
            after={**which, "taken": "no", "revoked by": by},
            touches=2 if older(which) else 1,
            touched="keys revoked",
            verification="A call with the old key is answered with 401, and one with the new key is not.",
            undo="The older keys are taken again."
            if older(which)
            else "None: no provider makes a key again. A new one is staged by another run of this notebook.",
            fingerprint={"old": now.old.id, "version": now.version, "which": which},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Look at everything once more, then delete it, or wait until a person has."""
        if not plan.touches:
            return {"old": plan.fingerprint["old"]}
        now, new = self.staged(target, str(plan.fingerprint["version"]))
        if not now.promoted or now.old.id != plan.fingerprint["old"]:
            raise Refused("The vault is not as it was planned with.", "Plan again.")
        if left := holders(target, now):
            raise Refused(
                f"The old key is still in: {'; '.join(left)}.", "Give them the new one first, or take it away there."
            )
        if not target.rotated_keys.knows(self.of, usable(now.variable, new)):
            raise Refused(f"{self.of.title} does not take the new key.", "Nothing was revoked; look at the new key.")
        if target.issuer(self.provider):
            self._idle(target, now, usable(now.variable, new))
            target.issuer_writer(self.provider).revoke(plan.fingerprint["which"])
        else:
            self._wait(target, now, progress)
        return {"old": now.old.id}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Try the old key, for a while, and the new one."""
        now = self.standing(target)
        until = time.monotonic() + SETTLING_SECONDS
        while (taken := target.rotated_keys.knows(self.of, now.old_key())) and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
        new = usable(now.variable, now.new) if now.new is not None else None
        lives = new is not None and target.rotated_keys.knows(self.of, new)
        rows = (
            {"key": f"version {now.old.id}", "answer": "taken" if taken else "401"},
            {"key": f"version {now.version}", "answer": "taken" if lives else "401"},
        )
        well = lives and not taken
        said = "refuses the old key (401) and takes the new one" if well else "does not answer as it should"
        signed = well and older(plan.fingerprint["which"])
        if signed and new is not None and target.rotated_keys.passes(now.old_key(), new):
            said = "refuses the old key, but takes it as a bearer token beside another one, as it was signed"
            more = "revoke the older JWT secret (runbooks/revoke-signing-key, key=older)"
            return Verification(Verdict.WARNING, f"{self.of.title} {said}: {more}.", rows)
        return Verification(Verdict.OK if well else Verdict.CRITICAL, f"{self.of.title} {said}.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look whether the old key is there: in the list where there is one; else by trying it."""
        if not plan.touches:
            gone = True
        elif issuer := target.issuer(self.provider):
            gone = issuer.gone(plan.fingerprint["which"])
        else:
            gone = not target.rotated_keys.knows(self.of, self.standing(target).old_key())
        if gone:
            return Settled(Outcome.DONE, "The old key is gone.", {"old": plan.fingerprint["old"]})
        return Settled(Outcome.NOT_DONE, "The old key is there.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Take Supabase's older keys again; raises Refused for every other key, which nothing brings back."""
        if not plan.touches:
            return Verification(Verdict.OK, "Nothing had been revoked.")
        if not older(plan.fingerprint["which"]):
            return super().undo(target, plan, values, progress)
        target.keyring_writer.take_older_keys(True)
        taken = target.keyring.legacy_keys()
        said = f"The older keys are {'' if taken else 'NOT '}taken again."
        return Verification(Verdict.OK if taken else Verdict.CRITICAL, said)

    def _gone(self, now: Rotation) -> Plan:
        """Return the plan where the provider took the old key away itself: nothing is left to revoke."""
        said = {"key": f"of version {now.old.id}", "taken": "no"}
        return self.planned(
            before=said,
            after=said,
            touches=0,
            touched="keys revoked",
            verification="A call with the old key is answered with 401, and one with the new key is not.",
            undo="None is needed.",
            fingerprint={"old": now.old.id, "version": now.version, "which": {"key": "gone"}},
        )

    def _idle(self, target: WriteTarget, now: Rotation, new: Secret) -> None:
        found, mine = listed(target, self.of, now.old_key()), listed(target, self.of, new)
        if (
            found is not None
            and found.used is not None
            and (since := time.time() - found.used) < self.idle_minutes * 60
        ):
            raise Refused(
                f"The old key was used {since:.0f} s ago: something that is not known here has it.",
                f"Find out what, and let {self.idle_minutes:g} minutes pass without a use.",
            )

        if mine is None or mine.used is None or (found is not None and (found.used or 0) > mine.used):
            raise Refused(
                f"{self.of.title} has seen the old key used after the new one, or the new one never.",
                "See that the application calls with the new key; it may be told some minutes late.",
            )

    def _wait(self, target: WriteTarget, now: Rotation, progress: Progress) -> None:
        until, started = time.monotonic() + self.wait_seconds, time.monotonic()
        while target.rotated_keys.knows(self.of, now.old_key()):
            if time.monotonic() >= until:
                raise StepFailed(
                    f"{self.of.title} still takes the old key after {self.wait_seconds:g} s: nobody has revoked it.",
                    f"Revoke it at {self.of.keys_page}, then resume.",
                )
            progress(f"revoke it now at {self.of.keys_page}", time.monotonic() - started, self.wait_seconds)
            time.sleep(PAUSE_SECONDS)


def _apart(target: PlanTarget, which: Which) -> None:
    """Raise Refused where something reads the Supabase project's keys that no step here gives the new one."""
    if found := readers(target, which):
        raise Refused(
            f"Functions read the old key by its name, as Supabase hands it to them: {', '.join(found)}.",
            "Let them take any key of SUPABASE_SECRET_KEYS, deploy them (runbooks/deploy-supabase); then rotate.",
        )
    anon = target.settings.supabase_anon_key
    if older(which) and (anon is None or form_of(anon) != PUBLISHABLE):
        raise Refused(
            "The front end is built with the older public key (VITE_SUPABASE_ANON_KEY), which goes with the old one.",
            "Give it a publishable key and deploy (runbooks/deploy-new-version); then rotate.",
        )
