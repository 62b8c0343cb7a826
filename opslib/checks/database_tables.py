"""Checks of tables: bloat (estimated), autovacuum keeping up, and distance from wraparound."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Probe, Reading, Row, Threshold, Verdict
from opslib.pictures.figures import count, size
from opslib.probes import database_tables as probes

BLOAT_PERCENT, BLOAT_MEGABYTES = 40.0, 100.0
DEAD = threshold("dead-rows")
PATIENCE_SECONDS, FEWEST_DEAD = 600, 10_000
WRAPAROUND = threshold("wraparound")
FAILSAFE = 1_000_000_000
"""Transactions; VACUUM's failsafe sets in at 1.6e9 and the server refuses writes near 2.1e9 (PostgreSQL manual)."""


def table_bloat(percent: float = BLOAT_PERCENT, megabytes: float = BLOAT_MEGABYTES) -> Check:
    """Return the check of empty space in tables; an estimate, judged only where it is large in both ways."""
    return _bloat(
        "database-table-bloat",
        "No table is mostly empty (estimate)",
        probes.table_bloat,
        "relation",
        (percent, megabytes),
        "Confirm before acting: SELECT * FROM pgstattuple_approx('table') reads little. Then see first who keeps dead "
        "rows (cell xmin-horizon) and whether autovacuum keeps up, or it grows back. Plain VACUUM makes the space "
        "usable again, which is mostly enough (runbooks/maintain-database); giving it back to the disk needs "
        "pg_repack, or VACUUM FULL, which locks the table, in a maintenance window.",
    )


def index_bloat(percent: float = BLOAT_PERCENT, megabytes: float = BLOAT_MEGABYTES) -> Check:
    """Return the check of empty space in B-trees; an estimate that errs towards "not bloated"."""
    return _bloat(
        "database-index-bloat",
        "No B-tree is mostly empty (estimate)",
        probes.index_bloat,
        "index",
        (percent, megabytes),
        "Confirm with SELECT avg_leaf_density FROM pgstatindex('index'), on a copy if it is large, for it reads all of "
        "it. Then REINDEX INDEX CONCURRENTLY (runbooks/maintain-database), which needs as much free disk as the index "
        "takes; look for invalid indexes afterwards.",
    )


def _bloat(name: str, title: str, probe: Probe, named: str, least: tuple[float, float], remedy: str) -> Check:
    percent, megabytes = least
    limits = threshold("bloat", warning=percent)

    def judge(reading: Reading) -> Judgement:
        return _judge_bloat(reading, named, limits, megabytes * probes.MEGABYTE)

    return Check(name, title, probe, judge, remedy, limits)


def _judge_bloat(reading: Reading, named: str, limits: Threshold, least: float) -> Judgement:
    known = [row for row in reading.rows if row["empty_bytes_estimate"] is not None]
    # A relation smaller than the least amount cannot hold that much empty space, whatever its statistics.
    blind = [row for row in reading.rows if row["empty_bytes_estimate"] is None and row["bytes"] >= max(least, 1)]
    found = [row for row in known if row["empty_bytes_estimate"] >= least and _beyond(row, limits)]
    if found:
        row, rest = found[0], len(found) - 1
        more = f"; {rest} more {'look' if rest > 1 else 'looks'} bloated" if rest else ""
        said = (
            f"{row[named]}: about {size(row['empty_bytes_estimate'])} of {size(row['bytes'])} "
            f"({row['empty_percent_estimate']:g} %) are empty, by estimate{more}."
        )
        return Judgement(Verdict.WARNING, said, row["empty_percent_estimate"], reading.rows)
    if blind:
        said = f"{len(blind)} have no statistics to estimate from ({blind[0][named]}): ANALYZE them, then look again."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    most = known[0] if known else {"empty_bytes_estimate": 0, "empty_percent_estimate": None}
    empty = most["empty_bytes_estimate"]
    said = f"None has more than {size(empty)} of empty space" if empty else "None seems to hold empty space"
    return Judgement(Verdict.OK, f"{said}, by estimate.", most["empty_percent_estimate"], reading.rows)


def _beyond(row: Row, limits: Threshold) -> bool:
    return limits.judge(row["empty_percent_estimate"]) is Verdict.WARNING


def _judge_vacuum(reading: Reading, fewest: int) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "There is no table, or its counters were never begun.")
    if not reading.rows[0]["autovacuum_running"]:
        said = "autovacuum (or track_counts, without which it is blind) is switched off for the whole server."
        return Judgement(Verdict.CRITICAL, said, None, reading.rows)
    worst = max(reading.rows, key=lambda row: (_order(_dead(row, fewest)), row["trigger_ratio"]))
    verdict = _dead(worst, fewest)
    off = [row["relation"] for row in reading.rows if not row["autovacuum_enabled"]]
    part = "dead rows" if worst["worst_part"] == "rows" else f"dead {worst['worst_part']}"
    said = (
        f"{worst['relation']} has {count(_dead_ones(worst))} {part}, {worst['trigger_ratio']:g} times the number "
        f"({count(worst['trigger_rows'])}) that starts autovacuum"
    )
    said += "; it is being vacuumed." if worst["being_vacuumed"] else "."
    if off:
        said += f" Switched off for {', '.join(off[:3])}."
        verdict = max(verdict, Verdict.WARNING, key=_order)
    return Judgement(verdict, said, worst["trigger_ratio"], reading.rows)


