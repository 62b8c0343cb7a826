"""Rows of the archive's pages, and those that are kept from one seal to the next.

A seal changes one run, and the page of the newest has two hundred: what a row says of a sealed run is kept in
``.index.rows``, beside what its folder looked like then. A row is made anew where anything differs, where its
run is open, and whenever the index is made without being told what changed. Losing the file costs time alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from opslib.archive import summary
from opslib.archive.summary import Summary
from opslib.files import read_plain, write_hint
from opslib.runs import cards, markup
from opslib.runs.cards import badge
from opslib.runs.markup import esc

KEPT = ".index.rows"
LARGEST = 16 * 1024 * 1024
MOST = 600
"""So many lines the file has at most before it is written anew."""

SETTLED = 100_000_000
"""Nanoseconds after which a change is sure to have another time than the one before: the system's clock has ticks."""

WORDS: dict[str, Callable[[Summary], str]] = {
    "Notebook": lambda run: run.notebook or "unknown",
    "Environment": lambda run: run.environment or "unknown",
    "Verdict": lambda run: str(run.verdict or "no verdict"),
    "Seal": lambda run: run.sealed,
}


@dataclass(frozen=True)
class Row:
    """What a page says of one run: its words for the filters, its verdict, and its cells as HTML."""

    run: str
    words: tuple[str, ...]
    verdict: str | None
    cells: str


def made(run: Summary) -> Row:
    """Return a run's row."""
    verdict = None if run.verdict is None else str(run.verdict)
    return Row(run.run, tuple(word(run) for word in WORDS.values()), verdict, _cells(run))


def rows(archive: Path, ids: Sequence[str], changed: str | None) -> list[Row]:
    """Return the rows of these runs, in their order, and keep them; with ``changed`` what was kept of others serves."""
    known, lines = _kept(archive) if changed else ({}, MOST)
    found, new = [], {}
    for run in ids:
        seen, moment = _seen(archive, run), time.time_ns()
        row = known[run][1] if run != changed and run in known and known[run][0] == seen else None
        if row is None:
            said = summary.read(archive, run)
            row = made(said)
            if said.sealed == "sealed" and seen and moment - max(seen[2::3]) > SETTLED:
                new[run] = (seen, row)
        found.append(row)
    _keep(archive, new, lines, {run: known[run] for run in ids if run in known})
    return found


Seen = list[int]
"""Number, size and time of the last change of a run's folder, run.json and result.json; empty where one is missing."""


def _seen(archive: Path, run: str) -> Seen:
    seen = []
    folder = f"{archive}/runs/{run}"
    try:
        for path in (folder, f"{folder}/run.json", f"{folder}/result.json"):
            found = os.lstat(path)
            seen += [found.st_ino, found.st_size, found.st_ctime_ns]
    except OSError:
        return []
    return seen


def _kept(archive: Path) -> tuple[dict[str, tuple[Seen, Row]], int]:
    """Return what is kept, by run, and how many lines that takes."""
    known: dict[str, tuple[Seen, Row]] = {}
    lines: list[bytes] = []
    with suppress(OSError):
        lines = read_plain(f"{archive}/{KEPT}", LARGEST).splitlines()
    for line in lines:
        # A torn line, or one that another version wrote.
        with suppress(ValueError, TypeError):
            form, seen, run, words, verdict, cells = json.loads(line)
            if form == _form() and len(words) == len(WORDS):
                known[str(run)] = (seen, Row(str(run), tuple(map(str, words)), verdict, str(cells)))
    return known, len(lines)


def _keep(archive: Path, new: dict[str, tuple[Seen, Row]], lines: int, known: dict[str, tuple[Seen, Row]]) -> None:
    path = archive / KEPT
    if lines + len(new) >= MOST:
        write_hint(path, "".join(_lines(known | new)))
    elif new:
        with suppress(OSError):
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as out:
                out.write("".join(_lines(new)))


def _lines(of: dict[str, tuple[Seen, Row]]) -> Iterable[str]:
    for seen, row in of.values():
        # It begins with the end of a line that may be torn.
        yield "\n" + json.dumps([_form(), seen, row.run, row.words, row.verdict, row.cells])


@cache
def _form() -> str:
    """Return a digest of the code that makes a row: one that other code made is not used."""
    sources = (Path(str(module.__file__)).read_bytes() for module in (cards, markup, summary))
    return hashlib.sha256(b"".join([Path(__file__).read_bytes(), *sources])).hexdigest()[:16]


def _cells(run: Summary) -> str:
    name = esc(run.notebook or run.run)
    link = f'<a href="{esc(run.report)}">{name}</a>' if run.report else name
    notes = [note for note in (run.reason, run.damage) if note]
    notes += ["Planned only, nothing was changed."] if run.mode == "plan" else []
    small = "".join(f"<small>{esc(note)}</small>" for note in notes)
    alarm = f'<strong class="alarm">{esc(summary.BREAK_GLASS)}</strong>' if run.break_glass else ""
    when = esc(run.started_at[:19].replace("T", " "))
    state = f" <small>{esc(run.state)}</small>" if run.state not in ("", "finished", "open") else ""
    cells = (
        f'<td class="one" title="{esc(run.run)}"><time datetime="{esc(run.started_at)}">{when}</time></td>',
        f"<td>{link}{alarm}{small}</td>",
        f"<td>{esc(run.environment)}</td>",
        f"<td>{_badge(run.verdict or 'no verdict')}{state}</td>",
        f'<td class="one number">{duration(run.seconds)}</td>',
        f"<td>{esc(run.who)}</td>",
        f"<td>{esc(run.sealed) if run.sealed == 'sealed' else _badge(run.sealed)}</td>",
    )
    return "".join(cells)


@cache
def _badge(word: str) -> str:
    return str(badge(word))


def duration(seconds: float | None) -> str:
    """Return seconds as a person says them; nothing when there are none."""
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
