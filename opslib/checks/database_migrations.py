"""Checks of migrations: order and drift, half-applied ones, edits, rollback files, and what the linter says.

The platform's command line knows versions only. That a recorded version's objects are there, or an unrecorded
one's are not, and that a file is still the one that was applied, nobody looks at but this.
"""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import database_migrations as probes
from opslib.probes import database_rehearsed
from opslib.probes.database_migration_standing import ABSENT, APPLIED, EDITED, HALF, LATE, PENDING, TWICE, WRONG

RUNBOOK = "runbooks/migrate-database"

LARGE = threshold("migration-large-table")
"""Above it a statement that locks while it reads or writes the table is CRITICAL; squawk knows no sizes."""

OFF = ("prefer-", "require-lock-timeout", "require-statement-timeout", "ban-char-field")
"""Rules of style, and those that ask for what the step sets itself: both time-outs, one transaction a file."""

HEAVY = frozenset(
    {
        "adding-field-with-default",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "adding-serial-primary-key-field",
        "changing-column-type",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "require-concurrent-index-creation",
        "require-concurrent-index-deletion",
    }
)
"""Rules about statements that lock a table for as long as they read or rewrite it."""

WRONG_ANYWHERE = frozenset(
    {
        "adding-required-field",
        "ban-concurrent-index-creation-in-transaction",
        "ban-drop-database",
        "ban-truncate-cascade",
        "ban-uncommitted-transaction",
        "syntax-error",
        "transaction-nesting",
        probes.NO_SECURITY,
    }
)
"""Rules about what fails, or opens a table to everybody, however small it is."""


def _judge_order(reading: Reading) -> Judgement:
    states = [row["state"] for row in reading.rows]
    wrong = [row for row in reading.rows if row["state"] in (ABSENT, LATE, TWICE, WRONG)]
    said = f"{states.count(APPLIED)} applied, {states.count(PENDING)} pending"
    if not wrong:
        return Judgement(Verdict.OK, f"{said}, in order.", states.count(PENDING), reading.rows)
    first = "; ".join(f"{row['version'] or row['name']}: {row['note']}" for row in wrong[:3])
    more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    serious = [row for row in wrong if row["state"] != WRONG]
    verdict = Verdict.CRITICAL if serious else Verdict.WARNING
    return Judgement(verdict, f"{said}. {first}{more}.", states.count(PENDING), reading.rows)


migration_order = Check(
    "database-migration-order",
    "Files and history name the same migrations, in order",
    probes.migrations,
    _judge_order,
    "Missing here: is the checkout behind what was deployed? Take the file from there; never delete the record. Out of "
    "order: give the file a new version. Named twice: rename the one that is not applied. Wrong name: rename it.",
    items=("DEP-MIG-01",),
)
"""CRITICAL for drift and disorder, before which nothing may be applied; WARNING for files that everybody skips."""


def _judge_half(reading: Reading) -> Judgement:
    half = tuple(row for row in reading.rows if row["state"] == HALF)
    if half:
        said = "; ".join(f"{row['version']} {row['name']}: {row['note']}" for row in half[:3])
        return Judgement(Verdict.CRITICAL, f"{said}.", len(half), half)
    blind = tuple(row for row in reading.rows if row["state"] == PENDING and not row["looked"])
    if blind:
        named = ", ".join(row["version"] for row in blind[:3])
        said = f"{named}: makes nothing that could be looked for, so whether it was applied by hand is not known."
        return Judgement(Verdict.UNKNOWN, said, None, blind)
    return Judgement(Verdict.OK, "No migration is half applied.", 0, ())


half_applied_migrations = Check(
    "database-migration-half-applied",
    "No migration is half applied",
    probes.migrations,
    _judge_half,
    "Somebody ran a file by hand, or a run without a transaction broke off. Compare the file with the database "
    "statement by statement. All of it there: record the version (supabase migration repair --status applied). Part of "
    "it: take that part away by hand, then apply the file whole.",
)
"""By the objects that each file makes: there though it is not recorded, or recorded though they are not there."""


def _judge_edits(reading: Reading) -> Judgement:
    edited = tuple(row for row in reading.rows if row["state"] == EDITED)
    if edited:
        named = ", ".join(f"{row['version']} {row['name']}" for row in edited[:3])
        said = f"Edited after it was applied: {named}."
        return Judgement(Verdict.CRITICAL, said, len(edited), edited)
    blind = [row for row in reading.rows if row["state"] == APPLIED and not row["compared"]]
    if blind:
        said = f"{len(blind)} applied migrations have no recorded statements: nobody can tell whether they were edited."
        return Judgement(Verdict.UNKNOWN, said, None, tuple(blind))
    return Judgement(Verdict.OK, "Every applied migration is the file that was applied.", 0, ())


