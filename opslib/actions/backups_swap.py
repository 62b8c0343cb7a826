"""Put the restored database in the live one's place by renaming, and keep the old one.

Both renames and a mark are one transaction, so that there is no moment with no live database that lasts,
and a reply that was lost can be looked up: databases are told apart by their oid, not by their name.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

import opslib.actions.backups_folder as staging
from opslib.actions.backups_folder import Digest, Staged
from opslib.actions.backups_live import (
    contents,
    databases,
    differences,
    look,
    made,
    maintenance,
    mark,
    marks,
    same,
    told,
)
from opslib.actions.base import Action, Progress, Settled
from opslib.canonical import to_json
from opslib.errors import OpsError, Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification, now
from opslib.probes.questions import question
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_databases import end_sessions
from opslib.systems.postgres_exchange import emptied, end_earlier, end_lost, exchange
from opslib.systems.postgres_properties import database_mark, mark_database
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

MANAGED = frozenset({"postgres", "template0", "template1", "rdsadmin", "cloudsqladmin", "azure_maintenance"})
"""Names that a server or its provider counts on; such a database is never renamed."""

COUNTED_SECONDS = 12.0
"""A session hands its counters of written rows on after 10 s at the latest, if it is not busier than that."""

Database = Annotated[str, Field(pattern=rf"^([A-Za-z0-9_][A-Za-z0-9_.-]{{0,62}}|{UNKNOWN_UNTIL}[a-z-]+)$")]
"""A database's name; in a planning run the marker of the step that will know it."""


