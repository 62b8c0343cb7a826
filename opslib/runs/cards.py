"""Results, steps, readings, pictures and runs as HTML cards, each from its plain JSON.

Verdicts are told by word and shape, never by colour alone. Every function takes what ``canonical.to_json``
gave (and what the journal holds); a field that is missing or odd is left out, never invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from opslib.pictures import figures, gate
from opslib.runs.markup import Html, join, shorten, tag
from opslib.runs.tables import moment, shown, table

Said = Mapping[str, Any]

SHAPES: Final = {
    "OK": "✓",
    "WARNING": "▲",
    "UNKNOWN": "?",
    "CRITICAL": "✕",
    "planned": "○",
    "applied": "✓",
    "refused": "⊘",
    "failed": "✕",
    "undone": "↺",
    "interrupted": "…",
    "in doubt": "?",
    "undo in doubt": "?",
    "kept": "✓",
    "settled": "✓",
    "resolved": "✓",
    "skipped": "⊘",
}
TONES: Final = {
    "applied": "OK",
    "failed": "CRITICAL",
    "refused": "WARNING",
    "interrupted": "UNKNOWN",
    "in doubt": "UNKNOWN",
    "undo in doubt": "UNKNOWN",
    "kept": "OK",
    "skipped": "UNKNOWN",
}


def badge(word: str) -> Html:
    """Return a verdict's or status's word with its shape."""
    tone = word if word in ("OK", "WARNING", "UNKNOWN", "CRITICAL") else TONES.get(word, "plain")
    sign = tag("span", SHAPES.get(word, "•"), aria_hidden="true")
    return tag("span", sign, " ", shorten(word, 24).upper(), class_=f"ops-badge ops-{tone}")


def sub(said: Said, name: str) -> Said:
    """Return the mapping at ``name``; an empty one when there is none."""
    value = said.get(name)
    return value if isinstance(value, Mapping) else {}


def rows_of(said: Said) -> list[Said]:
    """Return the rows in ``said``, leaving out whatever is not a row; in the order of ``columns`` if it is there."""
    rows, names = said.get("rows"), said.get("columns")
    if not isinstance(rows, (list, tuple)):
        return []
    order = names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []
    return [{n: row[n] for n in dict.fromkeys([*order, *row]) if n in row} for row in rows if isinstance(row, Mapping)]


def units_of(said: Said) -> dict[str, str]:
    """Return the units of a reading's columns."""
    return {str(name): str(unit) for name, unit in sub(said, "units").items()}


def text_of(said: Said, name: str) -> str:
    """Return the text at ``name``, "" when there is none."""
    value = said.get(name)
    return "" if value is None else str(value)


def threshold_text(threshold: Said) -> str:
    """Return a threshold's limits in words: ``warning > 80 %, critical > 90 %``, no line broken before a figure."""
    sign, unit = (">" if threshold.get("above", True) else "<"), text_of(threshold, "unit")
    limits = ((name, threshold.get(name)) for name in ("warning", "critical"))
    parts = [f"{name} {sign} {_round(amount(limit, unit))}" for name, limit in limits if limit is not None]
    return ", ".join(part.replace(" ", "\u00a0", 2) for part in parts)


def _round(figure: str) -> str:
    """A limit is a round figure: ``5 s``, not ``5.00 s``; a short unit stays with it."""
    return re.sub(r" (?=\S{1,3}(?: |$))", "\u00a0", re.sub(r"\.0+(?= )", "", figure), count=1)


def amount(value: Any, unit: str) -> str:
    """Return a figure with its unit, humanised; "" for none."""
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return figures.figure(value, unit)
        except (OverflowError, ValueError):
            return f"{value} {unit}".strip()
    return f"{shown(value)[0]} {unit}".strip()


def facts(*pairs: tuple[str, object]) -> Html | None:
    """Return named facts as a description list; empty ones are left out."""
    kept = [(name, value) for name, value in pairs if value not in (None, "", [])]
    lines = (tag("div", tag("dt", name), tag("dd", value)) for name, value in kept)
    return tag("dl", *lines, class_="ops-facts") if kept else None


def items_of(said: Said) -> Html | None:
    """Return the guide items that ``said`` carries, as codes."""
    items = said.get("items")
    if not isinstance(items, (list, tuple)) or not items:
        return None
    return join((tag("code", item) for item in items), ", ")


