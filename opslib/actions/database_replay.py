"""A standby whose replay somebody paused goes on: it falls behind no further, and a failover to it waits for less.

Source: PostgreSQL manual, "Recovery Control Functions" (``pg_wal_replay_resume``, ``pg_get_wal_replay_pause_state``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, LiteralString

from pydantic import Field

from opslib.actions.base import Progress, Settled
from opslib.actions.database_failover import NOBODY, PERSON, row_of, url_of
from opslib.actions.database_way import OneWay, Way, nothing_done
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Row, Verdict, Verification
from opslib.pictures.figures import duration, size
from opslib.probes.database_servers import by_role, servers
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

GOES_ON = "not paused"
RESUME: LiteralString = "SELECT pg_wal_replay_resume() WHERE pg_is_in_recovery()"
PAUSE_SECONDS = 0.2


class ResumeReplay(OneWay):
    """Lets the standby replay what it has received. ``decided_by``: who knows why it was paused, and that it may go on.

    With another ``way`` it does nothing.
    """

    own: ClassVar[Way] = "replay"
    does: ClassVar[Effect] = Effect.DESTRUCTIVE
    name: ClassVar[str] = "resume-replay"
    title: ClassVar[str] = "Let the standby replay again"
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 900.0
    reason: ClassVar[str] = (
        "A standby is paused to keep what it holds, often rows that the primary has lost since: once it replays, they "
        "are gone there too. So a person says that it may, and what it holds until then is shown before."
    )

    way: Way = "look"
    decided_by: str = Field(NOBODY, pattern=PERSON)
    wait_seconds: float = Field(default=60.0, ge=1, le=600)

    def plan(self, target: PlanTarget) -> Plan:
        """Look at the standby; raises Refused where there is none, or where nobody says that it may go on."""
        if self.idle:
            return self.nothing()
        row = _standby(target)
        if row["replay"] == GOES_ON:
            return self.nothing("replay is not paused")
        if self.decided_by == NOBODY:
            raise Refused(
                f"Replay on {row['address']} is {row['replay']}: somebody wanted to keep what it holds.",
                "Ask who paused it, and name who says that it may go on: -p decided_by=NAME.",
            )
        held = "nothing that a table shows"
        if row["last_commit_seconds"] is not None:
            held = f"what was committed up to {duration(row['last_commit_seconds'])} ago"
        return self.planned(
            before={"server": row["address"], "replay": row["replay"], "shows": held},
            after={"replay": GOES_ON, "shows": "what its primary shows"},
            touches=1,
            touched="standbys that replay again",
            verification="Replay is not paused, and what was received until then is replayed.",
            undo="None: what only the paused standby held is gone once it replays. It can be paused again, at once.",
            fingerprint={"server": row["meant_as"], "system": row["system_identifier"], "paused at": row["lsn"]},
            observed={
                "received and not replayed": size(row["not_replayed_bytes"]),
                "receives from": row["receives_from"] or "nobody: it gets nothing new, whatever it replays",
                "decided by": self.decided_by,
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Let it go on, and wait until it has replayed what it had received."""
        if not plan.touches:
            return {}
        name = str(plan.fingerprint["server"])
        due = int(row_of(target, name)["received_bytes"] or 0)
        with target.admin(url_of(target.settings, name)) as session:
            session.execute(RESUME, what="let the standby replay")
        until = time.monotonic() + self.wait_seconds
        while (left := _left(row_of(target, name), due)) and time.monotonic() < until:
            progress(f"{size(left)} still to be replayed")
            time.sleep(PAUSE_SECONDS)
        return {"due": due}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look whether it replays, and how much of what was due is left."""
        if not plan.touches:
            return nothing_done()
        row = row_of(target, str(plan.fingerprint["server"]))
        if not row["answers"]:
            return Verification(Verdict.UNKNOWN, f"{row['address']} does not answer: {row['reason']}")
        if not row["standby"]:
            return Verification(Verdict.CRITICAL, f"{row['address']} takes writes: it was promoted meanwhile.")
        if row["replay"] != GOES_ON:
            return Verification(Verdict.CRITICAL, f"Replay on {row['address']} is {row['replay']}.")
        if left := _left(row, values["due"]):
            said = f"{row['address']} replays, and {size(left)} of what it had received are still to come."
            return Verification(Verdict.WARNING, said)
        return Verification(Verdict.OK, f"{row['address']} replays; what it had received until then is replayed.")

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """It may be said once more: a standby that replays goes on as it did."""
        if not plan.touches:
            return Settled(Outcome.DONE, "Nothing was to be done.", {})
        return Settled(Outcome.PARTLY, "It may be told to go on once more.")


def _standby(target: PlanTarget) -> Row:
    _, standby = by_role(list(servers.read(target)))
    if standby is None:
        raise Refused("No standby is described.", "Set OPS_STANDBY_READ_URL, if there is one.")
    if not standby["answers"]:
        raise Refused(f"{standby['address']} does not answer: {standby['reason']}", "Look at the server itself first.")
    if not standby["standby"]:
        raise Refused(f"{standby['address']} takes writes: it is no standby.", "Look at both: diagnostics/database.")
    return standby


def _left(row: Row, due: int) -> int:
    """Return how many bytes of what was due are not replayed; all of them while nobody can tell."""
    return max(0, due - int(row["position_bytes"])) if row["answers"] else due
