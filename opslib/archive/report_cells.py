"""The cells of a run's notebook for its report: text, outputs, code folded away, journal numbers.

What a cell did is told by the journal; where the notebook has no output for it (cut off, unreadable),
the card is drawn from the journal instead, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

from opslib.archive import report_hand
from opslib.archive.record import Record
from opslib.archive.report_code import MOST_SOURCE, code
from opslib.archive.report_known import Known
from opslib.archive.report_outputs import of_ours, rendered, text_at
from opslib.runs.cards import text_of
from opslib.runs.display import html_of
from opslib.runs.markup import Html, esc, shorten, slug, tag, visible
from opslib.runs.tables import shown

Said = Mapping[str, Any]
_HIDDEN_TAGS: Final = {"papermill-error-cell-tag"}
"""Cells that papermill adds to point at an error; the report has its own words for that."""

_ABOVE: Final = tag("p", "Its plan stands above.", class_="quiet")


@dataclass(frozen=True)
class Cell:
    """One cell, ready for the page; ``anchor`` is the id that links lead to."""

    id: str
    anchor: str
    status: str
    seconds: float | None
    journal: str
    text: Html
    code: Html
    outputs: tuple[Html, ...]
    note: str = ""


class Anchors:
    """Names of cells as ids of the page: each cell has one, no two are alike; ``names`` has them in order."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)
        self._by_name: dict[str, str] = {}
        taken: set[str] = set()
        for name in self.names:
            anchor, number = f"cell-id={slug(name)}", 1
            while anchor in taken:
                number += 1
                anchor = f"cell-id={slug(name)}-{number}"
            if name not in self._by_name:
                self._by_name[name] = anchor
                taken.add(anchor)

    def of(self, name: str) -> str | None:
        """Return the anchor of the cell called ``name``, if the page has it."""
        return self._by_name.get(name)


def link(anchors: Anchors, cell: str) -> Html:
    """Return a link to the cell, or its name alone where the page has no such cell."""
    anchor = anchors.of(cell)
    return tag("a", shorten(cell, 60), href=f"#{anchor}") if anchor else tag("span", shorten(cell, 60) or "–")


def names(record: Record) -> list[str]:
    """Return the ids of the cells that the page shows: the notebook's, else those that the journal knows."""
    if record.cells is None:
        return list(dict.fromkeys(str(line["cell"]) for line in record.journal if line.get("cell")))
    found: list[str] = []
    taken: set[str] = set()
    for number, cell in enumerate((cell for cell in record.cells if not _hidden(cell)), 1):
        name = str(cell.get("id") or f"cell-{number}")
        # A second cell of the same name is another cell: the journal's lines belong to the first.
        found.append(name if name not in taken else f"{name} (cell {number})")
        taken.add(found[-1])
    return found


def cells(record: Record, anchors: Anchors) -> list[Cell]:
    """Return the cells in order."""
    lines: dict[str, list[Said]] = {}
    for line in record.journal:
        if line.get("cell"):
            lines.setdefault(str(line["cell"]), []).append(line)
    known = Known(record)
    if record.cells is None:
        return [_from_journal(known, name, lines[name], anchors) for name in anchors.names]
    shown_cells = [cell for cell in record.cells if not _hidden(cell)]
    named = zip(shown_cells, anchors.names, strict=True)
    return [_cell(known, cell, name, lines.get(name, []), anchors) for cell, name in named]


def _hidden(cell: Said) -> bool:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return isinstance(tags, list) and bool(_HIDDEN_TAGS & {str(name) for name in tags})


def _cell(known: Known, cell: Said, name: str, lines: list[Said], anchors: Anchors) -> Cell:
    source, anchor = text_at(cell.get("source")), anchors.of(name) or ""
    if cell.get("cell_type") != "code":
        text = markdown(source) if cell.get("cell_type") == "markdown" else tag("pre", source)
        return Cell(name, anchor, "", None, "", text, Html(), ())
    found = cell.get("outputs")
    outputs = [output for output in found if isinstance(output, dict)] if isinstance(found, list) else []
    status, seconds = _ended(lines)
    planned = {text_of(step, "step") for step in known.record.planned}
    html = [_ABOVE if name in planned and _is_plan(output) else rendered(output) for output in outputs]
    ours = [kind_value for output in outputs if (kind_value := of_ours(output))]
    unproven = any(not known.has(*kind_value) for kind_value in ours)
    note = "This output is not in the journal; the journal counts." if unproven else ""
    told = _journalled(known, name, lines) if not ours else []
    if told:
        note = "Shown from the journal." if not html else note
    note = " ".join(filter(None, (report_hand.of_cell(lines), note)))
    return Cell(name, anchor, status, seconds, _numbers(lines), Html(), code(source), (*html, *told), note)


