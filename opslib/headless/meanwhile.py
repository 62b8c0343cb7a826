"""What a run's end needs, imported and compiled while the notebook's process starts: its runner has nothing else to do.

In a thread of its own, so that who stops the run does not break an import off half way. A process that has it all
(forked from one that stands by, or at its second run) starts none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_READY = threading.Event()


@contextmanager
def preparing() -> Iterator[None]:
    """Inside, what the page of the run and its seal need is made ready; at the end it is."""
    if _READY.is_set():
        yield
        return
    thread = threading.Thread(target=prepare, name="meanwhile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def prepare() -> None:
    """Import and compile it; what is there already stays."""
    from opslib.archive import report, review_document  # noqa: F401 - it is imported, no more

    report.prepare()
    _READY.set()
