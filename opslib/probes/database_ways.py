"""Which ways back the database has, and what each of them would lose: rules on facts, and the probe that gathers those.

A loss is stated as an upper bound, with what it rests on. What nobody could look at makes a way unknown, never open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from opslib.errors import OpsError
from opslib.model import Probe, Row, now
from opslib.probes import backups, backups_elsewhere
from opslib.probes.database_asking import source_of
from opslib.probes.database_log import kept_log
from opslib.probes.database_servers import PRIMARY, STANDBY, STATE, by_role, servers
from opslib.systems.target import ReadTarget

FAILOVER, POINT_IN_TIME, DUMP = "failover", "point-in-time recovery", "restore of a dump"
VENDOR_POINT, VENDOR_BACKUP = "vendor's point-in-time recovery", "vendor's backup"
NIGHTLY_SECONDS = 86_400.0
"""Between two dumps of the guide's own cron line (BAK-CRN-01)."""

DOWN = frozenset({"refused", "full", "recovering", "shut", "no-database", "fenced"})
"""Failures of a server itself; with all others, our way to it may be at fault."""


@dataclass(frozen=True)
class Way:
    """One way back. ``open``: None where nobody knows.

    ``loses_seconds`` and ``loses_bytes``: at most so much of what was committed until now; None: unknown.
    ``promises_seconds``: the most that it loses by its design, on any day; None: it promises nothing.
    ``mends``: what it helps against: a lost server, or damaged data too, which a standby has as well.
    """

    way: str
    open: bool | None
    says: str
    loses_seconds: float | None = None
    loses_bytes: int | None = None
    promises_seconds: float | None = None
    mends: str = "server and data"


@dataclass(frozen=True)
class Facts:
    """What was seen, by source: rows, or why nobody could look."""

    at: datetime
    rows: Mapping[str, Sequence[Row]]
    unknown: Mapping[str, str]

    def row(self, source: str) -> Row | None:
        """Return the only row of a source, or None."""
        return next(iter(self.rows.get(source, ())), None)

    def server(self, role: str) -> Row | None:
        """Return what the server of a role said of itself, or that it did not answer; None where none is described."""
        primary, standby = by_role(self.rows.get(servers.name, ()))
        return primary if role == PRIMARY else standby


def ways_back(facts: Facts) -> tuple[Way, ...]:
    """Return every way back that there could be, open or not, as the facts have them."""
    return (_failover(facts), _point_in_time(facts), _vendor_point(facts), _vendor_backup(facts), _dump(facts))


def _failover(facts: Facts) -> Way:
    standby, primary = facts.server(STANDBY), facts.server(PRIMARY)
    if standby is None:
        none = facts.server(PRIMARY) is not None and primary is not None and primary["meant"] == 0
        said = "no standby is meant to follow" if none else "no standby is described (OPS_READ_STANDBY_DATABASE_URL)"
        return _way(FAILOVER, False if none else None, said, mends="server")
    if not standby["answers"]:
        return _way(FAILOVER, False if standby["kind"] in DOWN else None, str(standby["reason"]), mends="server")
    if not standby["standby"]:
        return _way(FAILOVER, False, f"{standby['address']} takes writes already", mends="server")
    if primary is not None and primary["answers"]:
        return _failover_beside(primary, standby)
    heard = standby["last_commit_seconds"]
    # All that it lacks was committed after the last commit that it has.
    said = "the primary does not answer; lost is what it committed after the last commit that the standby received"
    said += ", of an unknown age" if heard is None else f", {heard:g} s ago, until it died"
    return _way(FAILOVER, True, said, heard, mends="server")


def _failover_beside(primary: Row, standby: Row) -> Way:
    if primary["system_identifier"] != standby["system_identifier"]:
        return _way(FAILOVER, False, f"{standby['address']} is a copy of another database", mends="server")
    if primary["standby"]:
        return _way(FAILOVER, True, "neither of the two takes writes", standby["last_commit_seconds"], mends="server")
    missing = max(0, primary["position_bytes"] - standby["received_bytes"])
    seconds = standby["last_commit_seconds"] if missing else 0.0
    said = f"{standby['address']} (timeline {standby['timeline']}) lacks {missing} bytes of the primary's log"
    promises = 0.0 if primary["synchronous"] else None
    if promises is None:
        said += "; commits do not wait for it, so it promises nothing"
    return _way(FAILOVER, True, said, seconds, missing, promises, "server")


