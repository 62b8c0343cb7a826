"""What PostgreSQL says of itself: reach, role, replication, sizes, guards; and every other database probe.

Sessions and locks are in :mod:`opslib.probes.database_sessions`, statements in
:mod:`opslib.probes.database_statements`, tables and indexes in :mod:`opslib.probes.database_tables`, the
disk in :mod:`opslib.probes.database_disk`; all of it is offered here too. Questions run on versions 15 to
18, take no lock that queues, and leave this session out.
"""

from __future__ import annotations

import time
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.database_asking import asks, source_of
from opslib.probes.database_disk import begins, disk
from opslib.probes.database_failover import failover
from opslib.probes.database_log import kept_log
from opslib.probes.database_migrations import migrations, new_migration
from opslib.probes.database_moment import commits_around
from opslib.probes.database_recovered import recovered_rows
from opslib.probes.database_servers import servers
from opslib.probes.database_sessions import (
    blocking,
    connection_budget,
    connections,
    held_locks,
    roles,
    strong_locks,
    transactions,
    xmin_horizon,
)
from opslib.probes.database_standby_way import standby_way
from opslib.probes.database_statements import query_bounds, slow_statements
from opslib.probes.database_tables import (
    collations,
    foreign_keys_without_index,
    freeze,
    index_bloat,
    index_use,
    invalid_indexes,
    largest_tables,
    materialised_views,
    redundant_indexes,
    table_bloat,
    table_use,
    unused_indexes,
    vacuum,
)
from opslib.probes.database_ways import DOWN, ways
from opslib.probes.questions import question
from opslib.systems.target import ReadTarget

__all__ = [
    "begins",
    "blocking",
    "cache_use",
    "checksums",
    "collations",
    "commits_around",
    "connection_budget",
    "connections",
    "core_tables",
    "disk",
    "failover",
    "foreign_keys_without_index",
    "freeze",
    "guards",
    "guide_objects",
    "held_locks",
    "index_bloat",
    "index_use",
    "invalid_indexes",
    "kept_log",
    "largest_tables",
    "materialised_views",
    "migrations",
    "new_migration",
    "query_bounds",
    "reachable",
    "recovered_rows",
    "redundant_indexes",
    "replicas",
    "replication",
    "rewritten",
    "roles",
    "server",
    "servers",
    "sizes",
    "slots",
    "slow_statements",
    "standby_way",
    "strong_locks",
    "table_bloat",
    "table_use",
    "transactions",
    "unused_indexes",
    "vacuum",
    "ways",
    "xmin_horizon",
]

PINGS = 5

server = asks("server", units={"uptime_seconds": "seconds"})
"""Version, role, start, and what this session may see: the first thing an expert asks."""


def _reach(target: ReadTarget) -> list[dict[str, Any]]:
    row: dict[str, Any] = {"address": target.settings.read_database_url.public}
    times: list[float] = []
    try:
        for _ in range(PINGS):
            started = time.monotonic()
            target.database.ask(question("database/ping"))
            times.append(1000 * (time.monotonic() - started))
    except Unreachable as error:
        if error.kind not in DOWN:
            raise
        return [row | {"answers": False, "fastest_ms": None, "slowest_ms": None, "reason": str(error)}]
    steady = times[1:]  # the first one opens the connection
    row |= {"address": target.database.url.public}
    return [row | {"answers": True, "fastest_ms": round(min(steady), 1), "slowest_ms": round(max(steady), 1)}]


reachable = Probe(
    "database-reachable",
    "Does the database answer, and if not, why?",
    _reach,
    source_of(question("database/ping")),
    {"fastest_ms": "ms", "slowest_ms": "ms"},
    timing=True,
)
"""Round trips of a transaction that does nothing; a refusal of the server is a reading, with its reason."""

replicas = asks(
    "replicas",
    sight=True,
    units=dict.fromkeys(("not_sent_bytes", "not_flushed_bytes", "not_replayed_bytes"), "bytes"),
)
"""Standbys that receive from this server, with byte gaps. No rows: none is connected, which is not "lag 0"."""


def _replication(target: ReadTarget) -> list[dict[str, Any]]:
    (role,) = target.database.ask(question("database/replication_role"))
    return [{**role, "replicas": replicas.read(target), "meant": target.settings.standbys}]


replication = Probe(
    "database-replication",
    "Who follows this server, or whom does it follow, and how far behind?",
    _replication,
    source_of(question("database/replication_role")),
    {"not_replayed_bytes": "bytes"},
)
"""One row: this server's role and state, in ``replicas`` the rows of :data:`replicas` and how many are ``meant``."""

slots = asks("slots", units={"kept_bytes": "bytes", "left_bytes": "bytes", "inactive_seconds": "seconds"})
"""Replication slots with the write-ahead log that each one keeps from being removed."""

sizes = asks("sizes", sight=True, units={"bytes": "bytes"})
"""Bytes of each database, of this one's tables, indexes and TOAST, the write-ahead log and temporary files."""

cache_use = asks("cache_use", units={"found_percent": "%", "read_ms_each": "ms", "temporary_bytes": "bytes"})
"""Pages found in shared memory against pages asked of the system; shown, not judged."""

checksums = asks("checksums")
"""Damaged pages that the server met, by database; ``checksums`` off: it could not notice any."""


def _core_tables(target: ReadTarget) -> list[dict[str, Any]]:
    return target.database.ask(question("database/core_tables"), {"core": list(target.settings.core_tables)})


core_tables = Probe(
    "database-core-tables",
    question("database/core_tables").title,
    _core_tables,
    source_of(question("database/core_tables")),
)
"""A row per table of OPS_CORE_TABLES: relation, present, estimated_rows."""

rewritten = asks("rewritten", primary=True, units={"by_one_percent": "%", "committed_seconds": "s"})
"""A row per core table of the product: which transaction last wrote most of its rows, and when it was committed.

``xid`` and ``committed_at`` are what a recovery to just before it aims at; the moment is known only where
track_commit_timestamp is on. ``updates`` since the statistics began tells a rewrite from a first filling.
"""


def _guards(target: ReadTarget) -> list[dict[str, Any]]:
    # A session sees its own time-outs instead of the server's, so this one sets none.
    bare = target.reading_session(unset=("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"))
    try:
        return bare.ask(question("database/guards"))
    finally:
        bare.close()


guards = Probe("database-guards", question("database/guards").title, _guards, source_of(question("database/guards")))
"""The three time-outs as each role of an application gets them: its own, its database's, or the server's."""

guide_objects = asks("guide_objects")
"""The objects that the guide's commands name: present, what stands in their place, and what is wrong with them."""
