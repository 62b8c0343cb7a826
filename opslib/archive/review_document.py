"""The review of an incident as a document of its own: Markdown, made from its run's journal, sealed with the run.

The report is the page; the document says the same for a wiki or a pull request, and is readable on its own. It is made
where the run is closed and not by its notebook, so nothing stands in it that the journal does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from opslib import files
from opslib.archive import record
from opslib.archive.record import Record
from opslib.guide.review import FORM, NOTEBOOK, WORD
from opslib.runs.cards import rows_of, sub, text_of
from opslib.runs.markup import visible
from opslib.runs.tables import shown

NAME = "evidence/post-incident-review.md"
SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "review-times": ("How long it took", ("moment", "not_before", "not_after", "after_it_began", "who_says_so")),
    "review-timeline": ("Timeline", ("at", "what", "who", "came_out", "where")),
    "review-impact": ("Impact", ("from", "to", "requests", "failures", "failed_percent")),
    "review-causes": ("Root cause and contributing factors", ("kind", "in_people's_words")),
    "review-actions": ("Actions", ("action", "owner", "due", "state")),
}
"""The checks whose results make the document, in its order, each with its heading and its columns' order."""
_ADDRESS = re.compile(r"(?i)(www|[a-z][a-z0-9+.-]*)([.:])(?=//|(?<=www\.))")
_ACTIVE = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def write(folder: Path) -> None:
    """Write the document of a review's run into its evidence; does nothing for any other run."""
    said = record.load(folder)
    if text_of(said.run, "notebook") != NOTEBOOK:
        return
    path = folder / NAME
    files.make_folder(path.parent)
    files.write(path, document(said).encode("utf-8", "replace"), path.with_name(f".{path.name}.part"))


def document(said: Record) -> str:
    """Return the Markdown of a review's record; what a check could not say stands there as UNKNOWN, with its reason."""
    asked, results = sub(said.run, "parameters"), _results(said)
    name = text_of(asked, "incident")
    title = "Post-incident review" if name in ("", "none") else f"Post-incident review of {name}"
    lines = [f"# {plain(title)}", "", FORM, "", *_about(said), ""]
    for check, (heading, columns) in SECTIONS.items():
        # A journal sorts the keys of its rows; a reader wants their own order.
        result = {**results.get(check, {}), "columns": list(columns)} if check in results else {}
        lines += [f"## {heading}", "", *_section(result), ""]
    return "\n".join([*lines, "## How to check it", "", *_proof(said), ""])


def _results(said: Record) -> dict[str, Mapping[str, Any]]:
    found = (sub(line, "result") for line in said.events("result"))
    return {text_of(one, "check"): one for one in found}


def _about(said: Record) -> Iterator[str]:
    yield f"- Target: {plain(text_of(said.run, 'environment'))}"
    yield f"- Verdict of the review: {plain(said.verdict)} (what it lacks or nobody knows, not how bad it was)"
    asked, at = text_of(said.run, "requested_by"), shown(text_of(said.run, "started_at"))[0]
    yield f"- Asked for by {plain(asked)}, {plain(at)}"
    yield f"- Run: {code(said.name)}"


def _section(result: Mapping[str, Any]) -> Iterator[str]:
    if not result:
        yield "UNKNOWN: the review ended before it came to this."
        return
    yield f"{plain(text_of(result, 'verdict'))}: {plain(text_of(result, 'summary'))}"
    if text_of(result, "remedy"):
        yield ""
        yield f"What to do: {plain(text_of(result, 'remedy'))}"
    if rows := rows_of(result):
        yield ""
        yield from _table(rows)


def _table(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    yield f"| {' | '.join(plain(name.replace('_', ' ')) for name in names)} |"
    yield f"|{' --- |' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(_cell(row.get(name), name) for name in names)} |"


def _cell(value: Any, name: str) -> str:
    if isinstance(value, str) and value.startswith("runs/"):
        # A place in the archive, to be found whatever folder this document is copied to.
        return code(value)
    exact = isinstance(value, str) and not re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)", value)
    return plain(str(value) if exact else shown(value, column=name)[0])


def _proof(said: Record) -> Iterator[str]:
    yield "Places such as `runs/…/report.html` lie in the archive in which this review lies. `ops archive verify` (or "
    yield "`verify.sh`, without this program) checks every seal; this document stands in the manifest of the run"
    yield f"{code(said.name)}. A moment that a person told holds give or take {WORD.total_seconds():g} s; the others"
    yield "lie between two readings."


def code(text: str) -> str:
    """Return text as code on one line, in which nothing ends the code or the cell of a table."""
    return f"`{' '.join(visible(text).split()).replace('`', chr(39)).replace('|', '¦')}`"


def plain(text: str) -> str:
    """Return text that Markdown shows as it is, on one line: whatever it holds, it is no markup and no address."""
    one_line = " ".join(visible(text).split())
    # An address in a row is text: nobody is led away from a review by what a system said.
    return _ADDRESS.sub(r"\1\\\2", _ACTIVE.sub(r"\\\1", one_line))
