"""Ending the session that all the others wait for.

Cancelling (``pg_cancel_backend``) says true and does nothing to a session that is idle in its transaction, which is
what holds others up most often. Source: PostgreSQL manual, "Server Signaling Functions", "Viewing Locks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, LiteralString

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.database_upkeep import Row, same_server
from opslib.errors import Refused, StepFailed
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.pictures.figures import duration
from opslib.probes.database_sessions import blocking
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

WORST = 0
PREPARED = 0
"""The process number that a prepared transaction is shown with."""
OWN = "opslib:"
END: LiteralString = (
    "SELECT pg_terminate_backend(pid, 10000) AS ended FROM pg_stat_activity"
    " WHERE pid = %(pid)s AND backend_start = %(begun)s::timestamptz"
)
THERE: LiteralString = "SELECT pid FROM pg_stat_activity WHERE pid = %(pid)s AND backend_start = %(begun)s::timestamptz"


class EndBlockingSession(Action):
    """Ends one session that others wait for, known by its process and by when it began; its transaction is lost."""

    name: ClassVar[str] = "end-blocking-session"
    title: ClassVar[str] = "End the session that the others wait for"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 120.0
    reason: ClassVar[str] = (
        "The guide has no step for this. The root of the tree is ended and not its victims, who would only come "
        "again; what its transaction did is rolled back by PostgreSQL."
    )

    session: int = Field(WORST, ge=0, le=2**31 - 1)
    """The root's process number; 0 is the root that holds the others up most."""

    def plan(self, target: PlanTarget) -> Plan:
        """Look at the blocking tree; raises Refused where nobody waits, or where the root must not be ended here."""
        root = root_of(blocking.read(target), self.session)
        pid, begun = root["pid"], str(root["backend_start"])
        return self.planned(
            before={
                "pid": pid,
                "begun": begun,
                "application": root["application"],
                "user": root["user_name"],
                "database": root["database"],
            },
            after={"pid": None},
            touches=1,
            touched="sessions ended",
            verification="The session is gone, and nobody waits for it.",
            undo="None: what its transaction did and had not committed is lost. Its client connects again by itself.",
            fingerprint={"pid": pid, "begun": begun},
            observed={
                "state": root["state"],
                "in its transaction for": _said(root["transaction_seconds"]),
                "sessions that wait for it": root["victims"],
                "their waiting in all": _said(root["victims_seconds"]),
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """End it; raises StepFailed where the server does not within ten seconds, or may not."""
        same_server(target)
        known = _known(plan)
        with target.admin(target.database_url) as admin:
            rows = admin.execute(END, known, what=f"end session {known['pid']}")
        if not all(row["ended"] for row in rows):
            raise StepFailed(f"Session {known['pid']} does not end.", "Look at what it does in pg_stat_activity.")
        return {"pid": known["pid"], "ended": bool(rows)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look whether the session is gone, and who waits now."""
        known = _known(plan)
        with target.admin(target.database_url) as admin:
            if admin.execute(THERE, known, what="look for the session"):
                return Verification(Verdict.CRITICAL, f"Session {known['pid']} is still there.")
        waiting = [row for row in blocking.read(target) if row["depth"] > 0]
        if any(row["root"] == known["pid"] for row in waiting):
            return Verification(Verdict.CRITICAL, f"Sessions still wait for {known['pid']}.")
        word = "was ended" if values["ended"] else "had ended by itself"
        rest = f"; {len(waiting)} sessions wait for others now" if waiting else "; nobody waits"
        return Verification(Verdict.OK, f"Session {known['pid']} {word}{rest}.")

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look whether the session is still there."""
        known = _known(plan)
        with target.admin(target.database_url) as admin:
            there = admin.execute(THERE, known, what="look for the session")
        if there:
            return Settled(Outcome.NOT_DONE, f"Session {known['pid']} is still there.")
        return Settled(Outcome.DONE, f"Session {known['pid']} is gone.", {"pid": known["pid"], "ended": True})


def root_of(rows: Sequence[Row], session: int = WORST) -> Row:
    """Return the root of a blocking tree that may be ended: ``session``, or the one that holds the others up most.

    Raises Refused where nobody waits, where ``session`` is no root, and for a root that must not be ended here.
    """
    roots = [row for row in rows if row["depth"] == 0 and row["victims"]]
    if not roots:
        raise Refused("Nobody waits for another session.", "There is nothing to end; see diagnostics/database.")
    named = [row for row in roots if row["pid"] == session]
    if session != WORST and not named:
        known = ", ".join(str(row["pid"]) for row in roots)
        raise Refused(f"Session {session} holds nobody up from the root.", f"Roots are: {known}.")
    root: Row = named[0] if named else max(roots, key=lambda row: (row["victims_seconds"] or 0, row["victims"]))
    if why := _never(root):
        raise Refused(*why)
    return root


def _never(root: Row) -> tuple[str, str] | None:
    if root["pid"] == PREPARED:
        return "A prepared transaction holds the others up.", "Its owner ends it: COMMIT or ROLLBACK PREPARED."
    if str(root["application"]).startswith("autovacuum"):
        return "Autovacuum holds the others up.", "It gives way by itself, unless it prevents a wraparound: then wait."
    if str(root["application"]).startswith(OWN):
        run = str(root["application"]).removeprefix(OWN)
        return f"A run of this program holds the others up: {run}.", f"End that run instead: ops stop {run}"
    return None


def _known(plan: Plan) -> dict[str, Any]:
    return {"pid": plan.fingerprint["pid"], "begun": plan.fingerprint["begun"]}


def _said(seconds: float | None) -> str:
    return "unknown" if seconds is None else duration(seconds)
