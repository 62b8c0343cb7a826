"""The standby takes over, and what shows that it does: a commit, and rows that another session reads."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Progress, Settled
from opslib.actions.database_failover import NO_UNDO, FailoverAction, row_of, still_fenced, url_of
from opslib.errors import StepFailed
from opslib.model import Effect, Outcome, Plan, Repeat, Row, Verdict, Verification, now
from opslib.probes.database_failover import Parties, lost, more_of
from opslib.systems import postgres_promotion as promotion
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

KEPT_SECONDS, PAUSE = 10.0, 0.5
SHOWN = ("address", "standby", "timeline", "lsn", "keeps_log", "last_kept", "last_failed", "waiting_pieces")


class PromoteStandby(FailoverAction):
    """Lets the standby take writes. Where its commits would wait for a standby that nobody has yet, that is settled."""

    name: ClassVar[str] = "promote-standby"
    title: ClassVar[str] = "Promote the standby"
    repeat: ClassVar[Repeat] = Repeat.IRREVERSIBLE
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 900.0
    reason: ClassVar[str] = (
        "A standby that inherited synchronous_standby_names lets sessions in once it is promoted, and every commit "
        "waits for ever for a standby that is not there."
    )

    wait_seconds: float = Field(default=60.0, ge=1, le=600)

    def plan(self, target: PlanTarget) -> Plan:
        """Look at the one that takes over, and at what is lost; raises Refused where nothing could take over."""
        if self.idle:
            return self.nothing()
        found = self.parties(target)
        row = found.successor
        more = more_of(target, row)
        names = str(more["waits_for"])
        after: dict[str, Any] = {"role": "takes writes", "timeline": "the next one"}
        if found.promoted:
            after["timeline"] = row["timeline"]
        if names:
            after["synchronous_standby_names"] = f"empty; it was {names}"
        return self.planned(
            before={"server": row["address"], "role": _role(row), "timeline": row["timeline"]},
            after=after,
            touches=0 if found.promoted and not names else 1,
            touched="servers promoted",
            verification="It takes writes on a new timeline, a commit comes back, and its log is kept.",
            undo=NO_UNDO,
            fingerprint={**self.both(found), "timeline": row["timeline"], "promoted": found.promoted, "waits": names},
            observed={"lost": lost(found, more, now()), "kept log": _kept(row), "replay": _replay(found)},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Promote it and wait for a commit; raises Refused, before anything, while the former primary is not fenced."""
        if self.idle:
            return {}
        still_fenced(target, plan)
        url = url_of(target.settings, str(plan.fingerprint["successor"]))
        with target.admin(url) as session:
            if plan.fingerprint["waits"]:
                promotion.wait_for_nobody(session)
            if promotion.recovering(session):
                progress("promoting")
                promotion.promote(session, self.wait_seconds)
            progress("committing")
            promotion.commit(session, target.run)
        return {"committed": True, "at": now().isoformat()}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at its role, its timeline, and whether its log gets away."""
        if self.idle:
            return Verification(Verdict.OK, "Nothing was to be promoted.")
        row = _with_log_kept(target, str(plan.fingerprint["successor"]))
        rows = ({name: row.get(name) for name in SHOWN},)
        if not row["answers"] or row["standby"]:
            said = row["reason"] or f"{row['address']} is still a standby."
            return Verification(Verdict.CRITICAL, f"Nobody takes writes: {said}", rows)
        if row["timeline"] <= plan.fingerprint["timeline"] and not plan.fingerprint["promoted"]:
            return Verification(Verdict.UNKNOWN, f"{row['address']} takes writes on the timeline that it had.", rows)
        said = f"{row['address']} takes writes on timeline {row['timeline']}; a commit came back"
        if not values["committed"]:
            said = (
                f"{row['address']} takes writes on timeline {row['timeline']}; a later step shows whether commits end"
            )
        return Verification(Verdict.OK, f"{said}; {_log_of(row)}.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at its role: a promotion that was begun ends by itself, within the seconds that it is waited for."""
        if self.idle:
            return Settled(Outcome.DONE, "Nothing was to be done.", {})
        with target.admin(url_of(target.settings, str(plan.fingerprint["successor"]))) as session:
            if promotion.recovering(session) and not promotion.promoting(session, self.wait_seconds):
                return Settled(Outcome.NOT_DONE, "It is a standby as before, and no promotion was asked for.")
        return Settled(Outcome.DONE, "It takes writes.", {"committed": None, "at": None})


