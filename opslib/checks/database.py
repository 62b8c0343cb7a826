"""Checks of PostgreSQL: reach, server, replication, disk, guards; and every other database check.

The siblings judge sessions, statements, indexes and tables, and are offered here too. Limits are the
guide's where it has one; the others say why they are what they are.
"""

from __future__ import annotations

from datetime import date

from opslib.checks.database_core import core_tables, rewritten
from opslib.checks.database_disk import disk, writes, writes_again
from opslib.checks.database_fencing import fencing
from opslib.checks.database_indexes import (
    collations,
    foreign_key_indexes,
    invalid_indexes,
    redundant_indexes,
    unused_indexes,
)
from opslib.checks.database_migrations import (
    edited_migrations,
    half_applied_migrations,
    migration_lint,
    migration_order,
    migration_rollbacks,
    rehearsed,
)
from opslib.checks.database_pooling import pooling
from opslib.checks.database_replication import replication, slots
from opslib.checks.database_servers import keeping, servers
from opslib.checks.database_sessions import blocking, connection_use, long_transactions, xmin_horizon
from opslib.checks.database_statements import query_p95, slow_statements
from opslib.checks.database_tables import freeze, index_bloat, materialised_views, table_bloat, vacuum
from opslib.checks.database_ways import ways_back
from opslib.checks.tree import Branch, Tree
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.pictures.figures import duration
from opslib.probes import database as probes

__all__ = [
    "blocking",
    "checksums",
    "collations",
    "connection_use",
    "core_tables",
    "disk",
    "edited_migrations",
    "fencing",
    "foreign_key_indexes",
    "freeze",
    "guards",
    "guide_objects",
    "half_applied_migrations",
    "index_bloat",
    "invalid_indexes",
    "keeping",
    "long_transactions",
    "materialised_views",
    "migration_lint",
    "migration_order",
    "migration_rollbacks",
    "pooling",
    "query_p95",
    "reachable",
    "redundant_indexes",
    "rehearsed",
    "replication",
    "rewritten",
    "server",
    "servers",
    "slots",
    "slow_statements",
    "table_bloat",
    "unused_indexes",
    "vacuum",
    "ways_back",
    "writes",
    "writes_again",
    "xmin_horizon",
]

RESTARTED_SECONDS = 600
SUPPORTED_UNTIL = {
    13: date(2025, 11, 13),
    14: date(2026, 11, 12),
    15: date(2027, 11, 11),
    16: date(2028, 11, 9),
    17: date(2029, 11, 8),
    18: date(2030, 11, 14),
}
"""Last day with corrections, by major version (postgresql.org, Versioning Policy)."""

ANSWER = threshold("database-answer")


def _judge_reachable(reading: Reading) -> Judgement:
    row = reading.row
    if not row["answers"]:
        return Judgement(Verdict.CRITICAL, row["reason"], None, reading.rows)
    said = f"{row['address']} answers; an empty transaction takes {row['fastest_ms']:g} to {row['slowest_ms']:g} ms."
    return Judgement(ANSWER.judge(row["fastest_ms"]), said, row["fastest_ms"], reading.rows)


reachable = Check(
    name="database-reachable",
    title="The database answers",
    probe=probes.reachable,
    judge=_judge_reachable,
    remedy=(
        "The sentence of this check is the diagnosis. Refused: is the server down, or the project paused? No "
        "connection left: look at connection use through a reserved role. Starting or recovering: wait, and watch its "
        "log. Password, host or name: this description may be wrong while the application is well, so compare it with "
        "the application's DATABASE_URL. If it stays away, see the vendor's status (diagnostics/supabase) and open "
        "disaster/recover-database. Shut (datallowconn): a standby is shut as well, so ask who shut it, and have it "
        "opened again."
    ),
    threshold=ANSWER,
    items=("TRB-ERR-07",),
)
"""CRITICAL when the server itself says no; UNKNOWN when name, network, TLS or password kept us from asking."""


def _judge_server(reading: Reading) -> Judgement:
    row = reading.row
    major = row["version_number"] // 10000
    faults = []
    if row["role"] == "standby":
        faults.append("it is a standby, or a restore that still recovers: nothing can be written")
    if row["database_set_read_only"]:
        faults.append("the database is set read-only, as Supabase does when the disk is full")
    last = SUPPORTED_UNTIL.get(major)
    if major < min(SUPPORTED_UNTIL) or (last and reading.taken_at.date() > last):
        faults.append(f"version {major} gets no corrections any more")
    if row["settings_awaiting_restart"]:
        faults.append(f"{row['settings_awaiting_restart']} changed settings wait for a restart")
    if not row["sees_all_sessions"]:
        faults.append(f"{row['asked_as']} may not see others' sessions")
    said = f"PostgreSQL {row['version']}, {row['role']}"
    since = f"up for {duration(row['uptime_seconds'])}"
    if row["uptime_seconds"] < RESTARTED_SECONDS:
        since += " only (did anybody restart it?)"
    if faults:
        return Judgement(Verdict.WARNING, f"{said}, {since}; but {', '.join(faults)}.", None, reading.rows)
    return Judgement(Verdict.OK, f"{said}, writable, supported; {since}.", None, reading.rows)


server = Check(
    name="database-server",
    title="The server is the primary, writable and supported",
    probe=probes.server,
    judge=_judge_server,
    remedy=(
        "A restart that nobody ordered: find the reason in the server's log first (out of memory, crash); a crash "
        "throws the statistics away. A standby where a primary is expected: was there a failover? Compare with the "
        "application's address before anything is written, then see disaster/recover-database."
    ),
)
"""Version, role, uptime, and what this session may see; an answer to SELECT version() alone proves none of it."""