def _point_in_time(facts: Facts) -> Way:
    if kept_log.name in facts.unknown:
        return _way(POINT_IN_TIME, None, facts.unknown[kept_log.name])
    kept, primary = facts.row(kept_log.name), facts.server(PRIMARY)
    if kept is None:
        return _way(POINT_IN_TIME, False, "no write-ahead log is kept in a bucket of ours (OPS_CONTINUOUS_PREFIX)")
    if not kept["base_backups"]:
        return _way(POINT_IN_TIME, False, f"{kept['where']} has no base backup that the log could be applied to")
    known = [row for row in facts.rows.get(servers.name, ()) if row["answers"]]
    theirs = {row["system_identifier"] for row in known} if known else {kept["system_identifier"]}
    if kept["system_identifier"] is not None and kept["system_identifier"] not in theirs:
        return _way(POINT_IN_TIME, False, f"{kept['where']} is the log of another database")
    seconds = max(0.0, (facts.at - datetime.fromisoformat(str(kept["ended"]))).total_seconds())
    ends = f"ends with {kept['last']}" if kept["last"] else "ends with the base backup itself"
    said = f"base backup {kept['base']}; the log after it {ends}"
    if kept["missing"]:
        said += f", for {kept['missing']} is missing"
    missing = None
    every = None
    if primary is not None and primary["answers"] and not primary["standby"]:
        missing = max(0, primary["position_bytes"] - kept["end_bytes"])
        # With nothing committed since, nothing is lost, however long ago the last piece was full.
        seconds = seconds if missing else 0.0
        every = primary["keeps_every_seconds"] or None if primary["keeps_log"] else None
    return _way(POINT_IN_TIME, True, said, round(seconds, 1), missing, None if kept["missing"] else every)


def _vendor_point(facts: Facts) -> Way:
    return _vendor(facts, VENDOR_POINT, _point)


def _vendor_backup(facts: Facts) -> Way:
    return _vendor(facts, VENDOR_BACKUP, _daily)


def _vendor(facts: Facts, way: str, judged: Callable[[str, Row], Way]) -> Way:
    source = backups_elsewhere.automatic.name
    row = facts.row(source)
    if row is None:
        return _way(way, None, facts.unknown.get(source, "nobody looked"))
    return judged(way, row)


def _point(way: str, row: Row) -> Way:
    if not row["point_in_time"]:
        return _way(way, False, "it is not switched on")
    behind = row["behind_minutes"]
    if behind is None:
        return _way(way, None, "it is on, and does not say how far it reaches")
    days = row["reaches_back_days"]
    reach = "hours" if days is None or days < 1 else f"{days:g} days"
    return _way(way, True, f"any moment of the last {reach} but the latest", behind * 60)


def _daily(way: str, row: Row) -> Way:
    if not row["backups"]:
        return _way(way, False, "there is no whole one")
    said = "the vendor says that it is whole; nobody has restored it"
    return _way(way, True, said, row["age_hours"] * 3600, promises=NIGHTLY_SECONDS)


def _dump(facts: Facts) -> Way:
    source = backups.recovery.name
    row = facts.row(source)
    if row is None:
        return _way(DUMP, None, facts.unknown.get(source, "nobody looked"))
    every = row["interval_hours"] * 3600 if row["interval_hours"] else NIGHTLY_SECONDS
    if row["age_hours"] is not None:
        said = f"restored and compared once; newest proven of {row['backups']} is of {row['newest_proven']}"
        return _way(DUMP, True, said, row["age_hours"] * 3600, promises=every)
    if not row["backups"]:
        return _way(DUMP, False, "there is none", promises=every)
    age = (facts.at - datetime.fromisoformat(str(row["newest"]))).total_seconds()
    return _way(DUMP, None, f"none of {row['backups']} was ever restored to prove it", age, promises=every)


def _way(
    way: str,
    open: bool | None,
    says: str,
    seconds: float | None = None,
    missing: int | None = None,
    promises: float | None = None,
    mends: str = "server and data",
) -> Way:
    return Way(way, open, says, seconds, missing, promises, mends)


_SOURCES = (servers, kept_log, backups_elsewhere.automatic, backups.recovery)


def facts(target: ReadTarget) -> Facts:
    """Look at everything that ways back rest on; what can't be looked at is noted, and hides nothing else."""
    seen: dict[str, Sequence[Row]] = {}
    unknown: dict[str, str] = {}
    for source in _SOURCES:
        try:
            seen[source.name] = tuple(source.read(target))
        except OpsError as error:
            unknown[source.name] = str(error)
    return Facts(now(), seen, unknown)


def _ways(target: ReadTarget) -> list[dict[str, Any]]:
    rpo = target.settings.rpo_hours * 3600
    return [asdict(way) | {"rpo_seconds": rpo} for way in ways_back(facts(target))]


ways = Probe(
    "database-ways-back",
    "Which ways back there are, and what each of them would lose now",
    _ways,
    source=f"{source_of(STATE)} · the bucket's manifests and pieces · the vendor's backups",
    units={
        **dict.fromkeys(("loses_seconds", "promises_seconds", "rpo_seconds"), "s"),
        "loses_bytes": "bytes",
    },
)
"""A row per way: way, open (None: nobody knows), says, loses_seconds, loses_bytes, promises_seconds, mends."""
