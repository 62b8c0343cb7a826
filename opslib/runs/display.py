"""Our values in JupyterLab and in the report: one mime bundle each, one HTML for both.

A bundle carries ``application/vnd.opslib.v1+json`` = ``{"kind": …, "value": …}`` beside ``text/plain``
and ``text/html``. The report draws from that JSON again, never from the HTML that a notebook stored.
Tables are cut to 20 rows there (``more_rows`` counts the rest); the journal keeps them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from opslib.canonical import to_json
from opslib.model import Evidence, Picture, Plan, Reading, Result
from opslib.runs import cards, cards_steps, cards_survey, links
from opslib.runs.markup import Html, shorten, tag, visible
from opslib.runs.survey import Survey
from opslib.runs.tables import MOST_ROWS, columns, moment, text_table

MIME: Final = "application/vnd.opslib.v1+json"
Said = Mapping[str, Any]


class Summary(dict[str, Any]):
    """How a run ended: run, notebook, environment, mode, verdict, counts, steps and what else is known."""


@dataclass(frozen=True)
class Note:
    """A sentence that an operator wrote into the record."""

    text: str


_to_notebooks = "../"

_HTML: Final[dict[str, Callable[[Said], Html]]] = {
    "reading": cards.reading,
    "result": cards.result,
    "survey": cards_survey.survey,
    "evidence": cards_steps.evidence,
    "plan": cards_steps.plan,
    "picture": cards.picture,
    "summary": cards.summary,
    "note": cards.note,
}
_KINDS: Final[dict[type, str]] = {
    Reading: "reading",
    Result: "result",
    Survey: "survey",
    Evidence: "evidence",
    Plan: "plan",
    Picture: "picture",
    Summary: "summary",
    Note: "note",
}


def bundle(value: Any) -> dict[str, Any]:
    """Return the mime bundle of one of our values; raises TypeError for anything else."""
    kind = next((name for known, name in _KINDS.items() if isinstance(value, known)), None)
    if kind is None and isinstance(value, Mapping):
        kind = "summary"
    if kind is None:
        raise TypeError(f"{type(value).__name__} is none of our values; it has no card")
    said = _said(value)
    return {
        "text/plain": text_of(kind, said),
        "text/html": str(tag("style", Html(css())) + _html_here(kind, said)),
        MIME: {"kind": kind, "value": said},
    }


def _said(value: Any) -> dict[str, Any]:
    """Return what a card says of a value, as JSON."""
    return _cut(_with_digest(value, to_json(value)))


def _html_here(kind: str, said: Said) -> str:
    """Return the HTML for the notebook's own page, from which other notebooks can be opened."""
    with links.leading(notebooks=_to_notebooks):
        return html_of(kind, said)


def lies(depth: int) -> None:
    """Say how many folders below the notebooks' folder the notebook lies: links to others begin there."""
    global _to_notebooks
    _to_notebooks = "../" * depth


def html_of(kind: str, value_json: Any) -> str:
    """Return the HTML of a value from its JSON alone; without style, see :func:`css`.

    Every text in it is taken for hostile. JSON that is not of the kind's form is shown as JSON.
    """
    draw = _HTML.get(kind)
    if draw is not None and isinstance(value_json, Mapping):
        try:
            return str(draw(value_json))
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError):
            pass  # written by another version, or by somebody else: shown below as it is
    return str(tag("pre", shorten(_dumped(value_json), 4000), class_="ops"))


@cache
def css() -> str:
    """Return the style of the cards; it takes the page's own colours and needs nothing else."""
    text = files("opslib.runs").joinpath("display.css").read_text(encoding="utf-8")
    return " ".join(line.strip() for line in text.splitlines() if not line.strip().startswith("/*")).strip()


def register(ipython: Any) -> None:
    """Let ``ipython`` (its interactive shell) show our values as the last expression of a cell."""
    formatter = ipython.display_formatter.mimebundle_formatter
    for known in _KINDS:
        formatter.for_type(known, lambda value, include=None, exclude=None: bundle(value))
    # A Summary is a dict, and IPython would print it as one: its own printer for dicts goes before a bundle.
    printer = ipython.display_formatter.formatters["text/plain"]
    printer.for_type(Summary, lambda value, out, cycle: out.text(text_of("summary", _said(value))))


