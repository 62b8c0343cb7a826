"""Whether the database could be recovered: freshness, proof, size, gaps, protection, time.

The guide's own checks (a file is there, it has a size) pass on a dump without a single row (GH-11).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opslib.checks.backups_access import access
from opslib.checks.backups_drills import age as drill_age
from opslib.checks.backups_drills import compared as drill_compared
from opslib.checks.backups_drills import record as drill_record
from opslib.checks.backups_drills import score as drill_score
from opslib.checks.backups_drills import service as drilled
from opslib.checks.backups_elsewhere import automatic, logs, places, point_in_time
from opslib.checks.backups_game_day import recovery as game_day_recovery
from opslib.checks.backups_game_day import response as game_day_response
from opslib.checks.backups_game_day import score as game_day_score
from opslib.checks.backups_game_day import steady as game_day_steady
from opslib.checks.backups_game_people import actions as game_day_actions
from opslib.checks.backups_game_people import age as game_day_age
from opslib.checks.backups_game_people import compared as game_day_compared
from opslib.checks.backups_game_people import people as game_day_people
from opslib.checks.backups_game_people import words as game_day_words
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import backups as probes

__all__ = [
    "access",
    "automatic",
    "coverage",
    "drill_age",
    "drill_compared",
    "drill_record",
    "drill_score",
    "drilled",
    "freshness",
    "game_day_actions",
    "game_day_age",
    "game_day_compared",
    "game_day_people",
    "game_day_recovery",
    "game_day_response",
    "game_day_score",
    "game_day_steady",
    "game_day_words",
    "logs",
    "overdue",
    "places",
    "point_in_time",
    "proof_age",
    "protections",
    "recovery_time",
    "shrinkage",
    "source",
]

RUNBOOK = "runbooks/back-up-database"

FRESHNESS = threshold("backup-freshness")
PROOF_AGE = threshold("backup-proof-age")
SHRINKAGE = threshold("backup-shrinkage")
GROWTH = threshold("backup-growth")
GAPS = threshold("backup-gaps")
RECOVERY_TIME = threshold("recovery-time")


def _source(reading: Reading) -> Judgement:
    row = reading.row
    if row["missing_tables"]:
        return Judgement(
            Verdict.CRITICAL,
            f"{row['database']} lacks {row['missing_tables']}: a backup of it would be none.",
            rows=(row,),
        )
    said = f"{row['database']} on PostgreSQL {row['server']}: {row['tables']} tables, all core tables are there"
    if row["standby"]:
        return Judgement(Verdict.WARNING, f"{said}; this is a standby, and its backup may lag.", rows=(row,))
    return Judgement(Verdict.OK, f"{said}.", rows=(row,))


def _freshness(reading: Reading) -> Judgement:
    row = reading.row
    if row["newest_proven"] is None:
        said = f"{_none(row)}: if the database died now, everything could be lost."
        return Judgement(Verdict.CRITICAL, said, rows=(row,))
    share = 100 * row["age_hours"] / row["rpo_hours"]
    lost, rpo = _hours(row["age_hours"]), row["rpo_hours"]
    said = f"If the database died now, {lost} of work would be lost; the RPO is {rpo:g} h."
    if row["interval_hours"] and row["interval_hours"] > row["rpo_hours"]:
        said += f" One backup every {_hours(row['interval_hours'])} cannot meet that RPO, whatever the age is just now."
    return Judgement(FRESHNESS.judge(share), said, round(share, 1), (row,))


def _none(row: Row) -> str:
    if row["backups"]:
        return f"None of {row['backups']} backups is proven"
    if row["broken"]:
        return f"None of {row['broken']} backups is whole (of the newest {row['fault']})"
    return "There is no backup at all"


def _proof_age(reading: Reading) -> Judgement:
    row = reading.row
    if row["proven_at"] is None:
        return Judgement(Verdict.CRITICAL, "No backup was ever restored to prove it.", rows=(row,))
    age = (reading.taken_at - datetime.fromisoformat(str(row["proven_at"]))).total_seconds() / 86400
    return Judgement(
        PROOF_AGE.judge(age),
        f"The last restore that was compared row by row is {age:.1f} days ago.",
        round(age, 2),
        (row,),
    )


def _recovery_time(reading: Reading) -> Judgement:
    row = reading.row
    if row["predicted_minutes"] is None:
        return Judgement(Verdict.UNKNOWN, "No restore was measured yet, so nothing can be predicted.", rows=(row,))
    share = 100 * row["predicted_minutes"] / row["rto_minutes"]
    said = (
        f"Reading, restoring and comparing takes {row['predicted_minutes']:.2f} min of machine time by the last proof; "
        f"the RTO is {row['rto_minutes']:g} min, and people need theirs on top."
    )
    return Judgement(RECOVERY_TIME.judge(share), said, round(share, 1), (row,))


def _shrinkage(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "There is no backup to look at.")
    judged = [(_change(row), row) for row in reading.rows]
    bad = [(verdict, said) for (verdict, said), _ in judged if verdict is not Verdict.OK]
    rows = tuple(row for (verdict, _), row in judged if verdict is not Verdict.OK or row["what"] in ("dump", "rows"))
    if bad:
        return Judgement(
            Verdict.worst([verdict for verdict, _ in bad]), "; ".join(said for _, said in bad[:5]), rows=rows
        )
    if reading.rows[0]["before"] is None:
        return Judgement(
            Verdict.OK, "The first backup: nothing to compare it with, but every core table has rows in it.", rows=rows
        )
    return Judgement(Verdict.OK, "Size and rows of the newest backup are in line with the one before.", rows=rows)


def _change(row: Row) -> tuple[Verdict, str]:
    before, after, what = row["before"], row["now"], row["what"]
    if row.get("core") and not after:
        return Verdict.CRITICAL, f"core table {what} has no row in the newest backup"
    if before and not after:
        return Verdict.CRITICAL, f"{what} had {before} rows and has none in the newest backup"
    if not before or what not in ("dump", "rows"):
        return Verdict.OK, ""
    percent = 100 * (after - before) / before
    if SHRINKAGE.judge(-percent) is Verdict.CRITICAL:
        return Verdict.CRITICAL, f"{what} shrank by {-percent:.1f} % ({before} to {after})"
    return GROWTH.judge(percent), f"{what} grew by {percent:.1f} % ({before} to {after})"


def _coverage(reading: Reading) -> Judgement:
    states = [row["state"] for row in reading.rows]
    begun = [state for state in states if state not in ("before the first backup", "not yet")]
    if not begun:
        return Judgement(Verdict.CRITICAL, f"No backup of any of the last {len(states)} days.", 0.0)
    gaps = tuple(row for row in reading.rows if row["state"] in ("missing", "broken"))
    said = f"{len(begun) - len(gaps)} of the last {len(states)} days have a usable backup"
    if len(begun) < len(states):
        said += f"; the history is {len(begun)} day(s) long"
    if gaps:
        said += f"; none on {', '.join(str(row['day']) for row in gaps[:5])}{' …' if len(gaps) > 5 else ''}"
    return Judgement(GAPS.judge(len(gaps)), f"{said}.", float(len(gaps)), gaps)


_HALF = ("has no manifest", "a person must", "an unfinished upload")


def _overdue(reading: Reading) -> Judgement:
    due = tuple(row for row in reading.rows if row["due"])
    stray = tuple(row for row in reading.rows if any(sign in row["why"] for sign in _HALF))
    if due or stray:
        said = f"{len(due)} backup(s) are older than the retention, {len(stray)} object(s) are no whole backup."
        return Judgement(Verdict.WARNING, said, float(len(due)), due + stray)
    return Judgement(Verdict.OK, f"Nothing is kept beyond the retention ({len(reading.rows)} backups).", 0.0)


_WEIGHT = {"no public access": Verdict.CRITICAL, "lifecycle keeps backups": Verdict.CRITICAL}


def _protections(reading: Reading) -> Judgement:
    judged = [(_protection(row), row) for row in reading.rows]
    bad = [(verdict, row) for verdict, row in judged if verdict is not Verdict.OK]
    if not bad:
        return Judgement(Verdict.OK, f"All {len(judged)} protections of the bucket are on.", rows=reading.rows)
    said = "; ".join(f"{row['protection']}: {row['says']}" for _, row in bad)
    return Judgement(Verdict.worst([verdict for verdict, _ in bad]), said, rows=tuple(row for _, row in judged))


def _protection(row: Row) -> Verdict:
    if row["on"] is None:
        return Verdict.UNKNOWN
    return Verdict.OK if row["on"] else _WEIGHT.get(row["protection"], Verdict.WARNING)


def _hours(hours: Any) -> str:
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


source = Check(
    "backup-source",
    "The right database is there to be saved",
    probes.source,
    _source,
    "Check OPS_READ_DATABASE_URL, DATABASE_URL and OPS_CORE_TABLES of the target description.",
)
freshness = Check(
    "backup-freshness",
    "The newest proven backup is younger than the RPO",
    probes.recovery,
    _freshness,
    f"Run {RUNBOOK} now: it takes a new backup and proves it by a restore, whatever became of those before, so that "
    "this much and no more can be lost. Then see why there was none: its schedule, what failed (ops archive list), and "
    "who deletes from the bucket; objects that were deleted there are kept as older versions for a while. An RPO of "
    "1 h needs a proven backup every hour at least, or point-in-time recovery: a daily dump (the guide's cron line) "
    "cannot meet it.",
    FRESHNESS,
)
proof_age = Check(
    "proof-age",
    "A backup was restored and compared not long ago",
    probes.recovery,
    _proof_age,
    f"Run {RUNBOOK}: it proves what it takes. A backup that was never restored is a hope.",
    PROOF_AGE,
)
recovery_time = Check(
    "recovery-time",
    "A recovery fits into the RTO",
    probes.recovery,
    _recovery_time,
    "Restore from a standby or by point-in-time recovery instead, move the scratch server's kind of machine up, or "
    "agree on another RTO; disaster/recovery-drill measures the whole way with people.",
    RECOVERY_TIME,
)
shrinkage = Check(
    "backup-shrinkage",
    "The newest backup holds what the one before held",
    probes.changes,
    _shrinkage,
    "Find out whether the rows were meant to go before an older backup is deleted; diagnostics/database, tables.",
    SHRINKAGE,
    ("BAK-MAN-02", "BAK-MAN-03"),
)
coverage = Check(
    "backup-coverage",
    "Every day of the retention has a usable backup",
    probes.days,
    _coverage,
    f"Look why {RUNBOOK} did not run or failed on these days (ops archive list), and at its schedule.",
    GAPS,
    ("BAK-CRN-01",),
)
overdue = Check(
    "backup-overdue",
    "Nothing is kept beyond the retention, and nothing is half there",
    probes.retention,
    _overdue,
    f"Run {RUNBOOK}, step apply-retention; a dump without a manifest needs a person.",
)
protections = Check(
    "backup-protections",
    "The bucket of backups is protected",
    probes.protections,
    _protections,
    "Switch the missing protection on for the bucket; UNKNOWN means that the reading role may not look.",
)

DECISIVE = (access, freshness, proof_age, shrinkage, coverage, protections, automatic, places)
"""What tells most of the backups without reading one, most telling first."""