def _is_plan(output: Said) -> bool:
    kind, value = of_ours(output) or ("", {})
    return kind == "plan" or (kind == "evidence" and value.get("status") == "planned")


def _from_journal(known: Known, name: str, lines: list[Said], anchors: Anchors) -> Cell:
    status, seconds = _ended(lines)
    told = tuple(_journalled(known, name, lines))
    return Cell(name, anchors.of(name) or "", status, seconds, _numbers(lines), Html(), Html(), told)


def _ended(lines: list[Said]) -> tuple[str, float | None]:
    ends = [line for line in lines if line.get("event") == "cell-finished"]
    if ends:
        seconds = ends[-1].get("seconds")
        status = "" if ends[-1].get("status") == "ok" else "failed"
        return status, seconds if isinstance(seconds, (int, float)) else None
    return ("interrupted" if lines else "not run"), None


def _numbers(lines: list[Said]) -> str:
    """The journal's sequence numbers of a cell, neighbours joined: ``5–9, 12``."""
    spans: list[list[int]] = []
    for seq in sorted({line["seq"] for line in lines if isinstance(line.get("seq"), int)}):
        if spans and seq == spans[-1][1] + 1:
            spans[-1][1] = seq
        else:
            spans.append([seq, seq])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in spans)


def _journalled(known: Known, name: str, lines: list[Said]) -> list[Html]:
    """What the journal has of a cell, as the same cards that the notebook would show."""
    told = []
    judged = {str(line["result"].get("check")) for line in lines if isinstance(line.get("result"), dict)}
    for line in lines:
        event = str(line.get("event"))
        value = line.get(event)
        if event == "note":
            told.append(Html(html_of("note", line)))
        elif event == "result" or (event == "reading" and not judged):
            told.append(Html(html_of(event, value)))
    told += [Html(html_of("evidence", step.evidence())) for step in known.steps(name)]
    return told


@lru_cache(maxsize=1024)
def markdown(source: str) -> Html:
    """Return markdown as HTML: raw HTML is shown as text, images as their words, headings below the page's own."""
    text = visible(source.replace("\r\n", "\n"))[:MOST_SOURCE]
    try:
        return Html(_markdown()(text))
    except (RecursionError, ValueError, IndexError):
        return tag("pre", text)


def prepare() -> None:
    """Import and compile what cells are shown with."""
    # Its parts are compiled at the first text that has them.
    markdown("# a\n\n- *b* `c` <d> [e](#f)\n\n| g |\n|---|\n| h |\n")


def mark(cells: Iterable[Said]) -> None:
    """Mark what these cells say, for the page that shows them: what was marked is kept."""
    for cell in cells:
        if cell["cell_type"] == "code":
            code(cell["source"])
        elif cell["cell_type"] == "markdown":
            markdown(cell["source"])


@cache
def _markdown() -> Any:
    import mistune

    class Renderer(mistune.HTMLRenderer):
        """Links into the page only: a page that was sealed leads nowhere else, an address is text to copy."""

        def heading(self, text: str, level: int, **attributes: Any) -> str:
            return tag(f"h{min(level + 2, 6)}", Html(text))

        def image(self, text: str, url: str, title: str | None = None) -> str:
            return tag("em", f"[picture: {text or 'without words'}]")

        def link(self, text: str, url: str, title: str | None = None) -> str:
            if url.startswith("#"):
                return tag("a", Html(text), href=url)
            return tag("code", url) if text == str(esc(url)) else tag("span", Html(text), " (", tag("code", url), ")")

    return mistune.create_markdown(renderer=Renderer(escape=True), plugins=["table", "strikethrough"])


def parameter(name: str, value: Any) -> Html:
    """Return a parameter and its value as code."""
    text, exact = shown(value, column="number")
    return tag("code", f"{name} = {text}", title=exact or None)