def _dead(row: Row, fewest: int) -> Verdict:
    """The ratio's verdict, one step milder while a vacuum is at work; a small heap of dead rows is OK."""
    verdict = DEAD.judge(row["trigger_ratio"])
    if _dead_ones(row) < fewest:
        return Verdict.OK
    since = row["seconds_since_vacuum"]
    if verdict is Verdict.WARNING and (row["being_vacuumed"] or (since is not None and since < PATIENCE_SECONDS)):
        return Verdict.OK
    return Verdict.WARNING if verdict is Verdict.CRITICAL and row["being_vacuumed"] else verdict


def _dead_ones(row: Row) -> int:
    """Return how many of what is worst are dead: rows, or pieces of TOAST."""
    return int(row["dead_rows"] if row["worst_part"] == "rows" else row["toast_dead_pieces"])


def _order(verdict: Verdict) -> int:
    return list(Verdict).index(verdict)


def vacuum(fewest_dead_rows: int = FEWEST_DEAD) -> Check:
    """Return the check of each table's dead rows against its own trigger.

    The trigger is threshold, scale factor and (from 18) ceiling, with the table's own options. TOAST, which keeps
    large values in pieces, has its own dead and its own trigger; what is worse counts. Tables with
    less than ``fewest_dead_rows`` are not judged: autovacuum looks only once a minute, and on a small table
    a minute's work is many times its trigger. Switched off for a table is a WARNING, for all CRITICAL.
    """
    return Check(
        name="database-vacuum",
        title="Autovacuum keeps up with dead rows",
        probe=probes.vacuum,
        judge=lambda reading: _judge_vacuum(reading, fewest_dead_rows),
        remedy=(
            "First see who keeps dead rows (cell xmin-horizon): while somebody does, VACUUM frees nothing. Then vacuum "
            "the first table alone, VACUUM (ANALYZE) in runbooks/maintain-database, instead of the guide's VACUUM of "
            "everything. Too rare for a large table: lower its autovacuum_vacuum_scale_factor. Switched off: ALTER "
            "TABLE … RESET (autovacuum_enabled)."
        ),
        threshold=DEAD,
    )


def _judge_freeze(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "No age was reported.")
    verdict, row, unit, age, limit = max(
        (
            (_wraparound(row[unit], row[f"{unit}_limit"]), row, unit, row[unit], row[f"{unit}_limit"])
            for row in reading.rows
            for unit in ("transactions", "multixacts")
            if row[unit] is not None
        ),
        key=lambda one: (_order(one[0]), one[3] / one[4]),
    )
    said = (
        f"{row['kind']} {row['name']} is the oldest, {count(age)} {unit}: {100 * age / limit:.0f} % of the age "
        f"({count(limit)}) at which autovacuum freezes it, come what may."
    )
    return Judgement(verdict, said, round(age / limit, 3), reading.rows)


def _wraparound(age: int, limit: int) -> Verdict:
    if age > FAILSAFE:
        return Verdict.CRITICAL
    return WRAPAROUND.judge(age / limit)


def _judge_views(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.OK, "There is no materialised view.", 0)
    unfit = [row["view"] for row in reading.rows if not (row["has_unique_index"] and row["filled"])]
    if unfit:
        said = f"{len(unfit)} of {len(reading.rows)} cannot be refreshed while they are read: {', '.join(unfit[:3])}."
        return Judgement(Verdict.WARNING, said, len(unfit), reading.rows)
    return Judgement(Verdict.OK, f"All {len(reading.rows)} can be refreshed while they are read.", 0, reading.rows)


materialised_views = Check(
    name="database-materialised-views",
    title="Materialised views can be refreshed while they are read",
    probe=probes.materialised_views,
    judge=_judge_views,
    remedy=(
        "Give the view a unique index over plain columns (all rows, no expression), in a migration, and fill it once "
        "by REFRESH MATERIALIZED VIEW in a quiet hour, for that locks readers out. Then runbooks/maintain-database "
        "refreshes it."
    ),
    threshold=threshold("view-refresh-locks"),
    items=("MNT-DB-02",),
)
"""Without a unique index REFRESH … CONCURRENTLY fails, which is why the guide's function does (GH-22)."""

freeze = Check(
    name="database-wraparound",
    title="Transaction numbers are far from wraparound",
    probe=probes.freeze,
    judge=_judge_freeze,
    remedy=(
        "Autovacuum has tried and failed. See who holds it up (cell xmin-horizon: old transactions, prepared ones, "
        "slots), end that, then VACUUM (FREEZE, VERBOSE) the table named, alone; for a TOAST table its owner. Do not "
        "restart the server: that helps nothing. Above 1.6 billion, stop other work until it is through."
    ),
    threshold=WRAPAROUND,
)
"""Oldest unfrozen transaction and multixact number, TOAST included, against each table's own promise."""
