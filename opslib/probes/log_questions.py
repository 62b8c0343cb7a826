"""What may be asked of logs: a closed list of questions, each one file per engine, with the same rows as its answer.

``logs/<name>.sql`` asks DuckDB, which binds what is given. ``logs/<name>.insights`` asks CloudWatch Logs Insights,
which has no parameters: only what passes :data:`SUBJECTS` gets into its text, as a quoted word without any sign that
could end it. ``logs/lines.sql`` and ``logs/lines.insights`` say by which names lines call what is asked after.

Source: CloudWatch Logs User Guide, "Logs Insights language query syntax"; DuckDB documentation, "Prepared Statements".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from opslib.canonical import to_json
from opslib.errors import Refused

NONE = "none"
MOST_ROWS = 10_000
"""Rows of one answer at most: what Logs Insights hands out."""
LONGEST_MESSAGE = 4096
"""Characters of a message that are looked at; ``lines.sql`` says the same."""
SHOWN_MESSAGE = 300

_WORD = r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}"
SUBJECTS: dict[str, re.Pattern[str]] = {
    "address": re.compile(r"[0-9a-f:][0-9a-f.:]{1,44}", re.ASCII),
    "account": re.compile(_WORD, re.ASCII),
    "tenant": re.compile(_WORD, re.ASCII),
    "request": re.compile(_WORD, re.ASCII),
    "session": re.compile(_WORD, re.ASCII),
}
"""Whom or what may be asked after, and the whole of what its name may look like: no quote, blank, slash or sign that
any of the two languages knows."""

MOMENTS = ("slot", "first_seen", "last_seen", "moment")
"""Columns that hold a moment, in milliseconds since 1970 (UTC), until they are shown."""
FINGERPRINTED = (
    re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|0x[0-9a-fA-F]+"),
    re.compile(r"[0-9]+"),
)
"""What an error's message is held without, in this order; ``errors.sql`` says the same."""


@dataclass(frozen=True)
class LogQuestion:
    """One question: its name, what it asks, and its text for each engine."""

    name: str
    title: str
    sql: str
    insights: str
    columns: tuple[str, ...]
    """Of its answer, in order."""
    wide: bool = False
    """Whether it also looks at the time before the window."""


@dataclass(frozen=True)
class Terms:
    """What is asked: the window from ``start`` up to ``end``, what came before it since ``before``, and after whom.

    Raises Refused for a window that is none, a moment without a zone, or a subject that is not plain.
    """

    start: datetime
    end: datetime
    before: datetime
    subject: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(moment.tzinfo is None for moment in (self.start, self.end, self.before)):
            raise Refused("A moment without a zone is no moment.", "Give it in UTC, such as 2026-11-29T10:00:00Z.")
        if not self.before <= self.start < self.end:
            raise Refused("The window is none: it ends before it begins.", "Give a start before its end.")
        for name, word in self.subject.items():
            if name not in SUBJECTS or not SUBJECTS[name].fullmatch(word):
                raise Refused(f"What is given as {name} is none.", "Letters, digits and . _ : @ - alone.")

    @property
    def bounds(self) -> dict[str, int]:
        """The window in milliseconds since 1970, as both engines get it."""
        return {"before_ms": ms(self.before), "start_ms": ms(self.start), "end_ms": ms(self.end)}

    @property
    def given(self) -> dict[str, Any]:
        """Everything that DuckDB binds."""
        return {**self.bounds, **{name: self.subject.get(name) for name in SUBJECTS}}