class SwapDatabases(Action):
    """Give the restored database the live name; the live one is kept under another."""

    name: ClassVar[str] = "swap-databases"
    title: ClassVar[str] = "Put the restored database in the live one's place"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "database"
    items: ClassVar[tuple[str, ...]] = ("BAK-RST-04", "BAK-RST-05")
    guide: ClassVar[str] = 'psql $DATABASE_URL < latest.sql\npsql $DATABASE_URL -c "SELECT COUNT(*) FROM users;"'
    reason: ClassVar[str] = (
        "The guide overwrites the only copy of the live data and then counts one table. Renaming keeps the old "
        "database whole, takes a moment instead of the time of a restore, and can be undone."
    )

    database: Database
    sha256: Digest

    def plan(self, target: ReadTarget) -> Plan:
        """Say which names are exchanged, what is lost, and whose sessions end; raises Refused if it must not be."""
        live, there = look(target), databases(target)
        new, old = made(live.name, "restore", target.run), made(live.name, "before", target.run)
        if live.name in MANAGED:
            raise Refused(
                f"The live database is named {live.name}, which its provider or server counts on.",
                f"Do not rename it: point the application's DATABASE_URL at {new} instead.",
            )
        if old in there:
            raise Refused(f"There is a database {old} already.", "Look at it; this run has swapped before.")
        if prepared := [row["name"] for row in target.database.ask(question("restore/prepared"))]:
            raise Refused(
                f"{live.name} holds prepared transactions, which nobody's session ends: {', '.join(prepared[:5])}.",
                "Commit or roll them back (COMMIT PREPARED, ROLLBACK PREPARED), then plan again.",
            )
        unknown = self.database.startswith(UNKNOWN_UNTIL)
        if not unknown and (self.database != new or new not in there):
            raise Refused(
                f"{self.database} is not the database that this run restored ({new}).",
                "Hand on the value of the restoring step: restored['database'].",
            )
        staged = None if unknown else staging.kept(target.run, self.sha256)
        if staged and staged.live != live.oid:
            raise Refused(
                f"{live.name} is another database than when this run began: somebody has exchanged it meanwhile.",
                "Look at the other run's report; start a new run if a restore is still needed.",
            )
        sessions = target.database.ask(question("restore/sessions"))
        return self.planned(
            before={"live": live.name},
            observed={
                "sessions that will be ended": sorted({row["application"] for row in sessions}),
                "stays with the old database": [
                    f"{row['kind']} {row['name']}" for row in target.database.ask(question("restore/followers"))
                ],
                **(_lost(target, staged) if staged else {}),
            },
            after={"live": live.name, "live is what was": new, "the old one is kept as": old},
            touches=2,
            touched="databases (renamed)",
            verification=f"{live.name} is the restored database, equal to the backup, and takes connections.",
            undo=f"Both are renamed back; possible while {old} is kept. Rows written after the swap stay in {new}.",
            unknown=("what is lost: known when the backup is restored",) if unknown else (),
            fingerprint={"live": live.oid, "new": self.database if unknown else there[new], "sha256": self.sha256},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Exchange the names in one transaction while the live database's sessions are ended."""
        live, there = look(target), databases(target)
        new, old = made(live.name, "restore", target.run), made(live.name, "before", target.run)
        same(target, live.name)
        oids = {"live": live.oid, "new": there.get(new)}
        if oids["new"] is None or oids != {key: plan.fingerprint[key] for key in oids}:
            raise Refused("The databases are not those of the plan any more.", "Look at their names, then plan again.")
        target.database.close()
        written = mark(target.run, self.name)
        with maintenance(target) as session:
            if database_mark(session, new) not in marks(target.run):
                raise Refused(f"{new} was not made by this run.", "Nothing was changed; look at it.")
            before = _written(target, new)
            progress(f"Exchanging {live.name} and {new}")
            ended, seconds = _swap(target, session, (live.name, old, new), (live.oid, int(oids["new"])), written)
        return {
            "live": live.name,
            "old": old,
            "new": new,
            "live_oid": oids["new"],
            "old_oid": live.oid,
            "sessions_ended": ended,
            "seconds_closed": seconds,
            "written_before": before,
        }

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Connect through the live name, compare with the backup, and look for the old database."""
        staged, live, there = staging.kept(target.run, self.sha256), look(target), databases(target)
        if (live.oid, there.get(values["old"])) != (values["live_oid"], values["old_oid"]):
            return Verification(Verdict.CRITICAL, f"{values['live']} is not the restored database.")
        rows = differences(staged, contents(target, live.name, _quiet, staged.digests), live)
        changed = _unexplained(target, rows, values["written_before"])
        if changed:
            return Verification(Verdict.CRITICAL, f"{live.name} differs from the backup: {told(changed)}.", changed)
        more = f"; {len(rows)} tables were written to since it is open again" if rows else ""
        return Verification(
            Verdict.OK,
            f"{live.name} is the restored database, equal to the backup ({staged.rows} rows){more}; "
            f"the old one is kept as {values['old']}.",
            tuple(rows),
        )

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Tell by the databases' identities which names they have; both renames were one transaction."""
        live, old = str(plan.before["live"]), str(plan.after["the old one is kept as"])
        new, oids = str(plan.after["live is what was"]), plan.fingerprint
        with maintenance(target) as session:
            end_earlier(session)
        there = _oids(target)
        if (there.get(live), there.get(new)) == (oids["live"], oids["new"]):
            return Settled(Outcome.NOT_DONE, "Nothing was renamed.")
        if (there.get(live), there.get(old)) != (oids["new"], oids["live"]):
            return Settled(Outcome.UNKNOWN, f"{live}, {new} and {old} are not the databases of this step.")
        # Who was ended and what was written meanwhile is not known any more: every table may have been written to.
        return Settled(
            Outcome.DONE,
            f"{live} is the restored database, {old} the one before.",
            {
                "live": live,
                "old": old,
                "new": new,
                "live_oid": oids["new"],
                "old_oid": oids["live"],
                "sessions_ended": None,
                "seconds_closed": None,
                "written_before": {},
            },
        )

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Rename both back in one transaction."""
        # The names follow from the target and the run, and the mark is on the database itself: a record that was
        # tampered with exchanges no others.
        live = target.settings.database_url.path
        old, new = made(live, "before", target.run), made(live, "restore", target.run)
        oids = (int(values["live_oid"]), int(values["old_oid"]))
        there = databases(target)
        if (there.get(live), there.get(old)) == oids:
            target.database.close()
            with maintenance(target) as session:
                if database_mark(session, live) not in marks(target.run):
                    raise Refused(f"{live} was not put there by run {target.run}.", "Nothing was changed; look at it.")
                _swap(target, session, (live, new, old), oids, None)
                # Only of one that nobody wrote to while it was live may the restore's undo take the mark for its own.
                if _written(target, new) == values.get("written_before"):
                    mark_database(session, new, mark(target.run, "restore-into-new-database"))
        elif there.get(live) != oids[1]:
            raise Refused(f"{live} and {old} are not the databases of this step any more.", plan.undo)
        there = databases(target)
        back = there.get(live) == oids[1] and look(target).oid == oids[1]
        return Verification(
            Verdict.OK if back else Verdict.CRITICAL,
            f"{live} is {'the database that it was before; the restored one is ' + new if back else 'not back'}.",
        )


def _swap(
    target: WriteTarget,
    session: AdminDatabase,
    names: tuple[str, str, str],
    oids: tuple[int, int],
    written: str | None,
) -> tuple[int, float]:
    """Rename ``live`` to ``kept`` and ``new`` to ``live``; return the sessions ended and the seconds closed.

    ``names`` are these three, ``oids`` those of ``live`` and ``new`` as they are now.
    """
    live, kept, new = names
    started = time.monotonic()
    with maintenance(target) as another:
        end_sessions(session, new)
        try:
            with emptied(another, oids[0]) as ended:
                exchange(session, live, kept, new, written)
        except OpsError as error:
            # The reply may have been lost after the server had committed: the oids tell.
            end_lost(session, another)
            if _oids(target).get(live) != oids[1]:
                raise StepFailed(f"{error.message} Nothing was renamed.", error.next_step) from error
    return len(ended), round(time.monotonic() - started, 3)


def _oids(target: WriteTarget) -> dict[str, int]:
    with maintenance(target) as session:
        return {row["name"]: row["oid"] for row in session.ask(question("restore/databases"))}


def _lost(target: ReadTarget, staged: Staged) -> dict[str, Any]:
    """Return what stands in the live database and not in the backup, as far as statistics tell."""
    rows = {row["table"]: row["rows"] for row in target.database.ask(question("restore/rows"))}
    tables = [
        {"table": name, "live (about)": rows.get(name), "backup": staged.tables.get(name)}
        for name in sorted({*rows, *staged.tables})
        if rows.get(name, 0) != staged.tables.get(name, 0)
    ]
    allowed = target.settings.rpo_hours
    share = "within" if now() - staged.taken_at <= timedelta(hours=allowed) else "more than"
    return {
        "lost": f"what was written after {to_json(staged.taken_at)}: {share} the {allowed:g} h that the target allows",
        "rows": {"live (about)": sum(rows.values()), "backup": staged.rows},
        "tables that differ": tables,
    }


def _written(target: WriteTarget, database: str) -> dict[str, int]:
    with target.admin(target.database_url.with_path(database)) as session:
        return {row["table"]: row["changes"] for row in session.ask(question("restore/written"))}


def _unexplained(target: ReadTarget, rows: Rows, before: Mapping[str, int]) -> Rows:
    """Return the differences that are not rows which the application has written since the swap."""
    until = time.monotonic() + COUNTED_SECONDS
    while True:
        counted = target.database.ask(question("restore/written"))
        written = {row["table"] for row in counted if row["changes"] > before.get(row["table"], 0)}
        left = tuple(row for row in rows if row["kind"] not in ("rows", "content") or row["name"] not in written)
        if not left or time.monotonic() > until:
            return left
        time.sleep(1)


def _quiet(text: str, done: float | None = None, total: float | None = None) -> None:
    """Tell nobody."""
