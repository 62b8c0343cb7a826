"""The database brought back to a moment by its vendor, in place: what is lost is said before, what came of it is seen.

The vendor's word is never the proof: the server's own identity, its timeline and its commit times are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

from opslib.actions.base import Progress, Settled
from opslib.actions.database_recover_follow import IDLE, READY, Follow, looked, state_of
from opslib.actions.database_way import NONE, OneWay, Way, nothing_done
from opslib.canonical import to_json
from opslib.errors import Refused, StepFailed
from opslib.model import Outcome, Plan, Repeat, Verdict, Verification, now
from opslib.probes.backups_standing import Backup, standing
from opslib.probes.database_moment import (
    Commit,
    Commits,
    at_second,
    commit_times,
    commits_since,
    evidence,
    lost_rows,
    moment_of,
    rows_of,
    second_before,
)
from opslib.systems.target import PlanTarget, ReadTarget, VerifyTarget, WriteTarget

SHOWN = 40
"""Tables that a plan shows; the rest is counted."""

Moment = Annotated[
    str, Field(pattern=r"^(none|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z)$")
]
"""None, or a moment in UTC, to the microsecond that the server's commit times have."""
Reason = Annotated[str, Field(pattern=r"^(none|[A-Za-z0-9]+(-[A-Za-z0-9]+){2,15})$", max_length=120)]
"""A reason that somebody typed: none, or three words and more, parted by hyphens."""


