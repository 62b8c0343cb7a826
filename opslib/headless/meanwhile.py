"""What a run's end needs, made ready while the notebook's process starts: its runner has nothing else to do.

That is what its page is made with, imported and compiled, and the cells' own text with its marks. In a thread of its
own, so that who stops the run does not break an import off half way. A process that has imported all (forked from one
that stands by, or at its second run) starts none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

_READY = threading.Event()


@contextmanager
def preparing(cells: Iterable[Mapping[str, Any]]) -> Iterator[None]:
    """Inside, what the page of these cells and its seal need is made ready; at the end it is."""
    if _READY.is_set():
        _mark(cells)
        yield
        return
    thread = threading.Thread(target=_all, args=(cells,), name="meanwhile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _all(cells: Iterable[Mapping[str, Any]]) -> None:
    prepare()
    _mark(cells)


def _mark(cells: Iterable[Mapping[str, Any]]) -> None:
    from opslib.archive import report_cells

    # Where it can't be done the page says so; the run goes on.
    with suppress(Exception):
        report_cells.mark(cells)


def prepare() -> None:
    """Import and compile it; what is there already stays."""
    from opslib.archive import index, index_newest, report  # noqa: F401 - two of them are imported, no more

    report.prepare()
    _READY.set()
