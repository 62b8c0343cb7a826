"""What statements cost, from pg_stat_statements; and what that proves about their 95th percentile.

Counted since the last reset, or over a window of our own (two samples). Not counted: statements inside
functions, statements that failed or were cancelled, other databases, and opslib's own questions.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from opslib.errors import Unreachable, UsageError
from opslib.model import Probe
from opslib.probes.database_asking import masked, source_of
from opslib.probes.database_bounds import Times
from opslib.probes.questions import question
from opslib.systems.target import ReadTarget

LONGEST_WINDOW = 600
_DATA = re.compile(
    r"\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*\(*\s*(select|insert|update|delete|merge|with|values|table)\b", re.S | re.I
)
"""What reads or writes rows. BEGIN and COMMIT would thin the slow ones out, VACUUM and COPY thicken them."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """The statistics of every statement, over ``counted`` (words for the report)."""

    rows: tuple[Row, ...]
    counted: str
    thrown_out: int
    whole: bool


def slow_statements(
    by: Literal["total", "mean", "calls"] = "total", window_seconds: float = 0, limit: int = 10
) -> Probe:
    """Return the probe of the costliest statements, by their share of all time, their mean time or their calls.

    ``window_seconds`` above 0 takes two samples that far apart; 0 counts since the statistics were reset,
    and the column ``counted`` says which. Raises UsageError for a window beyond 600 s.
    """
    key = {"total": "total_ms", "mean": "mean_ms", "calls": "calls"}[by]

    def read(target: ReadTarget) -> list[Row]:
        sample = _sample(target, window_seconds)
        total = sum(row["total_ms"] for row in sample.rows)
        rows = sorted(sample.rows, key=lambda row: (-row[key], row["statement_key"]))[:limit]
        return [_told(row, total, sample.counted) for row in rows]

    return _probe(f"database-statements-by-{by}", f"Which statements take the most time ({by})?", read, window_seconds)


def query_bounds(limits_ms: tuple[float, ...] = (100, 500), window_seconds: float = 0) -> Probe:
    """Return the probe of how many calls took longer than each limit, at least and at most.

    Bounds that hold for any distribution (:mod:`opslib.probes.database_bounds`), never a measured P95.
    One row a limit: calls, ``above_at_least_percent``, ``above_at_most_percent``, the statement that
    leaves most open, and ``thrown_out``: statements the server dropped, whose calls nobody counted.
    """

    def read(target: ReadTarget) -> list[Row]:
        sample = _sample(target, window_seconds)
        return [_bounds(sample, limit) for limit in limits_ms]

    title = "How many calls were slower than the guide's limits, at least and at most?"
    return _probe("database-query-bounds", title, read, window_seconds)


def _probe(name: str, title: str, read: Callable[[ReadTarget], list[Row]], window: float) -> Probe:
    if not 0 <= window <= LONGEST_WINDOW:
        raise UsageError(f"A window is 0 to {LONGEST_WINDOW} seconds long, not {window:g}.")
    return Probe(
        name,
        title,
        read,
        source_of(question("database/statements")),
        {"total_ms": "ms", "mean_ms": "ms", "max_ms": "ms", "share_percent": "%", "limit_ms": "ms"}
        | {"above_at_least_percent": "%", "above_at_most_percent": "%"},
    )


def _bounds(sample: Sample, limit: float) -> Row:
    data = [(row, _times(row, sample.whole)) for row in sample.rows if counts(row["statement"])]
    calls = sum(times.calls for _, times in data)
    low = sum(times.above_at_least(limit) for _, times in data)
    high = sum(times.above_at_most(limit) for _, times in data)
    open_ = max(data, key=lambda one: one[1].above_at_most(limit), default=None)
    return {
        "limit_ms": limit,
        "calls": calls,
        "above_at_least_percent": round(100 * low / calls, 3) if calls else None,
        "above_at_most_percent": round(100 * high / calls, 3) if calls else None,
        "mostly": masked(open_[0]["statement"]) if open_ and open_[1].above_at_most(limit) else "",
        "other_calls": sum(row["calls"] for row in sample.rows) - calls,
        "thrown_out": sample.thrown_out,
        "counted": sample.counted,
    }


def counts(statement: str) -> bool:
    """Tell whether a statement is a query. One whose text the server has lost may be, so it is."""
    return not statement or _DATA.match(statement) is not None


def _times(row: Mapping[str, Any], whole: bool) -> Times:
    if not row["extremes_whole"]:  # they were reset alone, and bound only the calls since then
        return Times(row["calls"], row["mean_ms"], row["stddev_ms"], 0.0, float("inf"), False)
    return Times(row["calls"], row["mean_ms"], row["stddev_ms"], row["min_ms"], row["max_ms"], whole)


def _told(row: Row, total: float, counted: str) -> Row:
    return {
        "statement": masked(row["statement"]),
        "share_percent": round(100 * row["total_ms"] / total, 1) if total else None,
        "calls": row["calls"],
        "mean_ms": round(row["mean_ms"], 3),
        "max_ms": round(row["max_ms"], 3),
        "total_ms": round(row["total_ms"], 1),
        "rows_each": round(row["rows"] / row["calls"], 1),
        "pages_read": row["blocks_read"],
        "temporary_pages": row["temporary_blocks"],
        "user_name": row["user_name"],
        "query_id": row["query_id"],
        "counted": counted,
    }


def _sample(target: ReadTarget, window: float) -> Sample:
    _ready(target)
    first, at_first = _snapshot(target)
    if not window:
        since = at_first["since"]
        said = f"since {since:%Y-%m-%d %H:%M:%S} UTC" if isinstance(since, datetime) else "since an unknown time"
        return Sample(tuple(first.values()), said, at_first["thrown_out"], True)
    time.sleep(window)
    second, at_second = _snapshot(target)
    if at_second["since"] != at_first["since"]:
        raise Unreachable("The statement statistics were reset between the two samples.", "Look again.")
    seconds = (at_second["taken_at"] - at_first["taken_at"]).total_seconds()
    rows = (between(first.get(key), row) for key, row in second.items())
    counted = f"over {seconds:.1f} s, two samples"
    return Sample(tuple(row for row in rows if row), counted, at_second["thrown_out"] - at_first["thrown_out"], False)


def between(first: Row | None, second: Row) -> Row | None:
    """Return what one statement cost between two samples, or None if it was not called.

    A count that went down was begun anew. Minimum and maximum stay those of all time: still bounds.
    """
    if first is None or second["calls"] < first["calls"]:
        return second
    calls = second["calls"] - first["calls"]
    if calls == 0:
        return None
    total = second["total_ms"] - first["total_ms"]
    mean = total / calls
    squares = _squares(second) - _squares(first)
    # The difference of two large sums: what rounding may have swallowed is added, never left out.
    variance = max(0.0, squares / calls - mean**2) + 1e-12 * _squares(second) / calls
    counts = ("rows", "blocks_read", "temporary_blocks")
    return {
        **second,
        "calls": calls,
        "total_ms": total,
        "mean_ms": mean,
        "stddev_ms": variance**0.5,
        "max_ms": second["max_ms"],
        **{name: second[name] - first[name] for name in counts},
    }


def _squares(row: Row) -> float:
    return float(row["calls"] * (row["stddev_ms"] ** 2 + row["mean_ms"] ** 2))


def _snapshot(target: ReadTarget) -> tuple[dict[str, Row], Row]:
    rows = target.database.ask(question("database/statements"))
    (window,) = target.database.ask(question("database/statement_window"))
    if any(row["statement"] == "<insufficient privilege>" for row in rows):
        raise Unreachable(
            "This role may not see others' statements.", "GRANT pg_monitor TO the reading role.", "forbidden"
        )
    return {row["statement_key"]: row for row in rows}, window


def _ready(target: ReadTarget) -> None:
    """Raise Unreachable, with the mend, where pg_stat_statements cannot be asked."""
    (state,) = target.database.ask(question("database/statement_statistics"))
    what, mend = _fault(state)
    if what:
        raise Unreachable(f"pg_stat_statements {what}.", mend, "missing")


def _fault(state: Mapping[str, Any]) -> tuple[str, str]:
    preload = "Add it to shared_preload_libraries and restart"
    if state["available"] is None and state["installed"] is None:
        return "is not on this server", "Install the server's contrib package."
    if state["installed"] is None:
        loaded = "" if state["preloaded"] else f"{preload}; then "
        return "is not installed in this database", f"{loaded}CREATE EXTENSION pg_stat_statements SCHEMA extensions."
    if not state["on_search_path"]:
        return (
            f"is in schema {state['schema']}, where this session does not look",
            "ALTER EXTENSION pg_stat_statements SET SCHEMA extensions (Supabase's place for it).",
        )
    if state["preloaded"] is False:
        return "is installed but not loaded", f"{preload} the server."
    if state["track"] == "none":
        return "is told to count nothing", "ALTER SYSTEM SET pg_stat_statements.track = 'top'; then reload."
    return "", ""
