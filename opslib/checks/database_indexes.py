"""Checks of indexes: unused, invalid, redundant, missing behind foreign keys, and sorted by an older collation."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.pictures.figures import count, size
from opslib.probes import database_tables as probes

UNUSED_DAYS, UNUSED_MEGABYTES = 30.0, 10.0
MISSING_ROWS = threshold("missing-index-rows")


def unused_indexes(unused_index_days: float = UNUSED_DAYS, unused_index_megabytes: float = UNUSED_MEGABYTES) -> Check:
    """Return the check of large indexes that nobody used since the statistics began.

    Left out, for they do work even unscanned: unique and exclusion indexes, those of a constraint, a
    replica identity, those a table is clustered by. Statistics younger than ``unused_index_days`` prove
    nothing about a monthly report, so the answer is UNKNOWN then, unless there is no candidate at all.
    """
    limits = threshold("index-unused", warning=unused_index_megabytes)

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            said = f"Every index above {unused_index_megabytes:g} MiB is used, or serves a rule."
            return Judgement(Verdict.OK, said, 0, reading.rows)
        days = reading.rows[0]["statistics_days"]
        total = sum(row["bytes"] for row in reading.rows)
        figure = round(total / probes.MEGABYTE, 1)
        said = f"{_indexes(reading)} ({size(total)}) {'were' if len(reading.rows) > 1 else 'was'} never scanned"
        if days is None or days < unused_index_days:
            since = "for an unknown time" if days is None else f"for {days:g} days only"
            said += f", but the statistics have counted {since}; {unused_index_days:g} are needed."
            return Judgement(Verdict.UNKNOWN, said, figure, reading.rows)
        said += f" in {days:g} days"
        standbys = reading.rows[0]["standbys"]
        said += f"; {standbys} standbys may use them." if standbys else "."
        return Judgement(Verdict.WARNING, said, figure, reading.rows)

    return Check(
        name="database-unused-indexes",
        title="No large index goes unused",
        probe=probes.unused_indexes(unused_index_megabytes),
        judge=judge,
        remedy=(
            "Ask every standby the same, and look in the migrations whether the index is younger than the statistics. "
            "Then keep its definition from the table as the undo, and DROP INDEX CONCURRENTLY in a migration "
            "(runbooks/migrate-database)."
        ),
        threshold=limits,
    )


def _indexes(reading: Reading, kind: str = "") -> str:
    return f"{len(reading.rows)} {kind}{'indexes' if len(reading.rows) > 1 else 'index'}"


def _judge_invalid(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.OK, "Every index is valid.", 0)
    names = ", ".join(row["index"] for row in reading.rows[:3]) + (" …" if len(reading.rows) > 3 else "")
    them = "them" if len(reading.rows) > 1 else "it"
    said = f"{_indexes(reading, 'invalid ')} ({names}): no query uses {them}, and every write still pays for {them}."
    return Judgement(Verdict.WARNING, said, len(reading.rows), reading.rows)


invalid_indexes = Check(
    name="database-invalid-indexes",
    title="Every index is valid",
    probe=probes.invalid_indexes,
    judge=_judge_invalid,
    remedy=(
        "Drop it by DROP INDEX CONCURRENTLY and create it again, CONCURRENTLY and outside a transaction "
        "(runbooks/maintain-database does both). For a unique one, first find the duplicates that made it fail. "
        "A leftover of REINDEX (_ccnew, _ccold) is only dropped."
    ),
    threshold=threshold("invalid-indexes"),
)
"""A failed CREATE INDEX CONCURRENTLY leaves an index that costs writes and serves nobody."""


def _judge_redundant(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.OK, "No index repeats another one.", 0)
    total = sum(row["bytes_estimate"] for row in reading.rows)
    first = reading.rows[0]
    said = (
        f"{_indexes(reading, 'redundant ')} (about {size(total)}): {first['index']} on {first['relation']} is a "
        f"{first['why'].replace('the other', first['covered_by'])}"
    )
    said += f" of {first['covered_by']}." if first["why"] == "duplicate" else "."
    return Judgement(Verdict.WARNING, said, len(reading.rows), reading.rows)


redundant_indexes = Check(
    name="database-redundant-indexes",
    title="No index repeats another one",
    probe=probes.redundant_indexes,
    judge=_judge_redundant,
    remedy=(
        "Drop the one in column index, never the one in covered_by: keep its definition as the undo, then DROP INDEX "
        "CONCURRENTLY in a migration (runbooks/migrate-database). A much narrower prefix that is scanned very often "
        "may stay, on purpose."
    ),
    threshold=threshold("redundant-indexes"),
)
"""Duplicates, and prefixes of a longer B-tree; indexes that serve a constraint are never proposed."""


def _judge_foreign_keys(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.OK, "Every foreign key has an index on its own side.", 0)
    large = [row for row in reading.rows if MISSING_ROWS.judge(row["rows_estimate"]) is not Verdict.OK]
    if not large:
        most = max(row["rows_estimate"] for row in reading.rows)
        said = f"{len(reading.rows)} foreign keys have none, all on small tables ({count(most)} rows at most)."
        return Judgement(Verdict.OK, said, most, reading.rows)
    row = max(large, key=lambda row: (row["parent_rows_deleted"] > 0, row["rows_estimate"]))
    deleted = f", and {count(row['parent_rows_deleted'])} rows of it were deleted" if row["parent_rows_deleted"] else ""
    said = (
        f"{len(large)} on large tables have none: each delete in {row['parent']} reads all of {row['relation']} "
        f"({count(row['rows_estimate'])} rows){deleted}."
    )
    return Judgement(Verdict.WARNING, said, row["rows_estimate"], reading.rows)


foreign_key_indexes = Check(
    name="database-foreign-key-indexes",
    title="Foreign keys on large tables have an index",
    probe=probes.foreign_keys_without_index,
    judge=_judge_foreign_keys,
    remedy=(
        "CREATE INDEX CONCURRENTLY on the columns shown (runbooks/maintain-database), and the same in a migration. "
        "Where no row of the parent is ever deleted or renumbered, and no query joins that way, it can wait."
    ),
    threshold=MISSING_ROWS,
)
"""Without it, deleting one parent row scans the child, with the row locked the while."""


def _judge_collations(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.OK, "No index sorts by a collation.", 0)
    moved = [row for row in reading.rows if row["built_under"] and row["there_now"] not in (None, row["built_under"])]
    if moved:
        row, all_ = moved[0], sum(row["indexes"] for row in moved)
        said = (
            f"{all_} indexes ({sum(row['unique_indexes'] for row in moved)} unique) were sorted by another version of "
            f"{row['collation']}: {row['built_under']}, now {row['there_now']} ({', '.join(row['first_indexes'][:3])})."
        )
        return Judgement(Verdict.CRITICAL, said, all_, reading.rows)
    # Where nothing is recorded, or the library tells no version, indexes may have been sorted by anything.
    blind = [row for row in reading.rows if not row["by_bytes"] and None in (row["built_under"], row["there_now"])]
    if blind:
        row = blind[0]
        said = (
            f"The version of {row['collation']} ({row['provider']}) is not known; {row['indexes']} indexes sort by it."
        )
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    kinds = len(reading.rows)
    said = f"Every index is sorted as the server sorts now ({kinds} {'collations' if kinds > 1 else 'collation'})."
    return Judgement(Verdict.OK, said, 0, reading.rows)


collations = Check(
    name="database-collations",
    title="Indexes are sorted as the server sorts now",
    probe=probes.collations,
    judge=_judge_collations,
    remedy=(
        "After an upgrade of the system's C library or ICU an index on text may not find rows that are there, and a "
        "unique one may take a second of the same. REINDEX INDEX CONCURRENTLY each (runbooks/maintain-database), "
        "unique ones first; one that fails has found duplicates, which are to be settled by hand. Then ALTER DATABASE "
        "or ALTER COLLATION … REFRESH VERSION, never before. If the system was changed by mistake, go back instead."
    ),
    threshold=threshold("drifted-indexes"),
)
"""Partitions by range of text and constraints that compare text may be wrong as well; they are not looked at."""
