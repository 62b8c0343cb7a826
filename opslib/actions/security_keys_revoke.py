"""The old key taken out of the world, last: once nothing holds it, nothing uses it, and a person said so."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Outcome, Progress, Settled
from opslib.actions.security_keys import KeyAction, mark_of
from opslib.errors import Refused, StepFailed
from opslib.model import Effect, Plan, Repeat, Verdict, Verification
from opslib.probes.security_keys import Rotation, hosted, listed
from opslib.redaction import Secret
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.vault import usable

PAUSE_SECONDS = 1.0
SETTLING_SECONDS = 60.0
"""How long a provider may go on taking a key that it has deleted."""


class RevokeOldKey(KeyAction):
    """Deletes the old key at OpenAI; elsewhere waits until a person has, for ``wait_seconds``. Nothing brings it back.

    Refused while a store has the old key, a pod was started with it, or it was used within ``idle_minutes``.
    """

    name: ClassVar[str] = "revoke-old-key"
    title: ClassVar[str] = "Revoke the old key"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.IRREVERSIBLE
    most: ClassVar[int] = 1
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
        which = self._which(target, now) if self.provider == "openai" else {"key": f"of version {now.old.id}"}
        by = "this step, at OpenAI" if self.provider == "openai" else f"a person, at {self.of.keys_page}"
        return self.planned(
            before={**which, "taken": "yes"},
            after={**which, "taken": "no", "revoked by": by},
            touches=1,
            touched="keys revoked",
            verification="A call with the old key is answered with 401, and one with the new key is not.",
            undo="None: no provider makes a key again. A new one is staged by another run of this notebook.",
            fingerprint={"old": now.old.id, "version": now.version, "which": which},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Look at everything once more, then delete it, or wait until a person has."""
        now, new = self.staged(target, str(plan.fingerprint["version"]))
        if not now.promoted or now.old.id != plan.fingerprint["old"]:
            raise Refused("The vault is not as it was planned with.", "Plan again.")
        if left := holders(target, now):
            raise Refused(f"The old key is still in: {'; '.join(left)}.", "Give them the new one first.")
        if not target.llm_keys.knows(self.of, usable(now.variable, new)):
            raise Refused(f"{self.of.title} does not take the new key.", "Nothing was revoked; look at the new key.")
        if self.provider == "openai":
            self._idle(target, now, usable(now.variable, new))
            self._delete(target, plan)
        else:
            self._wait(target, now, progress)
        return {"old": now.old.id}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Try the old key, for a while, and the new one."""
        now = self.standing(target)
        until = time.monotonic() + SETTLING_SECONDS
        while (taken := target.llm_keys.knows(self.of, now.old_key())) and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
        lives = now.new is not None and target.llm_keys.knows(self.of, usable(now.variable, now.new))
        rows = (
            {"key": f"version {now.old.id}", "answer": "taken" if taken else "401"},
            {"key": f"version {now.version}", "answer": "taken" if lives else "401"},
        )
        well = lives and not taken
        said = "refuses the old key (401) and takes the new one" if well else "does not answer as it should"
        return Verification(Verdict.OK if well else Verdict.CRITICAL, f"{self.of.title} {said}.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look whether the old key is there: in OpenAI's list; elsewhere by trying it."""
        if self.provider == "openai":
            gone = all(one.id != plan.fingerprint["which"]["key"] for one in target.openai.listed())
        else:
            gone = not target.llm_keys.knows(self.of, self.standing(target).old_key())
        if gone:
            return Settled(Outcome.DONE, "The old key is gone.", {"old": plan.fingerprint["old"]})
        return Settled(Outcome.NOT_DONE, "The old key is there.")

    def _which(self, target: PlanTarget, now: Rotation) -> dict[str, str]:
        found = listed(target, now.old_key())
        if found is None:
            raise Refused(
                f"The old key is none of the project {target.openai.id}'s, or more than one could be it.",
                "Correct OPENAI_PROJECT_ID, or revoke it by hand.",
            )
        account = found.owner.account
        if account is None:
            return {"key": found.id, "of": "a person"}
        beside = [one.id for one in target.openai.listed() if one.owner.account and one.owner.account.id == account.id]
        if others := [one for one in beside if one != found.id]:
            raise Refused(
                f"The service account {account.name} has {len(others)} more keys, which would go with it.",
                "Find out who uses them; give each use an account of its own.",
            )
        return {"key": found.id, "of": "a service account", "account": account.id, "named": account.name}

    def _idle(self, target: WriteTarget, now: Rotation, new: Secret) -> None:
        found, mine = listed(target, now.old_key()), listed(target, new)
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
                "OpenAI has seen the old key used after the new one, or the new one never.",
                "See that the application calls with the new key; OpenAI may tell it some minutes late.",
            )

    def _delete(self, target: WriteTarget, plan: Plan) -> None:
        which = plan.fingerprint["which"]
        if "account" in which:
            target.openai_writer.remove(which["account"])
        else:
            target.openai_writer.remove_key(which["key"])

    def _wait(self, target: WriteTarget, now: Rotation, progress: Progress) -> None:
        until, started = time.monotonic() + self.wait_seconds, time.monotonic()
        while target.llm_keys.knows(self.of, now.old_key()):
            if time.monotonic() >= until:
                raise StepFailed(
                    f"{self.of.title} still takes the old key after {self.wait_seconds:g} s: nobody has revoked it.",
                    f"Revoke it at {self.of.keys_page}, then resume.",
                )
            progress(f"revoke it now at {self.of.keys_page}", time.monotonic() - started, self.wait_seconds)
            time.sleep(PAUSE_SECONDS)


def holders(target: PlanTarget, now: Rotation) -> list[str]:
    """Return where the old key is still read: stores that hold it, builds and pods that were made before."""
    settings, found = target.settings, []
    if settings.supabase_project is not None and now.holds(target.supabase.secrets().get(now.variable)) == now.old.id:
        found.append("the functions' secrets at Supabase")
    variable = hosted(target, now.variable)
    if variable is not None and variable.updated is not None:
        live = target.hosting.current().deployment
        if live is None or target.hosting.deployment(live).created < variable.updated:
            found.append("the live front end, built before its variable was set")
    if settings.kubernetes_url is None:
        return found
    secret = target.cluster_secrets.secret(settings.kubernetes_secret)
    key = secret.key_of(now.variable)
    if key is None:
        return found
    if now.holds(secret.value(key)) == now.old.id:
        found.append(f"the cluster's secret {secret.name}")
    mark = mark_of(now.provider)
    for one in target.cluster_secrets.readers(secret.name):
        pods = target.cluster_secrets.pods_of(one)
        if old := [pod.name for pod in pods if pod.meta.annotations.get(mark) != now.version]:
            found.append(f"{len(old)} pods of {one.name}, started before")
    return found