class ProveWrites(FailoverAction):
    """Writes rows into a table of its own, reads them in another session, and removes the table again."""

    name: ClassVar[str] = "prove-database-writes"
    title: ClassVar[str] = "Write, and read it back"
    does: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 300.0

    def plan(self, target: PlanTarget) -> Plan:
        """Say where; raises Refused where nothing could take over."""
        if self.idle:
            return self.nothing()
        found = self.parties(target)
        name = f"{promotion.SCHEMA}.rows"
        return self.planned(
            before={"server": found.successor["address"], name: "is not there"},
            after={name: "was made, written, read, and is gone again"},
            touches=1,
            touched="tables made and removed",
            verification="Another session read what was written, and nothing of it is left.",
            undo="None is needed: nothing of it is left.",
            fingerprint=self.both(found),
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Write and read; raises StepFailed where a commit does not come back or another session does not see it."""
        if not plan.touches:
            return {}
        url = url_of(target.settings, str(plan.fingerprint["successor"]))
        with target.admin(url) as session, target.admin(url) as another:
            try:
                written = promotion.write(session, target.run)
                read = promotion.read(another)
            finally:
                promotion.forget(session)
        if read != written:
            raise StepFailed(f"{len(written)} rows were committed, and {len(read)} were read.", "Look at its log.")
        return {"rows": len(read)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look that this is where writes are led now, and that nothing is left."""
        if not plan.touches:
            return Verification(Verdict.OK, "Nothing was to be proven.")
        url = url_of(target.settings, str(plan.fingerprint["successor"]))
        with target.admin(url) as session:
            left = promotion.left(session)
        if left:
            return Verification(Verdict.WARNING, f"The schema {promotion.SCHEMA} is still there: drop it by hand.")
        if target.database_url != url:
            said = f"Writes are led to {target.database_url.public} by the description, not to {url.public}."
            return Verification(Verdict.CRITICAL, said)
        said = f"{values['rows']} rows were committed at {url.public} and read by another session; they are gone again."
        return Verification(Verdict.OK, said)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Take away what is left; it may be tried once more."""
        if not plan.touches:
            return Settled(Outcome.DONE, "Nothing was to be done.", {})
        with target.admin(url_of(target.settings, str(plan.fingerprint["successor"]))) as session:
            promotion.forget(session)
        return Settled(Outcome.PARTLY, "It may be tried once more.")


def _with_log_kept(target: PlanTarget, meant_as: str) -> Row:
    """Return the server's row, once something of its log was kept: a promotion makes a history that is due at once."""
    until = time.monotonic() + KEPT_SECONDS
    while True:
        row = row_of(target, meant_as)
        due = row["answers"] and not row["standby"] and row["keeps_log"] and row["last_kept_seconds"] is None
        if not due or time.monotonic() > until:
            return row
        time.sleep(PAUSE)


def _log_of(row: Row) -> str:
    """Say whether the log is kept; it is a check of its own, and no reason to stop half way through a failover."""
    if not row["keeps_log"]:
        return "its log is kept nowhere, so that dumps alone are a way back"
    failed, kept = row["last_failed_seconds"], row["last_kept_seconds"]
    if failed is not None and (kept is None or kept > failed):
        return f"keeping its log fails ({row['last_failed']})"
    if kept is None:
        return f"nothing of its log was kept within {KEPT_SECONDS:g} s, though the new timeline's history is due"
    return f"its log is kept ({row['last_kept']})"


def _role(row: Row) -> str:
    return "standby" if row["standby"] else "takes writes"


def _kept(row: Row) -> str:
    return "it keeps its log" if row["keeps_log"] else "its log is kept nowhere"


def _replay(found: Parties) -> str:
    row = found.successor
    if found.promoted:
        return "it takes writes already"
    said = f"{row['not_replayed_bytes']} bytes received and not replayed; a promotion waits for them"
    return said if row["replay"] == "not paused" else f"{said}; replay is {row['replay']}, which a promotion ends"