edited_migrations = Check(
    "database-migration-edits",
    "No migration was edited after it was applied",
    probes.migrations,
    _judge_edits,
    "The database has what was recorded, the next environment would get what the file says now. Bring the file back as "
    "it was applied, and put the change into a migration of its own.",
)
"""The recorded statements against the file's; comments, blanks and the case of words do not count."""


def _judge_rollbacks(reading: Reading) -> Judgement:
    files = [row for row in reading.rows if row["state"] == PENDING]
    without = tuple(row for row in files if row["no_rollback"])
    if without:
        said = "; ".join(f"{row['version']}: {row['no_rollback']}" for row in without[:3])
        return Judgement(Verdict.WARNING, f"Forward only: {said}.", len(without), without)
    return Judgement(Verdict.OK, f"Each of {len(files)} pending migrations has its rollback file.", 0, ())


migration_rollbacks = Check(
    "database-migration-rollbacks",
    "Each pending migration has a rollback file",
    probes.migrations,
    _judge_rollbacks,
    "Write rollbacks/<version>_name.sql beside the migration: what takes exactly it away. Without one the way back is "
    "a restore, and a run of this notebook cannot be undone.",
    items=("DEP-MIG-04",),
)
"""That a file is there, is not empty and is no template; that it works only the rehearsal shows."""


def _judge_lint(reading: Reading) -> Judgement:
    judged = [(weight(row), row) for row in reading.rows]
    kept = tuple({**row, "verdict": verdict} for verdict, row in judged if verdict is not Verdict.OK)
    if not kept:
        return Judgement(Verdict.OK, "The linter finds nothing that counts in the pending migrations.", 0, ())
    worst = Verdict.worst([row["verdict"] for row in kept])
    first = [row for row in kept if row["verdict"] is worst]
    said = "; ".join(f"{row['version']} line {row['line']}: {row['rule']}" for row in first[:4])
    return Judgement(worst, f"{said}{' …' if len(first) > 4 else ''}.", len(kept), kept)


def weight(row: Row) -> Verdict:
    """Return what a finding counts: OK where its rule is off here."""
    rule = row["rule"]
    if rule.startswith(OFF):
        return Verdict.OK
    if rule in WRONG_ANYWHERE:
        return Verdict.CRITICAL
    if rule in HEAVY:
        # A table that is not there yet has no rows; one that the statement does not name may have any number.
        rows = row["rows_estimate"] if row["table"] else None
        small = row["table"] and (rows is None or LARGE.judge(rows) is Verdict.OK)
        return Verdict.WARNING if small else Verdict.CRITICAL
    return Verdict.WARNING


migration_lint = Check(
    "database-migration-lint",
    "The pending migrations lock no large table and open none to everybody",
    probes.linted,
    _judge_lint,
    "Each finding says how. An index: make it with runbooks/maintain-database, and say IF NOT EXISTS in the file. A "
    "constraint: NOT VALID in one migration, VALIDATE in the next. A new table: ENABLE ROW LEVEL SECURITY in the same "
    "file, or the API shows it to everybody.",
    LARGE,
)
"""squawk's findings by their weight here, with the size of the table; and new tables without row level security."""


def _judge_rehearsed(reading: Reading) -> Judgement:
    missing = [row["version"] for row in reading.rows if row["rehearsed_at"] is None]
    if missing:
        said = f"{len(missing)} of {len(reading.rows)} pending migrations were rehearsed nowhere that is known here"
        return Judgement(Verdict.CRITICAL, f"{said}: {', '.join(missing[:3])}.", len(missing), reading.rows)
    if not reading.rows:
        return Judgement(Verdict.OK, "No migration is pending: there is none to be rehearsed.", 0, ())
    forward = [row["version"] for row in reading.rows if row["way_back"] != "proven"]
    said = f"Each of {len(reading.rows)} pending migrations was rehearsed on a restored copy"
    if forward:
        return Judgement(
            Verdict.WARNING, f"{said}; no way back is proven of {', '.join(forward[:3])}.", 0, reading.rows
        )
    return Judgement(Verdict.OK, f"{said}, and its way back is proven.", 0, reading.rows)


rehearsed = Check(
    name="database-migration-rehearsed",
    title="Each pending migration was rehearsed on a restored copy",
    probe=database_rehearsed.rehearsed,
    judge=_judge_rehearsed,
    remedy=f"{RUNBOOK} rehearses each with act=rehearse, on a copy; the record stays on the machine that did it.",
)
"""CRITICAL where a pending migration was not; WARNING where its way back is not proven."""
