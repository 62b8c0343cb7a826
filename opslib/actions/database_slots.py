"""Dropping a replication slot whose consumer is gone for good, so that the disk gets back the log that it keeps.

A slot keeps every piece of the log since its consumer left, whatever max_wal_size says. Source: PostgreSQL manual,
"Replication Slots", "pg_drop_replication_slot"; the server removes or reuses the pieces at its next checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, LiteralString

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.database_upkeep import Row, on_primary, same_server
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.guide.thresholds import threshold
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.pictures.figures import duration, size
from opslib.probes.questions import question
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

MOST = "most"
IDLE = threshold("replication-slot-inactive")
UNKNOWN_OWNER = "unknown: the standby does not answer"
SEE = "See the slots in diagnostics/database."

DROP: LiteralString = (
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
    " WHERE slot_name = %(slot)s AND NOT active AND restart_lsn::text = %(keeps_from)s"
)
THERE: LiteralString = (
    "SELECT active, restart_lsn::text = %(keeps_from)s AS same FROM pg_replication_slots WHERE slot_name = %(slot)s"
)
MAY_CHECKPOINT: LiteralString = "SELECT pg_has_role(current_user, 'pg_checkpoint', 'USAGE') AS may"


class DropForgottenSlot(Action):
    """Drops one slot without a consumer, known by its name and by where it stands in the log."""

    name: ClassVar[str] = "drop-forgotten-slot"
    title: ClassVar[str] = "Drop the replication slot that nobody reads from"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 300.0
    reason: ClassVar[str] = (
        "The guide has no step for a full disk. A slot that nobody reads from keeps the log without end; dropping it "
        "gives the room back at the next checkpoint, and touches no row."
    )

    slot: str = Field(MOST, pattern=r"^[a-z0-9_]{1,63}$")
    """Its name; ``most`` is the one that keeps the most, of those that have been without a consumer for an hour."""

    def plan(self, target: PlanTarget) -> Plan:
        """Look at the slots; raises Refused where there is none to drop, where it is in use or the standby's."""
        on_primary(target)
        idle = target.database.ask(question("upkeep/idle_slots"))
        own = _own(target)
        row = chosen(idle, self.slot, own)
        return self.planned(
            before={name: row[name] for name in ("slot", "type", "plugin", "database", "keeps_from")},
            after={"slot": None},
            touches=1,
            touched="slots dropped",
            verification="The slot is gone.",
            undo=(
                "None: what its consumer had not received is lost to it. Whoever needs it again makes a new slot and "
                "begins from a new copy."
            ),
            fingerprint={"slot": row["slot"], "keeps_from": row["keeps_from"]},
            observed={
                "without a consumer for": "unknown" if row["idle_seconds"] is None else duration(row["idle_seconds"]),
                "log that it keeps": size(row["kept_bytes"] or 0),
                "the described standby's own slot": UNKNOWN_OWNER if own is None else own or "none",
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Drop it, and let the server remove the log at once where this role may; raises StepFailed if it is in use."""
        same_server(target)
        known = _known(plan)
        with target.admin(target.database_url) as admin:
            dropped = admin.execute(DROP, known, what=f"drop slot {known['slot']}")
            if not dropped and admin.execute(THERE, known, what="look for the slot"):
                raise StepFailed(f"Slot {known['slot']} was used since it was looked at.", "Plan anew.")
            progress("the server removes what it kept")
            (row,) = admin.execute(MAY_CHECKPOINT, what="ask whether a checkpoint is allowed")
            if row["may"]:
                admin.execute("CHECKPOINT", what="checkpoint", seconds=self.seconds)
        return {"slot": known["slot"], "dropped": bool(dropped), "checkpoint": row["may"]}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look whether the slot is gone."""
        known = _known(plan)
        with target.admin(target.database_url) as admin:
            if admin.execute(THERE, known, what="look for the slot"):
                return Verification(Verdict.CRITICAL, f"Slot {known['slot']} is still there.")
        word = "was dropped" if values["dropped"] else "was gone already"
        rest = "" if values["checkpoint"] else "; its log goes at the next checkpoint, which this role may not order"
        return Verification(Verdict.OK, f"Slot {known['slot']} {word}{rest}.")

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look whether the slot is still there, and the same one."""
        known = _known(plan)
        with target.admin(target.database_url) as admin:
            rows = admin.execute(THERE, known, what="look for the slot")
        if not rows:
            values = {"slot": known["slot"], "dropped": True, "checkpoint": False}
            return Settled(Outcome.DONE, f"Slot {known['slot']} is gone.", values)
        if rows[0]["same"] and not rows[0]["active"]:
            return Settled(Outcome.NOT_DONE, f"Slot {known['slot']} is still there.")
        return Settled(Outcome.UNKNOWN, f"A slot {known['slot']} is there and in use, or was made anew.")


def chosen(idle: Sequence[Row], slot: str, own: str | None) -> Row:
    """Return the slot to drop, of those without a consumer; raises Refused with what there is.

    ``own`` is the described standby's slot, "" where there is none, None where nobody could ask: then a slot for a
    standby has to be named by whoever knows.
    """
    names = ", ".join(row["slot"] for row in idle) or "none"
    if slot != MOST:
        row = next((row for row in idle if row["slot"] == slot), None)
        if row is None:
            raise Refused(f"There is no slot {slot} without a consumer.", f"There are: {names}. {SEE}")
    else:
        # One that has just begun to wait may be a restart; before 17 nobody notes since when.
        limit = IDLE.warning or 0
        left = [row for row in idle if (row["idle_seconds"] or 0) > limit and row["slot"] != own]
        if own is None:
            left = [row for row in left if row["type"] != "physical"]
        row = left[0] if left else None
        if row is None:
            said = f"No slot has been without a consumer for {duration(limit)}, as far as anybody can tell."
            raise Refused(said, f"If one is known to be forgotten, name it; without a consumer are: {names}. {SEE}")
    if row["slot"] == own:
        raise Refused(f"{slot} is the described standby's own slot.", "Let it follow again: disaster/recover-database.")
    if row["keeps_from"] is None:
        raise Refused(f"{row['slot']} keeps no log.", "Dropping it would free nothing.")
    return row


def _own(target: PlanTarget) -> str | None:
    if target.settings.read_standby_url is None:
        return ""
    try:
        (row,) = target.standby.ask(question("upkeep/own_slot"))
    except Unreachable:
        return None
    return str(row["slot"])


def _known(plan: Plan) -> dict[str, Any]:
    return {name: plan.fingerprint[name] for name in ("slot", "keeps_from")}
