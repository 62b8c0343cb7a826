"""The archive's index: one self-contained page of the newest runs, and older pages that seldom change.

index.html shows the newest 200 runs. index-0001.html holds the oldest 200, index-0002.html the next, and so
on, as far as index.html does not reach; such a page is full from the start and its runs never move. A page is filtered
by its style alone (``:has`` of a chosen option), without a script and without a file beside it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opslib import files
from opslib.archive import summary
from opslib.archive.index_rows import WORDS, Row, made, rows
from opslib.archive.summary import Summary
from opslib.runs.markup import esc

PER_PAGE = 200

_HEAD = (
    "Started (UTC)",
    "Notebook",
    "Environment",
    "Verdict",
    "Duration",
    "Who",
    "Seal",
)


_SHOWN = '<p class="soft shown">Runs of this page that are shown: </p>\n'
"""Its number is counted by the style: rows that are not shown do not count."""


@dataclass(frozen=True)
class Filter:
    """One choice above the table: the words that its page's runs have for ``name``, each a class of their rows."""

    name: str
    words: tuple[str, ...]

    def choice(self) -> str:
        """Return the list to choose from."""
        options = "".join(f'<option value="{n}">{esc(word)}</option>' for n, word in enumerate(self.words))
        return (
            f'<label>{self.name} <select id="by-{self.name.lower()}" autocomplete="off"><option value="">all</option>'
            f"{options}</select></label>"
        )

    def style(self) -> str:
        """Return what hides the rows that have another word than the chosen one; the words themselves are not in it."""
        name = self.name.lower()
        return "".join(
            f'body:has(#by-{name} option[value="{n}"]:checked) tbody tr:not(.{name}-{n}) {{ display: none; }}\n'
            for n in range(len(self.words))
        )

    def of(self, run: Row) -> str:
        """Return the class of a run's row."""
        return f"{self.name.lower()}-{self.words.index(run.words[_PLACES[self.name]])}"


_PLACES = {name: number for number, name in enumerate(WORDS)}


def name_of(page: int) -> str:
    """Return a page's file name; page 0 is the newest."""
    return f"index-{page:04d}.html" if page else "index.html"


def older_pages(count: int) -> int:
    """Return how many pages there are besides index.html for ``count`` runs."""
    return max(0, -(-(count - PER_PAGE) // PER_PAGE))


def write(archive: Path, ids: Sequence[str], changed: str | None, count: int | None = None) -> None:
    """Write the pages of the runs ``ids`` (oldest first); raises ArchiveError when one cannot be written.

    With ``changed``, an older page is written only when it holds that run, or other runs than before. With ``count``,
    so many runs there are, and ``ids`` are only the newest of them: older pages that have others too stay as they are.
    """
    before = 0 if count is None else count - len(ids)
    older = older_pages(before + len(ids))
    for page in range(-(-before // PER_PAGE) + 1, older + 1):
        held = ids[(page - 1) * PER_PAGE - before : page * PER_PAGE - before]
        if changed is None or changed in held or _mark(held, page < older) not in _start(archive / name_of(page)):
            _write(archive, held, page, older)
    _put(archive, rows(archive, ids[-PER_PAGE:][::-1], changed), 0, older)
    if count is None:
        for left in archive.glob("index-[0-9][0-9][0-9][0-9].html"):
            if int(left.name[6:10]) > older:
                left.unlink()


def render(runs: Sequence[Summary], page: int, older: int) -> str:
    """Return one page of ``runs`` (newest first); ``older`` is the number of pages besides index.html."""
    return _page([*map(made, runs)], page, older)


def _page(runs: Sequence[Row], page: int, older: int) -> str:
    filters = (Filter(name, tuple(sorted({run.words[place] for run in runs}))) for name, place in _PLACES.items())
    # Where all are alike there is nothing to choose.
    chosen = [one for one in filters if len(one.words) > 1]
    style = Path(__file__).with_suffix(".css").read_text(encoding="utf-8") + "".join(one.style() for one in chosen)
    style_sha = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style_sha}'; base-uri 'none'; form-action 'none'"
    head = "".join(f'<th scope="col"{_class(name)}>{name}</th>' for name in _HEAD)
    title = "Archive of runs" + (f", older page {page}" if page else "")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<meta charset="utf-8">\n'
        f"{_mark([run.run for run in reversed(runs)], page < older)}\n"
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n'
        f"<style>{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{title}</h1>\n<p>{_about(runs, page)}</p>\n"
        '<p class="soft">This page is for finding runs and proves nothing. '
        "The archive is checked with <code>ops archive verify</code> or <code>sh verify.sh</code>.</p>\n"
        f"{_pages(page, older)}{_choices(chosen)}<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
        + "".join(_row(run, " ".join(one.of(run) for one in chosen)) for run in runs)
        + f"</tbody>\n</table>\n{_SHOWN if chosen else ''}</main>\n</body>\n</html>\n"
    )


def _about(runs: Sequence[Row], page: int) -> str:
    if not runs:
        return "No runs yet."
    words = ["CRITICAL", "UNKNOWN", "WARNING", "OK"]
    counts = [f"{n} {word}" for word in words if (n := sum(run.verdict == word for run in runs))]
    rest = sum(run.verdict is None for run in runs)
    counts += [f"{rest} without verdict"] if rest else []
    which = "runs" if page else "newest runs"
    return f"{len(runs)} {which if len(runs) > 1 else 'run'}: {', '.join(counts)}."


def _row(run: Row, names: str) -> str:
    return f'<tr class="{names}">{run.cells}</tr>\n' if names else f"<tr>{run.cells}</tr>\n"


def _choices(filters: Sequence[Filter]) -> str:
    if not filters:
        return ""
    return (
        f'<div class="filters" role="group" aria-label="Show only">{"".join(one.choice() for one in filters)}</div>\n'
    )


def _pages(page: int, older: int) -> str:
    """Return the links to a page's neighbours: a link to every page would make every page change."""
    if not older:
        return ""
    links = [(0, "newest")]
    links += [(page + 1, "newer")] if 0 < page < older else []
    links += [(page - 1 if page else older, "older")] if page != 1 else []
    links += [(1, "oldest")]
    said = [
        f'<span aria-current="page">{text}</span>' if to == page else f'<a href="{name_of(to)}">{text}</a>'
        for to, text in links
    ]
    return f'<nav aria-label="Pages">{" ".join(said)}</nav>\n'


def _class(name: str) -> str:
    return ' class="number"' if name == "Duration" else ""


def _mark(ids: Sequence[str], newer: bool) -> str:
    """Return the line by which a page tells, without being read whole, which runs and neighbours it has."""
    said = f"{' '.join(ids)} {newer}"
    return f'<meta name="runs" content="{hashlib.sha256(said.encode()).hexdigest()}">'


def _start(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(1000).decode("utf-8", "replace")
    except OSError:
        return ""


def _write(archive: Path, ids: Sequence[str], page: int, older: int) -> None:
    _put(archive, [made(summary.read(archive, run)) for run in reversed(ids)], page, older)


def _put(archive: Path, runs: Sequence[Row], page: int, older: int) -> None:
    data = _page(runs, page, older).encode("utf-8", "replace")
    path = archive / name_of(page)
    if not path.is_file() or path.read_bytes() != data:
        # Made anew from the runs at any time: whether the older or the newer one is there after a crash is the same.
        files.write(path, data, archive / "running" / ".index.part", named=False)
