"""Checks of the tables without which nothing works: are they there, and did one statement change all of one?"""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes import database as probes

SHARE = threshold("rewritten-share")
FEWEST = 50
"""Rows below which one transaction may well have written all of them."""
RECENT_SECONDS = 86_400.0


def _judge_core(reading: Reading) -> Judgement:
    missing = [row["relation"] for row in reading.rows if not row["present"]]
    if missing:
        said = f"{', '.join(missing)}: not there. Dropped, renamed, or another database?"
        return Judgement(Verdict.CRITICAL, said, len(missing), reading.rows)
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "OPS_CORE_TABLES names no table.", None)
    return Judgement(Verdict.OK, f"All {len(reading.rows)} core tables are there.", 0, reading.rows)


core_tables = Check(
    name="database-core-tables",
    title="The tables without which nothing works are there",
    probe=probes.core_tables,
    judge=_judge_core,
    remedy=(
        "Stop what drops or migrates before anything else. Renamed or half migrated: runbooks/migrate-database. "
        "Dropped: a standby has dropped it too, so failing over helps nothing; disaster/recover-database brings back "
        "the moment before, beside the database that runs."
    ),
)
"""OPS_CORE_TABLES by name; what is in them, ``rewritten`` and the backups' own checks look at."""


def _judge_rewritten(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "The core tables hold no row: nobody can tell.", None)
    judged = [(_rewritten(row), row) for row in reading.rows]
    verdict = Verdict.worst([one for one, _ in judged])
    row = max(judged, key=lambda one: list(Verdict).index(one[0]))[1]
    if verdict is Verdict.OK:
        said = f"No core table was rewritten by one statement within {duration(RECENT_SECONDS)}."
        return Judgement(verdict, said, None, reading.rows)
    when = "nobody knows when" if row["committed_at"] is None else f"{duration(row['committed_seconds'])} ago"
    said = f"Transaction {row['xid']} last wrote {row['by_one_percent']:g} % of {row['relation']}, {when}"
    return Judgement(verdict, f"{said}: was that meant?", row["by_one_percent"], reading.rows)


def _rewritten(row: Row) -> Verdict:
    # After a crash the server counts from 0 and knows no row either: then what was seen is what there is.
    filled = row["updates"] < max(row["live_rows"], row["rows_seen"]) * row["by_one_percent"] / 100
    if row["rows_seen"] < FEWEST or filled:
        return Verdict.OK
    if row["committed_seconds"] is not None and row["committed_seconds"] > RECENT_SECONDS:
        return Verdict.OK
    return SHARE.judge(row["by_one_percent"])


rewritten = Check(
    name="database-rewritten",
    title="No core table was changed as a whole today",
    probe=probes.rewritten,
    judge=_judge_rewritten,
    remedy=(
        "A migration that fills a column does this too: ask who changed the table. An UPDATE without its WHERE: stop "
        "what writes, note the transaction and its moment from this check's rows, and let disaster/recover-database "
        "bring back the rows of just before it; the standby has the same damage."
    ),
    threshold=SHARE,
)
"""Each row says which transaction wrote it last: when one wrote nearly all of a table, it was one statement.

A server that crashed has forgotten how many rows it changed: then a rewrite looks like a first filling.
"""
