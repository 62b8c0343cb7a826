"""How the database's probes ask: a packaged question, with sight of everybody's sessions, literals masked.

A role without ``pg_read_all_stats`` gets empty columns instead of an error, which would read as "nobody
waits"; such a session is refused here, so that the answer is UNKNOWN.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.questions import question
from opslib.systems.postgres import Question
from opslib.systems.target import ReadTarget

SHOWN = 200
"""Characters of a statement that a report shows."""


def asks(
    name: str,
    *,
    units: Mapping[str, str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    sight: bool = False,
    primary: bool = False,
) -> Probe:
    """Return a probe that asks ``sql/database/<name>.sql`` and masks the column ``statement``.

    ``sight``: refuse a role that sees only its own sessions. ``primary``: refuse a standby, whose
    counters do not count what happens on the primary.
    """
    asked = question(f"database/{name}")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        if sight or primary:
            look(target, primary=primary)
        return [shown(row) for row in target.database.ask(asked, parameters)]

    return Probe(f"database-{name.replace('_', '-')}", asked.title, read, source_of(asked), units or {})


def source_of(asked: Question) -> str:
    """Return the file of a question and the beginning of its digest, as reports name it."""
    return f"opslib/probes/sql/{asked.name}.sql (sha256 {asked.digest}…)"


def look(target: ReadTarget, *, primary: bool = False) -> None:
    """Raise Unreachable when this session sees too little, or (``primary``) when the server is a standby."""
    (seen,) = target.database.ask(question("database/sight"))
    if not seen["sees_all"]:
        raise Unreachable(
            f"The role {seen['asked_as']} sees only its own sessions.",
            "As an administrator: GRANT pg_monitor TO the reading role.",
            "forbidden",
        )
    if primary and seen["standby"]:
        raise Unreachable("This server is a standby; it does not count what the primary does.", "Ask the primary.")


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with its statement, if it has one, masked and shortened."""
    if row.get("statement") is None:
        return dict(row)
    return {**row, "statement": masked(str(row["statement"]))}


_LITERAL = re.compile(r"(?:(?<!\w)[eEbBxXnN])?'(?:[^']|'')*'")
_NUMBER = re.compile(r"(?<![\w$.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b")
_TRICKY = re.compile(r"\\|--|/\*|\$[A-Za-z_]*\$|\"[^\"]*'")
"""Where a quote may not be a literal's: escapes, comments, dollar quotes, odd names."""


def masked(statement: str, length: int = SHOWN) -> str:
    """Return a statement without its literals, for they hold personal data and passwords.

    Every quoted text and every number becomes ``?``. Where quotes cannot be paired safely the statement
    is cut at the first one: showing less is right, guessing is not.
    """
    text = " ".join(statement.replace("/* opslib */", "").split())
    if _TRICKY.search(text):
        text = re.split(r"'|\$[A-Za-z_]*\$|--|/\*", text, maxsplit=1)[0] + "…"
    text = _LITERAL.sub("?", text)
    if "'" in text:  # a literal that the server cut off
        text = text.partition("'")[0] + "…"
    text = _NUMBER.sub("?", text)
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