def ms(moment: datetime) -> int:
    """Return a moment in milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def text(name: str) -> str:
    """Return a file of ``logs/``, its title in front."""
    return files("opslib.probes").joinpath("logs", name).read_text(encoding="utf-8")


@cache
def log_question(name: str, *columns: str, wide: bool = False) -> LogQuestion:
    """Return the question ``logs/<name>``; raises ValueError where its two files do not ask the same."""
    sql, insights = text(f"{name}.sql"), text(f"{name}.insights")
    title = sql.partition("\n")[0].removeprefix("-- title: ")
    if title != insights.partition("\n")[0].removeprefix("# title: ") or not title.endswith("?"):
        raise ValueError(f"logs/{name}.sql and logs/{name}.insights must begin with one title")
    return LogQuestion(name, title, sql, insights, columns, wide)


_SEEN = ("lines", "first_seen", "last_seen")
QUESTIONS: dict[str, LogQuestion] = {
    one.name: one
    for one in (
        log_question("access", "address", "account", "route", *_SEEN),
        log_question("sign-ins", "address", "account", "status", *_SEEN),
        log_question("sights", "address", "account", "key", *_SEEN),
        log_question("requests", "slot", "route", "status", "lines"),
        log_question(
            "session",
            *("moment", "stream", "address", "account", "method", "route", "status", "request", "message"),
        ),
        log_question("volume", "slot", "lines", wide=True),
        log_question("errors", "level", "message", *_SEEN),
        log_question("silence", "stream", "slot", "lines"),
        log_question("unread", "stream", *_SEEN),
    )
}
"""The closed list, in the order in which they are asked."""


def composed(question: LogQuestion, terms: Terms) -> str:
    """Return the question as Logs Insights takes it: numbers, and words that passed :data:`SUBJECTS`, and no other."""
    bounds = terms.bounds
    start = bounds["before_ms"] if question.wide else bounds["start_ms"]
    lines = (text("lines.insights") + question.insights).splitlines()
    asked = [f'its_{name} = "{word}"' for name, word in sorted(terms.subject.items())]
    subject = [f"| filter {' and '.join(asked)}"] if asked else []
    made: list[str] = []
    for line in lines:
        if line == "| filter $subject":
            made += subject
        elif not line.startswith("#"):
            made.append(line.replace("$start", str(start)).replace("$end", str(bounds["end_ms"])))
    return "\n".join(made)


def rows_of(question: LogQuestion, results: Sequence[Sequence[Mapping[str, str]]]) -> list[dict[str, Any]]:
    """Return what Logs Insights answered as the rows that DuckDB gives; raises ValueError for another form."""
    names = {"its_at": "moment", "@logStream": "stream", "bin(1h)": "slot", "bin(10m)": "slot"}
    rows = []
    for result in results:
        said = {names.get(one["field"], one["field"].removeprefix("its_")): one.get("value") for one in result}
        rows.append({column: _plain(column, said.get(column)) for column in question.columns})
    return rows


def _plain(column: str, value: str | None) -> Any:
    if value is None:
        return None
    if column == "lines":
        return int(float(value))
    if column in MOMENTS:
        return _moment(value)
    return value[:LONGEST_MESSAGE] if column == "message" else value


def _moment(value: str) -> int:
    # A bin and a moment come as text in UTC without saying so, figures that were made of one as a number.
    try:
        return int(float(value))
    except ValueError:
        return ms(datetime.fromisoformat(value).replace(tzinfo=UTC))


def folded(rows: Sequence[Mapping[str, Any]], hide: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return errors by what they say without numbers; ``hide`` takes secrets out of a message, before it is changed.

    DuckDB hands out one message of each sort, Logs Insights every one: it has no replacement by pattern.
    """
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in rows:
        message = row["message"] if row["message"] is None else hide(row["message"])
        for pattern in FINGERPRINTED:
            message = message if message is None else pattern.sub("#", message)
        message = message if message is None else message[:SHOWN_MESSAGE]
        kept = found.setdefault((row["level"], message), {**row, "message": message, "lines": 0})
        kept["lines"] += row["lines"]
        kept["first_seen"] = min(kept["first_seen"], row["first_seen"])
        kept["last_seen"] = max(kept["last_seen"], row["last_seen"])
    return sorted(found.values(), key=lambda one: (-one["lines"], str(one["level"]), str(one["message"])))


def hidden(rows: Sequence[Mapping[str, Any]], hide: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return rows whose free text is without secrets, and only then cut: half a secret is known to nobody."""
    return [
        {
            name: hide(value)[:SHOWN_MESSAGE] if name in ("message", "said") and value is not None else value
            for name, value in row.items()
        }
        for row in rows
    ]


def shown(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with their moments as text."""
    return [{name: _shown(name, value) for name, value in row.items()} for row in rows]


def _shown(name: str, value: Any) -> Any:
    return to_json(datetime.fromtimestamp(value / 1000, UTC)) if name in MOMENTS and value is not None else value
