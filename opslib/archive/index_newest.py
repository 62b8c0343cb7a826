"""Which runs the archive's first page shows, known without listing the folders of all: a run pays for no other one.

What was known when the pages were last written lies in ``.index``, the file whose lock is held meanwhile. It counts
only for the log that it was read from, and what the log has more is read after it. It proves nothing and can be lost.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from opslib import files
from opslib.archive.index import PER_PAGE, older_pages
from opslib.archive.log import INDEXED, Log

KEPT = 2 * PER_PAGE
"""So many newest runs are known by name: those of the first page, and of the older page that it overlaps."""
LONGEST = 200_000
MOST = 2_000
"""With more entries than these, listing the folders is the shorter way."""


@dataclass(frozen=True)
class Known:
    """How many runs there are after entry ``seq`` (whose SHA-256 is ``sum``), and the newest of them, oldest first."""

    seq: int
    sum: str
    count: int
    newest: tuple[str, ...]

    def more(self, seq: int, total: str, runs: Sequence[str]) -> Known | None:
        """Return what is known with further runs; None where an older page has other runs than before by them."""
        newest = sorted({*self.newest, *runs})
        count = self.count + len(newest) - len(self.newest)
        older = older_pages(count)
        # What has its place behind the older pages moves nothing in them.
        moved = any(count - len(newest) + newest.index(run) < older * PER_PAGE for run in {*runs} - {*self.newest})
        if moved or older != older_pages(self.count):
            return None
        return Known(seq, total, count, tuple(newest[-KEPT:]))


def known(log: Log, changed: str | None) -> Known | None:
    """Return what is known up to the log's newest entry; None where all folders must be listed.

    That is so where nothing is known or of another log, where runs were removed, where older pages become others, and
    where ``changed`` is not among the newest. The caller holds the lock on ``.index``.
    """
    last, newest = _read(log.archive), log.newest()
    if last is None or not last.seq <= newest <= last.seq + MOST or last.sum != log.sha256(last.seq):
        return None
    entries = [log.read(seq) for seq in range(last.seq + 1, newest + 1)]
    if any(entry is None or entry.event == "redact" for entry in entries):
        return None
    said = last.more(newest, log.sha256(newest), [entry.run for entry in entries if entry and entry.event == "open"])
    return said if said and changed in said.newest else None


def listed(log: Log, seq: int, ids: Sequence[str]) -> Known:
    """Return what is known once all ids were listed (oldest first), after the log's entry ``seq`` was there."""
    return Known(seq, log.sha256(seq), len(ids), tuple(ids[-KEPT:]))


def keep(archive: Path, said: Known) -> None:
    """Write down what is known, for the next run."""
    files.write_hint(archive / INDEXED, json.dumps(asdict(said)))


def _read(archive: Path) -> Known | None:
    with suppress(OSError, ValueError, TypeError):
        said = Known(**json.loads(files.read_plain(archive / INDEXED, LONGEST)))
        if isinstance(said.seq, int) and isinstance(said.count, int) and said.seq > 0:
            return Known(said.seq, said.sum, said.count, tuple(map(str, said.newest)))
    return None