def _judge_checksums(reading: Reading) -> Judgement:
    failures = sum(row["checksum_failures"] or 0 for row in reading.rows)
    if failures:
        row = max(reading.rows, key=lambda row: row["checksum_failures"] or 0)
        found = f"{failures} damaged page{'s were' if failures > 1 else ' was'} found"
        said = f"{found}, most in {row['database']}, last at {row['checksum_last_failure']}."
        return Judgement(Verdict.CRITICAL, said, failures, reading.rows)
    if not reading.rows or reading.rows[0]["checksums"] != "on":
        return Judgement(Verdict.UNKNOWN, "Data checksums are off: damage would go unnoticed.", None, reading.rows)
    said = "No damaged page was found; pages that nobody reads are not looked at."
    return Judgement(Verdict.OK, said, 0, reading.rows)


checksums = Check(
    name="database-checksums",
    title="The server found no damaged page",
    probe=probes.checksums,
    judge=_judge_checksums,
    remedy=(
        "Damage: write no more than you must, take a file-level copy, find the table in the server's log, check it "
        "with pg_amcheck, and go to disaster/recover-database; the newest backups may hold the damage too. "
        "Checksums off: pg_checksums --enable, with the server stopped."
    ),
    threshold=threshold("damaged-pages"),
)
"""Counts of pg_stat_database since the statistics were reset."""


def _judge_guards(reading: Reading) -> Judgement:
    needed = [row for row in reading.rows if row["guard"] != "lock_timeout"]
    if not needed:
        return Judgement(Verdict.UNKNOWN, "No application's role was found.", None, reading.rows)
    missing = [row for row in needed if str(row["value"]) in ("0", "0ms", "0s")]
    if not missing:
        roles = len({row["role"] for row in needed})
        said = f"For all {roles} roles of applications, long statements and forgotten transactions are ended."
        return Judgement(Verdict.OK, said, 0, reading.rows)
    names = ", ".join(sorted({f"{row['role']} ({row['guard']})" for row in missing})[:3])
    said = f"{len(missing)} guards are missing: {names}{' …' if len(missing) > 3 else ''}."
    return Judgement(Verdict.WARNING, said, len(missing), reading.rows)


guards = Check(
    name="database-guards",
    title="Applications' roles have time-outs",
    probe=probes.guards,
    judge=_judge_guards,
    remedy=(
        "For each role of an application: ALTER ROLE name SET statement_timeout = '30s'; ALTER ROLE name SET "
        "idle_in_transaction_session_timeout = '60s'. Maintenance roles keep longer ones. Only new sessions get them. "
        "Note the old values first: they are the undo."
    ),
    threshold=threshold("missing-guards"),
)
"""statement_timeout and idle_in_transaction_session_timeout of each role as it gets them; lock_timeout is shown."""


def _judge_objects(reading: Reading) -> Judgement:
    missing = [row for row in reading.rows if not row["present"] and not row["instead"]]
    faulty = [row for row in reading.rows if row["fault"] and row["present"]]
    replaced = [row for row in reading.rows if not row["present"] and row["instead"]]
    parts = [f"missing: {row['object']}" for row in missing]
    parts += [f"{row['object']}: {row['fault']}" for row in faulty]
    parts += [f"instead of {row['object']}: {row['instead']}" for row in replaced]
    verdict = Verdict.WARNING if missing or any(row["item"] != "IMP-OBJ-08" for row in faulty) else Verdict.OK
    said = "; ".join(parts) or "All are there"
    return Judgement(verdict, f"{said[0].upper()}{said[1:]}.", None, reading.rows)


guide_objects = Check(
    name="database-guide-objects",
    title="What the guide's commands name exists, or has a known successor",
    probe=probes.guide_objects,
    judge=_judge_objects,
    remedy=(
        "A missing object makes the guide's command fail at the worst moment. Was a migration forgotten? Compare with "
        "runbooks/migrate-database. runbooks/maintain-database uses what is in force."
    ),
    items=("IMP-OBJ-04", "IMP-OBJ-05", "IMP-OBJ-06", "IMP-OBJ-07", "IMP-OBJ-08"),
)
"""Tables, function and extension that the guide takes for granted; some are of an older schema."""

TREES = (
    Tree(
        name="no-connection-to-database",
        symptom="The application cannot connect to its database",
        branches=(
            Branch(reachable, "the server refuses, is starting, or lets nobody into this database"),
            Branch(connection_use, "no connection is left", after="database-reachable"),
            Branch(disk, "the disk is full: the server stops", after="database-reachable"),
            Branch(writes, "it lets nobody write", after="database-reachable"),
        ),
        codes=("DB_001",),
        items=("TRB-ERR-07",),
    ),
    Tree(
        name="slow-queries",
        symptom="Queries run into their time-out",
        branches=(
            Branch(reachable, "the server answers slowly as a whole"),
            Branch(blocking(), "sessions wait for another one's lock", after="database-reachable"),
            Branch(long_transactions(), "a transaction that somebody forgot keeps locks", after="database-reachable"),
            Branch(invalid_indexes, "an index that serves no query", after="database-reachable"),
            Branch(slow_statements(), "a statement is slow on average", after="database-reachable"),
            Branch(vacuum(), "dead rows: autovacuum does not keep up", after="database-reachable"),
        ),
        codes=("DB_002",),
        items=("TRB-ERR-08",),
    ),
)
"""The guide's two error codes of the database; its own advice is to look at Supabase's status and to optimise."""

DECISIVE = (
    *(reachable, servers, core_tables, keeping, rewritten),
    *(blocking(), connection_use, long_transactions(), disk, writes, invalid_indexes),
)
"""What tells most of the database without waiting, most telling first."""
