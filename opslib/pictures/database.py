"""Pictures of the database: the connection budget, who blocks whom, how far vacuum is behind, migrations."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row
from opslib.pictures.charts import Bar, Day, Leaf, Limit, Part, bar_list, budget_bar, calendar_strip, tree
from opslib.pictures.database_ways import promises as promises
from opslib.pictures.figures import count, duration
from opslib.pictures.svg import Block, Texture, heading, picture, sentence

MOST_SESSIONS = 40
MOST_TABLES = 15
MOST_VERSIONS = 24
SIGNS: dict[str, tuple[str, Texture]] = {"applied": ("=", "solid"), "pending": ("+", "soft")}
"""How a version's state is drawn; every other state is a fault."""


def connection_budget(reading: Reading, warning_percent: float = 80, critical_percent: float = 90) -> Picture:
    """Draw each connection limit as a bar of what is in use, free and reserved, with the guide's two lines.

    The lines stand at shares of what applications may use, not of max_connections. Takes a reading of
    ``probes.database.connection_budget``.
    """
    title = "Connection budget"
    if reading.unknown is not None:
        return _unknown(title, reading.unknown)
    blocks: list[Block] = []
    for row in reading.rows:
        limits = [
            Limit(row["usable"] * percent / 100, f"{percent:g} %") for percent in (warning_percent, critical_percent)
        ]
        blocks += [heading(str(row["budget"])), budget_bar(_parts(row), row["slots"], limits)]
    said = "; ".join(
        f"{row['budget']}: {row['used']} of {row['usable']} usable connections in use ({row['used_percent']:g} %)"
        for row in reading.rows
    )
    return picture(title, f"{said}.", *blocks)


def _parts(row: Row) -> list[Part]:
    parts = [
        Part("active", row["active"]),
        Part("idle in transaction", row["idle_in_transaction"], texture="dots"),
        Part("idle", row["idle"], texture="soft"),
        Part("other", row["other"], texture="soft"),
        Part("free", max(row["usable"] - row["used"], 0), texture="outline"),
        Part("reserved for administrators", row["reserved"], texture="hatch"),
    ]
    return [part for part in parts if part.value or part.label in ("active", "free")]


def blocking_tree(reading: Reading) -> Picture:
    """Draw who waits for whom, roots first; a root says how many sessions ending it frees.

    Takes a reading of ``probes.database.blocking``; at most 40 sessions are drawn, and the rest counted.
    """
    title = "Blocking tree"
    if reading.unknown is not None:
        return _unknown(title, reading.unknown)
    if not reading.rows:
        return picture(title, "Nobody waits for a lock.", sentence("Nobody waits for a lock."))
    leaves = [_leaf(row) for row in reading.rows[:MOST_SESSIONS]]
    blocks = [tree(leaves)]
    if len(reading.rows) > MOST_SESSIONS:
        blocks.append(sentence(f"… and {len(reading.rows) - MOST_SESSIONS} more sessions"))
    roots = [row for row in reading.rows if row["depth"] == 0]
    said = "; ".join(
        f"process {row['pid']} ({row['application']}, {row['state']}) blocks {row['victims']}, who have waited "
        f"{duration(row['victims_seconds'] or 0)} together"
        for row in roots
    )
    return picture(title, f"{said}.", *blocks)


def _leaf(row: Row) -> Leaf:
    label = f"{row['pid']}  {row['application']}  {row['state']}"
    if row["depth"] == 0:
        held = f", open for {duration(row['transaction_seconds'])}" if row["transaction_seconds"] is not None else ""
        return Leaf(label + held, 0, f"end this one: frees {row['victims']}", strong=True)
    waited = "" if row["waiting_seconds"] is None else f" for {duration(row['waiting_seconds'])}"
    return Leaf(label, row["depth"], f"waits{waited}: {row['waits_for'] or 'a lock'}")


def dead_rows(reading: Reading, most: int = MOST_TABLES) -> Picture:
    """Draw each table's dead rows as a share of the number that calls autovacuum, the worst first.

    Takes a reading of ``probes.database.vacuum``; the line stands where autovacuum should come.
    """
    title = "Dead rows against what calls autovacuum"
    if reading.unknown is not None:
        return _unknown(title, reading.unknown)
    rows = sorted(reading.rows, key=lambda row: -row["trigger_ratio"])[:most]
    if not rows:
        return picture(title, "There is no table.", sentence("There is no table."))
    bars = [
        Bar(
            str(row["relation"]),
            row["trigger_ratio"],
            f"{row['trigger_ratio']:g} times",
            f"{count(row['dead_rows'])} dead",
            "solid" if row["trigger_ratio"] >= 1 else "soft",
        )
        for row in rows
    ]
    due = [row for row in reading.rows if row["trigger_ratio"] >= 1]
    worst = rows[0]
    said = (
        f"{len(due)} of {len(reading.rows)} tables are due; {worst['relation']} is the furthest, at "
        f"{worst['trigger_ratio']:g} times its number."
    )
    return picture(title, said, bar_list(bars, 1.2, [Limit(1, "autovacuum comes")]))


def migrations(reading: Reading, most: int = MOST_VERSIONS) -> Picture:
    """Draw the newest versions as a strip: = applied, + pending, ! what is neither as it should be, named below.

    Takes a reading of ``probes.database.migrations``.
    """
    title = "Migrations"
    if reading.unknown is not None:
        return _unknown(title, reading.unknown)
    if not reading.rows:
        return picture(title, "There is no migration.", sentence("There is no migration."))
    rows = reading.rows[-most:]
    faults = [row for row in reading.rows if row["state"] not in SIGNS]
    states = [row["state"] for row in reading.rows]
    said = f"{states.count('applied')} applied (=), {states.count('pending')} pending (+)"
    said += f", {len(faults)} not as they should be (!)." if faults else "."
    days = [_version(row) for row in rows]
    blocks = [sentence(said), calendar_strip(days, columns=min(len(days), 8))]
    for row in faults[:MOST_TABLES]:
        blocks.append(sentence(f"! {row['version']} {row['name']}: {row['state']}, {row['note']}"))
    if len(reading.rows) > most:
        blocks.insert(1, sentence(f"{len(reading.rows) - most} older ones are not drawn."))
    return picture(title, said, *blocks)


def _version(row: Row) -> Day:
    mark, texture = SIGNS.get(row["state"], ("!", "hatch"))
    whole = f"{row['version']} {row['name']}: {row['state']}{'. ' + row['note'] if row['note'] else ''}"
    return Day(row["version"][:12] or "no version", mark, whole, texture)


def _unknown(title: str, why: str) -> Picture:
    return picture(title, f"Unknown: {why}", sentence(f"Unknown: {why}"))
