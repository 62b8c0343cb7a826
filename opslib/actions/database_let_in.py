"""The standby's role may log in again: it goes on from where its slot has kept the log for it.

Source: PostgreSQL manual, "ALTER ROLE" (LOGIN, NOLOGIN). A role that may not log in keeps its password and its rights.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.database_failover import NOBODY, PERSON
from opslib.errors import OpsError, Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Row, Verdict, Verification
from opslib.probes.database_standby_way import LET_IN, LOG_IN, NO_LOGIN, WELL, standby_way, wrong
from opslib.systems.postgres_roles import let_log_in
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

PAUSE = 0.5


class LetStandbyIn(Action):
    """Gives the role by which the standby follows its log-in back (``let_in``; false: it does nothing).

    Refused where anything else is wrong, and unless ``decided_by`` names who says that the role may log in again.
    """

    name: ClassVar[str] = "let-standby-in"
    title: ClassVar[str] = "Let the standby's role log in again"
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "database"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 1800.0
    reason: ClassVar[str] = (
        "The guide has no step for a standby that receives nothing. Only what both servers show to be wrong is set "
        "right: a password, pg_hba.conf and a network nobody sees from here."
    )

    let_in: bool = False
    decided_by: str = Field(NOBODY, pattern=PERSON)
    wait_seconds: float = Field(default=60.0, ge=1, le=1200)

    @property
    def effect(self) -> Effect:  # type: ignore[override]
        """Where nobody asked for it only a look: nobody has to approve that nothing is done."""
        return Effect.CHANGE if self.let_in else Effect.READ

    def plan(self, target: PlanTarget) -> Plan:
        """Look at both servers; raises Refused where it is not the log-in, or not the log-in alone."""
        if not self.let_in:
            return self._nothing("nobody asked for it")
        rows = list(standby_way.read(target))
        if not rows:
            raise Refused("No standby is described.", "Set OPS_READ_STANDBY_DATABASE_URL, if there is one.")
        if all(row["state"] == WELL for row in rows):
            return self._nothing("the standby streams")
        bad = wrong(rows)
        if [row["why"] for row in bad] != [NO_LOGIN]:
            said = "; ".join(f"{row['thing']}: {row['why']}" for row in bad or rows)
            raise Refused(f"It is not the role's log-in alone. {said}.", "Whoever runs the servers sets that right.")
        role = str(bad[0]["role"])
        if self.decided_by == NOBODY:
            raise Refused(
                f"Somebody took its log-in from the role {role}, maybe for a break-in.",
                "Ask who, and why; name who says that it may log in again: -p decided_by=NAME.",
            )
        return self.planned(
            before={"role": role, LOG_IN: "refused"},
            after={"role": role, LOG_IN: "allowed"},
            touches=1,
            touched="roles that may log in again",
            verification="The role may log in, and the standby streams.",
            undo="The role may not log in any more; a standby that streams goes on until its session ends.",
            fingerprint={"role": role},
            observed={"decided by": self.decided_by, **{f"the {row['thing']}": row["why"] for row in rows}},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Give the log-in back, then wait until the standby streams."""
        if not plan.touches:
            return {"waited_seconds": 0.0}
        _set(target, plan, may=True)
        begun = time.monotonic()
        while (gone := time.monotonic() - begun) < self.wait_seconds and not _streams(target):
            progress("waiting until the standby streams", gone, self.wait_seconds)
            time.sleep(PAUSE)
        return {"waited_seconds": round(gone, 1)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at both servers again."""
        if not plan.touches:
            return Verification(Verdict.OK, f"Nothing was to be done: {plan.touched.removeprefix('nothing: ')}.")
        rows = tuple(standby_way.read(target))
        if all(row["state"] == WELL for row in rows):
            return Verification(Verdict.OK, f"{plan.fingerprint['role']} may log in, and the standby streams.", rows)
        said = "; ".join(f"{row['thing']}: {row['why']}" for row in rows if row["state"] != WELL)
        return Verification(Verdict.CRITICAL, f"The standby receives nothing yet. {said}.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look whether the role may log in."""
        if not plan.touches:
            return Settled(Outcome.DONE, "Nothing was to be done.", {"waited_seconds": 0.0})
        if _may(target, plan):
            return Settled(Outcome.DONE, "The role may log in.", {"waited_seconds": 0.0})
        return Settled(Outcome.NOT_DONE, "The role may not log in.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Take the log-in away again; a session that streams stays."""
        if not plan.touches:
            return Verification(Verdict.OK, "Nothing was done.")
        _set(target, plan, may=False)
        if _may(target, plan):
            return Verification(Verdict.CRITICAL, "The role may still log in.")
        return Verification(Verdict.OK, f"{plan.fingerprint['role']} may not log in, as before.")

    def _nothing(self, why: str) -> Plan:
        return self.planned(
            before={}, after={}, touches=0, touched=f"nothing: {why}", verification="None.", undo="None is needed."
        )


def _set(target: WriteTarget, plan: Plan, *, may: bool) -> None:
    with target.admin(target.database_url) as session:
        let_log_in(session, str(plan.fingerprint["role"]), may)


def _may(target: WriteTarget, plan: Plan) -> bool:
    (row,) = target.database.ask(LET_IN, {"role": plan.fingerprint["role"], "slot": ""})
    return bool(row["logs_in"])


def _streams(target: WriteTarget) -> bool:
    try:
        rows: Sequence[Row] = list(standby_way.read(target))
    except OpsError:
        return False
    return all(row["state"] == WELL for row in rows)