class RecoverToMoment(OneWay):
    """Brings the whole database back to just before ``moment``, by Supabase's point-in-time recovery, in place.

    ``xid`` is the transaction that is not to be there (0: none is named). A proven backup no older than
    ``backup_max_age_minutes`` must stand, as the way back of this way back; or ``without_backup`` says why none does.
    ``wait_minutes`` is how long the project may take; ``notice_minutes``, how long it may take to show that it began.
    """

    name: ClassVar[str] = "recover-to-moment"
    title: ClassVar[str] = "Bring the whole database back to a moment"
    own: ClassVar[Way] = "point-in-time"
    repeat: ClassVar[Repeat] = Repeat.IRREVERSIBLE
    items: ClassVar[tuple[str, ...]] = ("DR-DBF-04",)
    guide: ClassVar[str] = "supabase db reset --version <previous-version>"
    reason: ClassVar[str] = (
        "The guide's command builds an empty database from the migrations: it restores no row, and with --linked it "
        "deletes those that are left (GH-07). The vendor's kept log brings back every row of a moment."
    )

    way: Way = "point-in-time"
    moment: Moment = NONE
    xid: int = Field(default=0, ge=0, le=2**32 - 1)
    backup_max_age_minutes: float = Field(default=60.0, gt=0, le=10_080)
    without_backup: Reason = NONE
    wait_minutes: float = Field(default=60.0, ge=0.1, le=600)
    notice_minutes: float = Field(default=1.0, ge=0, le=60)

    def plan(self, target: PlanTarget) -> Plan:
        """Say to which second, and what is lost; raises Refused where it is out of reach, or nothing leads back."""
        if self.idle:
            return self.nothing()
        if self.moment == NONE:
            raise Refused("To which moment is not said.", "moment=2026-11-29T10:00:00.123456Z, in UTC.")
        moment = moment_of(self.moment)
        second = second_before(moment)
        server = state_of(target)
        reach = self._reach(target, second)
        commits = commits_since(target, at_second(second), moment)
        backup = self._backup(target)
        return self.planned(
            before={"timeline": server["timeline"], "database": "as it is now"},
            after={
                "database": f"as it was at {to_json(at_second(second))}, in the same place",
                "timeline": "a later one",
                "what was written since": "is gone",
            },
            touches=1,
            touched="databases, each with all that is in it",
            verification="The same database on a later timeline, which takes writes, has the last commit before that "
            "moment and none of those after it, and has rows in every core table.",
            undo="There is none. " + _way_back(backup, self.without_backup),
            fingerprint={
                "project": target.supabase.ref,
                "system": server["system_identifier"],
                "timeline": server["timeline"],
                "second": second,
                "kept": commits.kept and commits.kept.said(),
                "first": commits.first and commits.first.said(),
                "bad": bad_commit(target, self.xid, second),
            },
            observed={
                **_said(commits),
                **_tables(lost_rows(target, second)),
                "the vendor reaches": reach,
                "backup that leads back": backup and f"{backup.name} of {to_json(backup.moment)}",
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Ask the vendor once, then follow until the database is there again; raises Refused before it is asked."""
        if self.idle:
            return {}
        known, moment = plan.fingerprint, moment_of(self.moment)
        second = int(known["second"])
        server = state_of(target)
        if (server["system_identifier"], server["timeline"]) != (known["system"], known["timeline"]):
            raise Refused("The database is another one, or on another timeline, than planned.", "Plan again.")
        self._reach(target, second)
        self._backup(target)
        commits = commits_since(target, at_second(second), moment)
        if (commits.kept and commits.kept.said()) != known["kept"]:
            raise Refused("The last commit before the moment is another one than planned.", "Plan again.")
        begun, newest = now(), commits.newest
        target.supabase_writer.recover_to(second)
        progress(f"Supabase was asked to go back to {to_json(at_second(second))}")
        follow = Follow(target, plan, progress)
        follow.until_back(self.wait_minutes * 60)
        return _values(begun.isoformat(), newest)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Ask the server itself: which database, which timeline, which commits; then whether core tables have rows."""
        if self.idle:
            return nothing_done()
        found = evidence(plan.fingerprint, values, looked(target, plan, values))
        status = target.supabase.project().status
        wrong = [what for what, _, _, right in found if right is False]
        blind = [what for what, _, _, right in found if right is None]
        rows = (*rows_of(found), {"what": "the project, as Supabase says", "expected": READY, "found": status})
        moment = to_json(at_second(int(plan.fingerprint["second"])))
        if wrong:
            said = f"The database is not what it was at {moment}: {'; '.join(wrong)}."
            return Verification(Verdict.CRITICAL, said, rows)
        said = (
            f"The database is on a later timeline, and takes writes; {len(found) - len(blind)} proofs of {len(found)}"
        )
        if blind:
            said += f" hold, and nobody can tell: {'; '.join(blind)}"
            return Verification(Verdict.WARNING, f"{said}. Look at rows that you know.", rows)
        if status != READY:
            return Verification(Verdict.WARNING, f"{said} hold, but Supabase says that the project is {status}.", rows)
        return Verification(Verdict.OK, f"{said} that it is what it was at {moment} hold.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Follow what may be under way, then tell by the server's timeline and its commits; never asks once more."""
        if self.idle:
            return Settled(Outcome.NOT_DONE, "Nothing was to be done.")
        follow = Follow(target, plan, progress)
        if not follow.began(self.notice_minutes * 60):
            return Settled(
                Outcome.NOT_DONE,
                f"The database is on timeline {plan.fingerprint['timeline']}, and the project is healthy, as before.",
            )
        try:
            follow.until_back(self.wait_minutes * 60)
        except StepFailed as error:
            return Settled(Outcome.UNKNOWN, f"{error.message} {error.next_step}")
        return Settled(Outcome.DONE, "The database is on a later timeline.", _values(None, None))

    def _reach(self, target: ReadTarget, second: int) -> str:
        """Return from when until when the vendor can go back; raises Refused where ``second`` is outside."""
        status, said = target.supabase.project().status, target.supabase.backups()
        if status not in IDLE:
            raise Refused(f"The project is {status}.", "Wait until it is ACTIVE_HEALTHY, or ask Supabase's support.")
        if not said.point_in_time:
            raise Refused(
                f"Point-in-time recovery is not switched on for {target.supabase.ref}.",
                "What is left are backups: runbooks/restore-database.",
            )
        earliest, latest = said.window.earliest, said.window.latest
        if earliest is None or latest is None:
            raise Refused("Supabase does not say how far it reaches.", "Look at the project's page Database, Backups.")
        reach = f"{to_json(at_second(earliest))} to {to_json(at_second(latest))}"
        if second < earliest:
            raise Refused(f"{to_json(at_second(second))} lies before what can be reached: {reach}.", "Use a backup.")
        if second > latest:
            raise Refused(
                f"{to_json(at_second(second))} lies after what can be reached yet: {reach}.",
                "The log is kept some minutes later: wait, then plan again. Where nothing is written, write something.",
            )
        return reach

    def _backup(self, target: ReadTarget) -> Backup | None:
        """Return the proven backup that leads back from here; raises Refused without one, unless that has a reason."""
        oldest = now() - timedelta(minutes=self.backup_max_age_minutes)
        every = standing(target.backups, target.settings.backup_prefix).usable
        found = next((one for one in every if one.proven), None)
        if found is not None and found.moment is not None and found.moment >= oldest:
            return found
        if self.without_backup != NONE:
            return None
        newest = f"the newest is of {to_json(found.moment)}" if found and found.moment else "there is none"
        raise Refused(
            f"No proven backup is younger than {self.backup_max_age_minutes:g} minutes ({newest}): what is lost here "
            "would be lost for good.",
            "runbooks/back-up-database, then plan again. Where that is impossible, say why: without_backup.",
        )


def bad_commit(target: ReadTarget, xid: int, second: int) -> dict[str, str] | None:
    """Return the transaction that is not to be there after a recovery to ``second``; None for 0.

    Raises Refused where it would be there, or the server does not know it.
    """
    if xid == 0:
        return None
    at = commit_times(target, [str(xid)])[str(xid)]
    if at is None:
        raise Refused(
            f"The server has no commit time of transaction {xid}.",
            "Look at diagnostics/database (which transaction rewrote a table); without one, give the moment alone.",
        )
    if at <= at_second(second):
        raise Refused(
            f"Transaction {xid} was committed at {to_json(at)}: it would still be there.",
            f"Give that moment, or an earlier one: {to_json(at)}",
        )
    return Commit(str(xid), at).said()


def _values(begun: str | None, newest: Commit | None) -> dict[str, Any]:
    """Return what the verification needs beside the plan; after a kill nobody knows when it was begun."""
    return {"begun": begun, "newest": newest.said() if newest else None}


def _way_back(backup: Backup | None, reason: str) -> str:
    if backup is None:
        return f"Nothing leads back to now: no backup was asked for ({reason})."
    return (
        "What is there now, but what was written after the proven backup shown here, can be had back from that "
        "(runbooks/restore-database)."
    )


def _tables(tables: list[dict[str, Any]]) -> dict[str, str]:
    """Return what of each table is lost, as a plan shows it: rows written since, and a bound for deleted ones."""
    said = {}
    for row in tables[:SHOWN]:
        written = "nobody knows how many rows" if row["written"] is None else f"{row['written']} rows"
        said[f"in {row['table']}"] = f"{written} written ({row['how']}), {row['deleted_at_most']} deleted at most"
    if len(tables) > SHOWN:
        said["in other tables"] = f"{len(tables) - SHOWN} more were changed"
    if tables:
        since = tables[0]["counted_since"]
        said["deleted at most"] = "as counted since " + (to_json(since) if since else "the server's counters began")
    return said


def _said(commits: Commits) -> dict[str, Any]:
    if not commits.dated:
        return {
            "lost": "all that was committed since; how much, nobody can tell: the server keeps no commit times "
            "(track_commit_timestamp), so the rows below are bounds alone"
        }
    least = "" if commits.kept else "at least "
    first = f", the first at {to_json(commits.first.at)}" if commits.first else ""
    return {
        "lost": f"{least}{commits.count} transactions that were committed since{first}",
        "lost though good": f"{least}{commits.between} of them lie before the moment: Supabase takes whole seconds",
    }
