"""Pictures of Redis or Valkey: who holds its memory."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row
from opslib.pictures.charts import Bar, Limit, Part, bar_list, budget_bar
from opslib.pictures.figures import count, size
from opslib.pictures.svg import Texture, heading, picture, sentence

TITLE = "Memory of the cache by key family"
LEGEND = "Hatched: protected, an eviction or a FLUSHDB must not take it. Solid: not protected."
MOST_PARTS = 9


def memory_budget(reading: Reading) -> Picture:
    """Draw the reading of ``probes.cache.census``: a bar of maxmemory with its 80 and 90 % lines, and the largest keys.

    Protected families are hatched. Without maxmemory the bar ends at what is used, and says so.
    """
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "the census has no rows"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    used, limit = reading.rows[0]["used"], reading.rows[0]["limit"]
    rows = _fewer(list(reading.rows))
    parts = [Part(row["family"], row["bytes"], _figure(row), _texture(row)) for row in rows]
    lines = [Limit(limit * share / 100, f"{share} % of maxmemory {size(limit)}") for share in (80, 90)] if limit else []
    if limit > used:
        parts.append(Part("free", limit - used, size(limit - used), "outline"))
    blocks = [
        budget_bar(parts, total=limit or used, limits=lines),
        sentence(LEGEND),
        heading("Largest key of each family"),
        bar_list([_largest(row) for row in rows if row["largest"]]),
    ]
    return picture(TITLE, _said(reading, used, limit), *blocks)


def _fewer(rows: list[Row]) -> list[Row]:
    """Keep the largest families and the last row (server itself), and put the others together."""
    if len(rows) <= MOST_PARTS:
        return rows
    kept, others = rows[: MOST_PARTS - 2], rows[MOST_PARTS - 2 : -1]
    joined = {
        **others[0],
        "family": f"({len(others)} smaller)",
        "keys": sum(row["keys"] for row in others),
        "bytes": sum(row["bytes"] for row in others),
        "protected": any(row["protected"] for row in others),
    }
    return [*kept, joined, rows[-1]]


def _figure(row: Row) -> str:
    keys = "" if row["keys"] is None else f" · {count(row['keys'])} keys"
    return f"{size(row['bytes'])}{keys}"


def _texture(row: Row) -> Texture:
    if row["keys"] is None:
        return "dots"
    return "hatch" if row["protected"] else "solid"


def _largest(row: Row) -> Bar:
    return Bar(row["family"], row["largest"], size(row["largest"]), row["largest_key"] or "", _texture(row))


def _said(reading: Reading, used: int, limit: int) -> str:
    protected = sum(row["bytes"] for row in reading.rows if row["protected"])
    families = [row for row in reading.rows if row["keys"] is not None]
    top = f"the largest family is {families[0]['family']} with {size(families[0]['bytes'])}" if families else "no key"
    room = (
        f"{size(used)} of {size(limit)} ({100 * used / limit:.0f} %)" if limit else f"{size(used)}, with no limit set,"
    )
    return (
        f"{room} in use; {top}; protected families take {size(protected)}; "
        f"{reading.rows[0]['coverage']:g} % of the keys were looked at."
    )
