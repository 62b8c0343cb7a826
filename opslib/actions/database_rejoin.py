"""The former primary follows the new one: rewound onto it, with what it alone had committed thrown away for good."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Progress, Settled
from opslib.actions.database_failover import NO_UNDO, FailoverAction, row_of, url_of
from opslib.errors import Refused, StepFailed
from opslib.model import Outcome, Plan, Repeat, Row, Verdict, Verification, now
from opslib.probes.database_failover import lost, more_of
from opslib.systems.postgres_fencing import open_server
from opslib.systems.postgres_promotion import recovering
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

SHOWN = ("address", "answers", "standby", "timeline", "receiver", "receives_from", "not_replayed_bytes", "reason")
PAUSE = 0.5


class RejoinFormerPrimary(FailoverAction):
    """Has the described program rewind the former primary and start it as a standby; then lets sessions in again."""

    name: ClassVar[str] = "rejoin-former-primary"
    title: ClassVar[str] = "Let the former primary follow"
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 4 * 3600.0
    reason: ClassVar[str] = (
        "Started as it is, the former primary is a second one. pg_rewind needs its data folder, so a program on its "
        "machine does it."
    )

    rejoin: bool = True
    wait_seconds: float = Field(default=3600.0, ge=10, le=12_000)

    def plan(self, target: PlanTarget) -> Plan:
        """Say what is thrown away; nothing is planned where nobody asked for it, or no program is described."""
        if self.idle:
            return self.nothing()
        if not self.rejoin:
            return self.nothing("it stays fenced, with what it alone has")
        if not target.fence_agent.rejoins:
            return self.nothing("no program is described that could rewind it (OPS_REJOIN_PROGRAM)")
        found = self.parties(target)
        former, successor = found.former, found.successor
        return self.planned(
            before={"server": former["address"], "role": "fenced"},
            after={"role": f"standby of {successor['address']}", "what it alone had committed": "gone for good"},
            touches=1,
            touched="servers rewound",
            verification="It is a standby, streams from the new primary, and lets sessions in that only read.",
            undo=NO_UNDO,
            fingerprint={**self.both(found), "plug": target.fence_agent.plug(str(former["meant_as"]))},
            observed={
                "gone": lost(found, more_of(target, successor), now()),
                "to keep it": "run with rejoin=false, and fetch its rows first (docs/production.md)",
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Rewind it, wait until it follows, let sessions in; raises StepFailed where it does not follow in time."""
        if not plan.touches:
            return {}
        former, successor = str(plan.fingerprint["former"]), str(plan.fingerprint["successor"])
        upstream = row_of(target, successor)
        if not upstream["answers"] or upstream["standby"]:
            raise Refused(f"{upstream['address']} takes no writes.", "Nothing is rewound onto it.")
        progress("rewinding it")
        target.rejoin(str(plan.fingerprint["plug"]), url_of(target.settings, successor), self.wait_seconds)
        # What closed it may have been copied over by the rewind, or not: opened it is only as a standby.
        with target.admin(url_of(target.settings, former), past_bar=True) as session:
            if not recovering(session):
                raise StepFailed(f"{session.url.public} runs, and is no standby.", "Fence it again at once.")
            open_server(session)
        until = time.monotonic() + self.wait_seconds
        while not _follows(row_of(target, former), upstream):
            if time.monotonic() > until:
                raise StepFailed(f"It does not stream after {self.wait_seconds:g} s.", "Its log says why.")
            progress("it catches up")
            time.sleep(PAUSE)
        return {"follows": upstream["address"]}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at both: one takes writes, the other streams from it."""
        if self.idle:
            return Verification(Verdict.OK, "Nothing was to follow.")
        if not plan.touches:
            return Verification(Verdict.OK, f"The former primary follows nobody: {plan.touched}.")
        row, upstream = (row_of(target, str(plan.fingerprint[name])) for name in ("former", "successor"))
        rows = tuple({name: one.get(name) for name in SHOWN} for one in (upstream, row))
        if row["answers"] and not row["standby"]:
            return Verification(Verdict.CRITICAL, f"{row['address']} takes writes: fence it at once.", rows)
        if not _follows(row, upstream):
            why = row["reason"] or f"it receives nothing ({row['receiver'] or 'no receiver'})"
            return Verification(
                Verdict.CRITICAL, f"{row['address']} does not follow {upstream['address']}: {why}", rows
            )
        said = f"{row['address']} follows {upstream['address']} on timeline {upstream['timeline']} and takes no writes."
        return Verification(Verdict.OK, said, rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look whether it follows; if not, the program may be started once more."""
        if not plan.touches:
            return Settled(Outcome.DONE, "Nothing was to be done.", {})
        row, upstream = (row_of(target, str(plan.fingerprint[name])) for name in ("former", "successor"))
        if _follows(row, upstream):
            return Settled(Outcome.DONE, "It follows.", {"follows": upstream["address"]})
        return Settled(Outcome.PARTLY, "It may be rewound once more.")


def _follows(row: Row, upstream: Row) -> bool:
    return bool(
        row["answers"]
        and row["standby"]
        and row["receiver"] == "streaming"
        and upstream["answers"]
        and row["system_identifier"] == upstream["system_identifier"]
        and row["timeline"] == upstream["timeline"]
    )