def reading(said: Said) -> Html:
    """Return a reading as a table with its caption, or why it could not be taken."""
    title = text_of(said, "title") or text_of(said, "probe")
    if said.get("unknown"):
        head = tag("p", badge("UNKNOWN"), " ", tag("strong", title), class_="ops-head")
        return tag("div", head, tag("p", text_of(said, "unknown")), _origin(said), class_="ops ops-card ops-UNKNOWN")
    shows = table(rows_of(said), title, units_of(said), more_of(said))
    return tag("div", shows, _origin(said), class_="ops")


def more_of(said: Said) -> int:
    """Return how many rows were cut off."""
    more = said.get("more_rows")
    return more if isinstance(more, int) and more > 0 else 0


def _origin(said: Said) -> Html | None:
    seconds = amount(said.get("seconds"), "s")
    parts = [text_of(said, "source"), moment(text_of(said, "taken_at")), seconds and f"took {seconds}"]
    kept = [part for part in parts if part]
    return tag("p", join(kept, " · "), class_="ops-quiet") if kept else None


def result(said: Said) -> Html:
    """Return a check's result: badge, sentence, figure against threshold, rows, remedy, guide items."""
    verdict, taken, threshold = text_of(said, "verdict") or "UNKNOWN", sub(said, "reading"), sub(said, "threshold")
    figure = amount(said.get("value"), text_of(threshold, "unit"))
    remedy = remedy_of(said)
    about = facts(
        ("Value", tag("strong", figure) if figure else ""),
        ("Threshold", threshold_text(threshold)),
        ("From", text_of(threshold, "source")),
        ("Do next", tag("strong", remedy) if remedy else ""),
        ("Guide", items_of(said)),
    )
    rows = rows_of(said)
    return tag(
        "div",
        tag("p", badge(verdict), " ", tag("strong", text_of(said, "title")), class_="ops-head"),
        tag("p", text_of(said, "summary")),
        about,
        table(rows, "What it saw", units_of(taken), more_of(said)) if rows or more_of(said) else None,
        _origin(taken),
        class_=f"ops ops-card ops-{verdict if verdict in SHAPES else 'UNKNOWN'}",
    )


def remedy_of(said: Said) -> str:
    """Return what to do about a result; where nobody could look, that comes first."""
    remedy = text_of(said, "remedy")
    if text_of(said, "verdict") == "OK" or not remedy:
        return ""
    return f"First see why nobody could look. {remedy}" if sub(said, "reading").get("unknown") else remedy


def picture(said: Said) -> Html:
    """Return a picture whose drawing passed the gate; else its alternative text and why it is withheld."""
    title, alternative = text_of(said, "title"), text_of(said, "alternative")
    try:
        drawing: Html = Html(gate.checked(text_of(said, "svg")))
        drawn = tag("div", drawing, class_="ops-scroll ops-drawing", tabindex="0", role="group", aria_label=title)
    except gate.Unsafe as error:
        drawn = tag("p", f"The drawing is withheld: it {error}.", class_="ops-quiet")
    caption = tag("figcaption", tag("strong", title), tag("br"), alternative)
    return tag("figure", caption, drawn, class_="ops ops-figure")


def summary(said: Said) -> Html:
    """Return a run's end: verdict, state, how many checks said what, and why."""
    counts = sub(said, "counts")
    told = [f"{number} {word}" for word, number in counts.items() if number]
    about = facts(
        ("Run", tag("code", text_of(said, "run")) if said.get("run") else ""),
        ("Mode", text_of(said, "mode")),
        ("State", text_of(said, "state")),
        ("Verdicts", ", ".join(told) or ("no check was made" if counts else "")),
        ("Steps", text_of(said, "steps")),
        ("Took", amount(said.get("seconds"), "s")),
        ("Why", text_of(said, "reason")),
    )
    verdict = text_of(said, "verdict") or "UNKNOWN"
    name = " on ".join(part for part in (text_of(said, "notebook"), text_of(said, "environment")) if part)
    head = tag("p", badge(verdict), " ", tag("strong", name or "Run"), class_="ops-head")
    return tag("div", head, about, class_=f"ops ops-card ops-{verdict if verdict in SHAPES else 'UNKNOWN'}")


def note(said: Said) -> Html:
    """Return an operator's sentence."""
    return tag("p", tag("strong", "Note: "), text_of(said, "text"), class_="ops ops-note")
