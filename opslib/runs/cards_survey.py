"""A survey as a card: what was found first, whole, then a row per check, worst first."""

from __future__ import annotations

from opslib.runs.cards import SHAPES, Said, badge, more_of, result, rows_of, sub, text_of
from opslib.runs.markup import Html, tag
from opslib.runs.tables import table


def survey(said: Said) -> Html:
    """Return a survey: badge and sentence, the first finding as a result's card, and the table of all checks."""
    verdict, first = text_of(said, "verdict") or "UNKNOWN", sub(said, "first")
    return tag(
        "div",
        tag("p", badge(verdict), " ", tag("strong", text_of(said, "title")), class_="ops-head"),
        tag("p", text_of(said, "summary")),
        result(first) if first else None,
        table(rows_of(said), "All checks, worst first", {}, more_of(said)),
        class_=f"ops ops-card ops-{verdict if verdict in SHAPES else 'UNKNOWN'}",
    )