def text_of(kind: str, said: Said) -> str:
    """Return the plain text of a value from its JSON: what a terminal and ``text/plain`` show."""
    return _TEXT[kind](said)


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return "(not readable)"


def _with_digest(value: Any, said: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, Plan):
        return {**said, "digest": value.digest}
    if isinstance(value, Survey):
        # Its results stand in the journal, each with its reading; here their rows and the first one are enough.
        return {**said, "results": {}, "first": _cut(said["first"]) if said["first"] else None}
    if isinstance(value, Evidence):
        return {**said, "plan": {**said["plan"], "digest": value.plan.digest}}
    return said


def _cut(said: dict[str, Any]) -> dict[str, Any]:
    """Cut rows to what is shown and name their columns; a result's reading keeps none, its own rows count."""
    short = dict(said)
    rows = said.get("rows")
    if isinstance(rows, list) and len(rows) > MOST_ROWS:
        short |= {"rows": rows[:MOST_ROWS], "more_rows": len(rows) - MOST_ROWS}
    if isinstance(rows, list) and rows:
        # Notebook files sort the keys of objects; the probe's order of columns is what a reader wants.
        short["columns"] = columns(rows)
    if isinstance(said.get("reading"), dict):
        taken = said["reading"]
        short["reading"] = {**taken, "rows": [], "more_rows": len(taken.get("rows", []))}
    if isinstance(said.get("verification"), dict):
        short["verification"] = _cut(said["verification"])
    return short


def _reading_text(said: Said) -> str:
    head = f"{said['title']} ({said['environment']}, {moment(said['taken_at'])})"
    if said.get("unknown"):
        return visible(f"{head}\nUNKNOWN: {said['unknown']}")
    return f"{visible(head)}\n{text_table(said['rows'], said['units'], said.get('more_rows', 0))}"


def _result_text(said: Said) -> str:
    lines = [f"[{said['verdict']}] {said['title']}: {said['summary']}"]
    threshold = said.get("threshold")
    if threshold:
        value = cards.amount(said.get("value"), threshold["unit"]) or "unknown"
        lines.append(f"value {value}; {cards.threshold_text(threshold) or 'shown, not judged'} ({threshold['source']})")
    if said["verdict"] != "OK" and said["remedy"]:
        lines.append(f"Do next: {said['remedy']}")
    rows = text_table(said["rows"], said["reading"]["units"], said.get("more_rows", 0)) if said["rows"] else ""
    return "\n".join([*map(visible, lines), *([rows] if rows else [])])


def _survey_text(said: Said) -> str:
    rows = text_table(said["rows"], {}, said.get("more_rows", 0)) if said["rows"] else ""
    return "\n".join([visible(f"[{said['verdict']}] {said['title']}: {said['summary']}"), *([rows] if rows else [])])


def _plan_text(said: Said, status: str = "planned") -> str:
    lines = [
        f"[{status}] {said['title']} ({said['action']}, {said['effect']})",
        f"touches {cards_steps.step_touches(said)}",
        f"before {json.dumps(said['before'], ensure_ascii=False)}",
        f"after  {json.dumps(said['after'], ensure_ascii=False)}",
        f"verification: {said['verification']}",
        f"undo: {said['undo']}",
        f"plan {cards_steps.step_digest(said)[:12]}",
    ]
    return "\n".join(map(visible, lines))


def _evidence_text(said: Said) -> str:
    text, looked = _plan_text(said["plan"], said["status"]), said.get("verification")
    return text + (visible(f"\nverified: [{looked['verdict']}] {looked['summary']}") if looked else "")


def _summary_text(said: Said) -> str:
    counts = said.get("counts") or {}
    told = ", ".join(f"{number} {word}" for word, number in counts.items() if number) or "no check was made"
    name = " ".join(str(said[part]) for part in ("run", "state") if said.get(part)) or "run"
    return visible(f"[{said.get('verdict', 'UNKNOWN')}] {name}: {told}")


_TEXT: Final[dict[str, Callable[[Said], str]]] = {
    "reading": _reading_text,
    "result": _result_text,
    "survey": _survey_text,
    "evidence": _evidence_text,
    "plan": _plan_text,
    "picture": lambda said: visible(f"{said['title']}: {said['alternative']}"),
    "summary": _summary_text,
    "note": lambda said: visible(f"Note: {said['text']}"),
}
