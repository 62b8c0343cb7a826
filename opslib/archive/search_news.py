"""What an archive's log has more than an index of it: the same for the index here and for the team's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from opslib import files
from opslib.archive.holds import removes
from opslib.archive.log import LARGEST, Entry, Log, name_of, parse


@dataclass(frozen=True)
class News:
    """The entries behind the last one that an index read, up to entry ``newest``.

    ``anew``: what the index holds of this archive goes first, for it was made of another log, or something in it was
    redacted. ``behind``: the log ends before what the index read. A run that retention removed is found no more: what
    stood in it is no longer kept here.
    """

    entries: tuple[Entry, ...]
    newest: int
    anew: bool
    behind: bool

    @property
    def gone(self) -> frozenset[str]:
        """The runs that retention removed."""
        return frozenset(entry.run for entry in self.entries if removes(entry))

    @property
    def ended(self) -> dict[str, Entry]:
        """The runs that ended and are still there, in the order of the log, each with the entry that says so first."""
        found: dict[str, Entry] = {}
        gone = self.gone
        for entry in self.entries:
            if (entry.event == "close" or entry.state) and entry.run not in gone:
                found.setdefault(entry.run, entry)
        return found


def news(archive: Path, seq: int, known: str) -> News:
    """Return what the log has more than an index that read it up to entry ``seq``, whose SHA-256 was ``known``."""
    log = Log(archive)
    newest = log.newest()
    later = tuple(_entries(archive, seq, newest))
    redacted = seq > 0 and any(entry.event == "redact" and not removes(entry) for entry in later)
    anew = redacted or log.sha256(seq) != known
    return News(tuple(_entries(archive, 0, newest)) if anew else later, newest, anew, newest < seq)


def _entries(archive: Path, after: int, last: int) -> Iterator[Entry]:
    """Yield the entries behind number ``after`` up to ``last``, as far as they can be read."""
    for seq in range(after + 1, last + 1):
        with suppress(OSError, ValueError):
            yield parse(files.read_plain(archive / name_of(seq), LARGEST))
