"""When an entry was written, whatever its own date says: not before, not after, and what contradicts that.

Not before: the entry, or one before it, names a time stamp, which was not known earlier. Not after: the
entry, or a later one, was stamped or published. Pure rules; the times of stamps and publications are facts
that others checked (:mod:`opslib.archive.timestamp`, :mod:`opslib.archive.anchor`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opslib.archive import log, timestamp
from opslib.archive.anchor import Head, few
from opslib.archive.timestamp import Stamp
from opslib.archive.verify_run import Finding

SKEW = timedelta(seconds=2)
"""Clocks may differ so much without a word."""

LATE = timedelta(hours=1)
"""Further outside its bracket than this, a date is no clock's small fault."""


@dataclass(frozen=True)
class Bracket:
    """What is proven of an entry's time; None where nothing is."""

    seq: int
    dated: datetime
    not_before: datetime | None
    not_after: datetime | None

    @property
    def width(self) -> timedelta | None:
        """How far apart the two are; None when one is missing."""
        return self.not_after - self.not_before if self.not_after and self.not_before else None


def brackets(entries: Sequence[log.Entry], stamps: Sequence[Stamp], heads: Sequence[Head] = ()) -> tuple[Bracket, ...]:
    """Return each entry's bracket, oldest first, from verified time stamps and trusted published heads."""
    ordered = sorted(entries, key=lambda entry: entry.seq)
    tokens = {(stamp.seq, stamp.sha256): stamp.time for stamp in stamps}
    before: list[datetime | None] = []
    known: datetime | None = None
    for entry in ordered:
        found = tokens.get(token) if (token := timestamp.named(entry)) else None
        known = max(filter(None, (known, found)), default=None)
        before.append(known)
    proofs = sorted([(one.seq, one.time) for one in stamps] + [(head.seq, head.at) for head in heads])
    after: list[datetime | None] = []
    known = None
    for entry in reversed(ordered):
        while proofs and proofs[-1][0] >= entry.seq:
            moment = proofs.pop()[1]
            known = moment if known is None else min(known, moment)
        after.append(known)
    return tuple(
        Bracket(entry.seq, datetime.fromisoformat(entry.time), first, last)
        for entry, first, last in zip(ordered, before, reversed(after), strict=True)
    )


def outside(found: Sequence[Bracket]) -> tuple[Finding, ...]:
    """Return a finding for each entry that is dated outside its bracket: an error when by more than an hour."""
    findings = []
    for one in found:
        early = one.not_before - one.dated if one.not_before else timedelta(0)
        late = one.dated - one.not_after if one.not_after else timedelta(0)
        if (off := max(early, late)) > SKEW:
            side = "before what it names existed" if early > late else "after it was stamped or published"
            said = f"is dated {off.total_seconds():.0f} s {side}: a wrong clock, or a date that was made up"
            findings.append(Finding("error" if off > LATE else "warning", log.name_of(one.seq), said))
    errors = [finding for finding in findings if finding.severity == "error"]
    return (*few(errors), *few([finding for finding in findings if finding.severity != "error"]))


def compare(entries: Sequence[log.Entry], heads: Sequence[Head]) -> tuple[Finding, ...]:
    """Return which entries were published long after their date, and how many newest ones were not published."""
    findings = [*late(entries, heads)]
    if behind := unpublished(entries, heads):
        said = f"is the first of {len(behind)} that are not published: they could be cut off unseen"
        findings.append(Finding("warning", log.name_of(max(head.seq for head in heads) + 1), said))
    return tuple(few(findings))


def late(entries: Sequence[log.Entry], heads: Sequence[Head]) -> Iterator[Finding]:
    """Yield which entries were published long after their date."""
    dated = {entry.seq: datetime.fromisoformat(entry.time) for entry in entries}
    for head in heads:
        if head.seq in dated and (after := head.at - dated[head.seq]) > LATE:
            hours = after / timedelta(hours=1)
            said = f"was published {hours:.1f} h after its own date: nothing vouches for that date"
            yield Finding("warning", log.name_of(head.seq), said)


def unpublished(entries: Sequence[log.Entry], heads: Sequence[Head]) -> list[log.Entry]:
    """Return the entries after the newest published one, oldest first; none where nothing was published."""
    newest = max((head.seq for head in heads), default=None)
    behind = () if newest is None else (entry for entry in entries if entry.seq > newest)
    return sorted(behind, key=lambda entry: entry.seq)
