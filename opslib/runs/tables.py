"""Rows as tables: at most 20 rows, figures humanised with the exact value as their title.

Rows are plain JSON data (dicts of str, int, float, bool, None, lists, dicts), as the journal holds them.
A size or a duration carries its own unit, other units stand in the head. In a wide table, what is the same
in all rows is said once below it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from opslib.pictures import figures
from opslib.runs import links
from opslib.runs.markup import Html, join, shorten, tag, visible

MOST_ROWS = 20
MOST_TEXT = 90
MOST_TITLE = 600
SHORT_TEXT = 28
"""A text of so many characters stands on one line; a longer one gets room to wrap."""
MOST_COLUMNS = 5
"""A wider table says once, below itself, what is the same in all its rows."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")
_NUMBERED = re.compile(r"(^|_)(pid|root|oid|id|port|year|version|day|xid|slot|db|hash|number)$")
_UNIT_WORDS = {"%": "percent", "s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
Rows = Sequence[Mapping[str, Any]]


def moment(text: str) -> str:
    """Return an ISO 8601 time in UTC as ``2026-11-23 13:06:14 UTC``; any other text as it is."""
    found = _TIME.fullmatch(text)
    return f"{found[1]} {found[2]} UTC" if found else text


def shown(value: Any, unit: str = "", column: str = "") -> tuple[str, str]:
    """Return how ``value`` is shown in a cell, and its exact form ("" where that says nothing more)."""
    if value is None or value == "":
        return "–", ""
    if (places := links.names(value)) is not None:
        return places, ""
    if isinstance(value, bool):
        return ("yes" if value else "no"), ""
    if isinstance(value, (int, float)):
        return _number(value, unit, column)
    if isinstance(value, (list, tuple)) and not any(isinstance(part, (Mapping, list, tuple)) for part in value):
        value = ", ".join(str(part) for part in value) or "–"
    if isinstance(value, (Mapping, list, tuple)):
        value = json.dumps(value, ensure_ascii=False, default=str)
    text = moment(str(value))
    short = shorten(text, MOST_TEXT)
    return short, "" if short == text else shorten(text, MOST_TITLE)


def _number(value: float, unit: str, column: str) -> tuple[str, str]:
    exact = f"{value} {'s' if unit == 'seconds' else unit}".strip()
    if not unit and _NUMBERED.search(column.lower()):
        return str(value), ""
    try:
        text = figures.figure(value, unit if _scaled(unit) else "")
        text = f"{value:.1f}" if unit == "%" else text
    except (OverflowError, ValueError):
        return shorten(str(value), MOST_TEXT), ""
    return text, "" if text in (str(value), exact) or not value else exact


def _scaled(unit: str) -> bool:
    """Tell whether figures of this unit are humanised and carry a unit of their own."""
    return unit in figures.SIZES or unit in figures.DURATIONS or unit in figures.DURATIONS_LONG


def columns(rows: Rows) -> list[str]:
    """Return the names of all columns, in order of first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _numeric(rows: Rows, column: str) -> bool:
    values = [row[column] for row in rows if row.get(column) is not None]
    return bool(values) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def cell(value: Any, unit: str = "", column: str = "", number: bool = False) -> Html:
    """Return one ``<td>``; the exact or whole value is its title where it was humanised or shortened."""
    text, exact = shown(value, unit, column)
    if (leads := links.linked(column, value)) is not None:
        return tag("td", leads, class_="t" if len(text) > SHORT_TEXT else None)
    form = "n" if number else "t" if len(text) > SHORT_TEXT else None
    return tag("td", text, class_=form, title=exact or None)


def named(column: str, unit: str = "") -> str:
    """Return the column's name in words, without the word of its unit: that stands elsewhere."""
    words = column.split("_")
    if not unit:
        return " ".join(words)
    rest = [word for word in words if word != _UNIT_WORDS.get(unit, unit)]
    if unit == "bytes" and words[0] == "bytes":
        return " ".join(["size", *rest])
    return " ".join(rest or words)


def unit_in(name: str) -> str:
    """Return the unit that the name of a plan's value gives away; "" for none."""
    if name in ("size", "bytes") or name.endswith("_bytes"):
        return "bytes"
    return "seconds" if name == "seconds" or name.endswith("_seconds") else ""


def in_words(name: str, value: Any, unchanged: bool = False) -> Any:
    """A value of a plan: sizes and durations, which their names give away, are humanised beside the figure."""
    if unchanged:
        return "unchanged"
    unit = unit_in(name)
    if not unit or not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        return value
    exact, human = f"{figures.count(value)} {unit}", figures.figure(value, unit)
    return human if unit == "seconds" or human == f"{value} B" else f"{human} ({exact})"


def _name(column: str, unit: str, others: Sequence[str] = ()) -> list[str | Html]:
    name = named(column, unit)
    alike = name in others and name != column
    if not unit or name == unit or (_scaled(unit) and not alike):
        return [name]
    return [name, " ", tag("span", f"({unit})", class_="ops-unit")]


def _head(column: str, unit: str, number: bool, others: Sequence[str]) -> Html:
    return tag("th", *_name(column, unit, others), scope="col", class_="n" if number else None)


def table(
    rows: Rows, caption: str = "", units: Mapping[str, str] | None = None, more: int = 0, most: int = MOST_ROWS
) -> Html:
    """Return ``rows`` as a table in its own scrolling box; ``more`` counts rows that were cut off before."""
    if not rows:
        note = f"{more} rows, kept in the journal." if more else "No rows."
        return tag("p", f"{caption}: " if caption else None, note, class_="ops-quiet")
    units, names = units or {}, columns(rows)
    if len(rows) == 1 and not more and len(names) > 3:
        return _upright(rows[0], caption, units)
    same = _same(rows, names)
    names = [name for name in names if name not in same]
    numeric = {name: _numeric(rows, name) for name in names}
    head = tag("tr", *(_head(name, units.get(name, ""), numeric[name], names) for name in names))
    body = [
        tag("tr", *(cell(row.get(name), units.get(name, ""), name, numeric[name]) for name in names))
        for row in rows[:most]
    ]
    left = len(rows) - most if len(rows) > most else 0
    once = [_once(rows[0], name, units.get(name, ""), columns(rows), units) for name in same]
    said = tag("p", f"In each of these rows: {', '.join(once)}.", class_="ops-quiet") if once else None
    return join([_boxed(caption, tag("thead", head), tag("tbody", *body)), said, _more(left + more)])


def _once(row: Mapping[str, Any], name: str, unit: str, every: Sequence[str], units: Mapping[str, str]) -> str:
    """Return what a column says in each row; one that would be called as another is gets its whole name."""
    words = named(name, unit)
    alike = any(named(other, units.get(other, "")) == words for other in every if other != name)
    return f"{' '.join(name.split('_')) if alike else words}: {shown(row.get(name), unit, name)[0]}"


def _same(rows: Rows, names: Sequence[str]) -> list[str]:
    """Return the columns of a wide table, but its first, that say the same in every row.

    A figure that is the same in a few rows only is no pattern, and stays where the reader compares it.
    """
    if len(rows) < 2 or len(names) <= MOST_COLUMNS:
        return []
    same = [name for name in names[1:] if all(row.get(name) == rows[0].get(name) for row in rows)]
    return [name for name in same if len(rows) > 5 or not _numeric(rows, name) or _NUMBERED.search(name)]


def _upright(row: Mapping[str, Any], caption: str, units: Mapping[str, str]) -> Html:
    """One row with many columns reads better as one line a column."""
    lines = []
    for name, value in row.items():
        unit = units.get(name, "")
        lines.append(tag("tr", tag("th", *_name(name, unit, list(row)), scope="row"), cell(value, unit, name)))
    return _boxed(caption, tag("tbody", *lines))


def _boxed(caption: str, *parts: Html) -> Html:
    named = tag("caption", caption) if caption else None
    box = {"class_": "ops-scroll", "tabindex": "0", "role": "group", "aria_label": caption or "table"}
    return tag("div", tag("table", named, *parts), **box)


def _more(left: int) -> Html | None:
    return tag("p", f"… {left} more rows, kept in the journal", class_="ops-quiet") if left else None


def text_table(rows: Rows, units: Mapping[str, str] | None = None, more: int = 0) -> str:
    """Return ``rows`` as plain text in aligned columns, for terminals and ``text/plain``."""
    if not rows:
        return f"({more} rows, kept in the journal)" if more else "(no rows)"
    units, names = units or {}, columns(rows)
    grid = [[f"{name} ({units[name]})" if units.get(name) else name for name in names]]
    for row in rows[:MOST_ROWS]:
        grid.append([shorten(visible(shown(row.get(n), units.get(n, ""), n)[0]), 40) for n in names])
    widths = [max(len(line[i]) for line in grid) for i in range(len(names))]
    right = [_numeric(rows, name) for name in names]
    lines = [
        "  ".join(
            text.rjust(w) if r else text.ljust(w) for text, w, r in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in grid
    ]
    left = max(0, len(rows) - MOST_ROWS) + more
    return "\n".join(lines + ([f"… {left} more rows, kept in the journal"] if left else []))
