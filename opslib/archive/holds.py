"""What the log says of runs after they were sealed: legal holds, their release, and removals by retention.

Each is an entry of its own: a ``note`` of the run for a hold and its release, a ``redact`` for a removal. The entries
stay for ever, so that verification tells a removal by policy from a deletion by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from opslib.archive.log import Entry, Log, state_after
from opslib.errors import UsageError

if TYPE_CHECKING:
    from opslib.settings_archive import Kind

_BY = r"[!-9;-~]{1,100}"
_HOLD = re.compile(rf"legal hold by {_BY}: (?P<why>[ -~]+)", re.ASCII)
_RELEASE = re.compile(rf"legal hold released by {_BY}: [ -~]+", re.ASCII)
_REMOVED = re.compile(
    r"removed by retention of (?P<days>[1-9][0-9]{0,4}) days as (diagnostics|reviews|changing) by [!-~]{1,100}",
    re.ASCII,
)
LONGEST = 200
"""A reason has at most so many characters."""


def held(by: str, why: str) -> str:
    """Return the text of an entry that puts a run under legal hold."""
    return f"legal hold by {by}: {_plain(why)}"


def released(by: str, why: str) -> str:
    """Return the text of an entry that releases a run from it."""
    return f"legal hold released by {by}: {_plain(why)}"


def removed(days: int, kind: Kind, by: str) -> str:
    """Return the text of an entry that says that a run's folder goes, its retention being over."""
    return f"removed by retention of {days} days as {kind} by {by}"


def _plain(why: str) -> str:
    text = " ".join(why.split())
    if not text or len(text) > LONGEST or not text.isascii() or not text.isprintable():
        raise UsageError(
            "A hold, and its release, need a reason.", f"Say why in plain ASCII, at most {LONGEST} characters."
        )
    return text


@dataclass
class Fates:
    """What the entries read so far say: each closed run's close entry, why it is held, and the entry of its removal.

    ``marked`` are the runs that any of them held or released; ``last`` is the number of the newest.
    """

    closed: dict[str, Entry] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    removed: dict[str, Entry] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    last: int = 0

    def entry(self, entry: Entry) -> Iterator[str]:
        """Take the next entry, given in order; yields what is wrong with it."""
        self.last = entry.seq
        if state_after(entry) == "closed":
            self.closed.setdefault(entry.run, entry)
        elif entry.event == "note" and (hold := _HOLD.fullmatch(entry.text)):
            self.held[entry.run] = hold["why"]
            self.marked.add(entry.run)
        elif entry.event == "note" and _RELEASE.fullmatch(entry.text):
            self.held.pop(entry.run, None)
            self.marked.add(entry.run)
        elif entry.event == "redact" and (said := _REMOVED.fullmatch(entry.text)):
            yield from self._removed(entry, timedelta(days=int(said["days"])))

    def _removed(self, entry: Entry, kept: timedelta) -> Iterator[str]:
        closed = self.closed.get(entry.run)
        if closed is None:
            yield f"removes {entry.run}, which was not sealed"
        elif entry.run in self.removed:
            yield f"removes {entry.run} a second time"
        elif not _over(closed.time, entry.time, kept):
            yield f"removes {entry.run} before the retention that it names was over"
        if entry.run in self.held:
            yield f"removes {entry.run}, which is under legal hold"
        self.removed.setdefault(entry.run, entry)


def removes(entry: Entry) -> bool:
    """Return whether an entry says that a run's folder goes, its retention being over."""
    return entry.event == "redact" and _REMOVED.fullmatch(entry.text) is not None


def _over(sealed: str, removed: str, kept: timedelta) -> bool:
    try:
        return datetime.fromisoformat(removed) - datetime.fromisoformat(sealed) >= kept
    except ValueError:
        return False  # an entry's form lets in days that no month has


def fates(log: Log) -> Fates:
    """Return what the log in a folder says of its sealed runs; damage in it is for the verifier to tell."""
    found = Fates()
    for seq in sorted(log.numbers()):
        if entry := log.read(seq):
            list(found.entry(entry))
    return found
