"""Verifying the signatures of an archive's entries, and which keys the log lets sign them.

Entries before the first ``key`` entry may be unsigned: an archive may be older than its signatures. That
entry signs itself and, by the chain, what came before it. From then on every entry is signed by a key that
an earlier entry added and none revoked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from opslib import files, sshsig
from opslib.archive import keys, log
from opslib.archive.keys import Change
from opslib.archive.log import Entry
from opslib.archive.verify_run import Finding

NAME = re.compile(r"([0-9]{6})\.entry\.sig", re.ASCII)


@dataclass
class Keyring:
    """What the entries read so far say of keys.

    ``trusted`` are the fingerprints that a signers file from elsewhere names, or None when none was given.
    ``used`` are the keys that signed, in the order of their first entry; ``unsigned`` counts the entries
    before the first ``key`` entry.
    """

    trusted: frozenset[str] | None = None
    changes: list[Change] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)
    unsigned: int = 0
    _added: set[str] = field(default_factory=set)
    _revoked: set[str] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)
    _newest: int = 0

    def entry(self, folder: Path, seq: int, data: bytes, entry: Entry | None) -> Iterator[Finding]:
        """Check the signature of one entry, given in order; ``entry`` is None when ``data`` is damaged."""
        where = log.signature_of(seq)
        change: Change | None = None
        if entry is not None and entry.event == "key":
            try:
                change = keys.parse(entry.text)
            except ValueError as error:
                yield Finding("error", log.name_of(seq), str(error))
        try:
            by = _signed(f"{folder}/{where}", data)
        except ValueError as error:
            yield Finding("error", where, str(error))
            by = ""
        if by is None:
            if self.changes or change:
                yield Finding("error", where, "is missing, and the entries before it are signed")
            else:
                self.unsigned = seq
                return
        elif by:
            yield from (Finding("error", where, fault) for fault in self._by(by, change))
        if change:
            self._newest = seq
            yield from (Finding("error", log.name_of(seq), fault) for fault in self._apply(change))

    def _by(self, by: str, change: Change | None) -> Iterator[str]:
        """Check that the key ``by`` may sign; each key that may not is told once."""
        self.used.setdefault(by)
        first = not self.changes and change is not None and change.adds and change.fingerprint == by
        if by in self._revoked:
            yield f"is by {by}, which an earlier entry revokes"
        elif by in self._told:
            return
        elif self.trusted is not None:
            if by not in self.trusted:
                self._told.add(by)
                yield f"is by {by}, which the signers file does not name"
        elif by not in self._added and not first:
            self._told.add(by)
            yield f"is by {by}, which no earlier entry adds: another host's key, or somebody else's"

    def _apply(self, change: Change) -> Iterator[str]:
        if change.adds:
            if change.fingerprint in self._added | self._revoked:
                yield "adds a key that an earlier entry adds or revokes"
            self._added.add(change.fingerprint)
        else:
            if change.fingerprint not in self._added:
                yield "revokes a key that no earlier entry adds, or a second time"
            self._added.discard(change.fingerprint)
            self._revoked.add(change.fingerprint)
        self.changes.append(change)

    def end(self, numbers: Collection[int], signatures: Collection[int], listed: bytes | None) -> Iterator[Finding]:
        """Check, after the last entry, signatures without entry and the archive's own list of keys.

        ``listed`` is the list's content as it was when the log's names were read, None when it cannot be read.
        """
        last = max(numbers, default=0)
        for seq in sorted(set(signatures) - set(numbers)):
            if last and seq == last + 1:
                said = "has no entry: cut off before it was written, or the newest entry was removed"
                yield Finding("warning", log.signature_of(seq), said)
            else:
                yield Finding("error", log.signature_of(seq), "has no entry")
        if self.trusted is not None and not self.used:
            yield Finding("error", "log", "is not signed, and a signers file was given")
        if listed is None:
            yield Finding("error", keys.SIGNERS, "is no plain, readable file")
        elif listed == keys.listed(self.changes):
            return
        elif self._newest == last and listed == keys.listed(self.changes[:-1]):
            yield Finding("warning", keys.SIGNERS, "lacks the newest entry's key; the next entry brings it")
        else:
            yield Finding("error", keys.SIGNERS, "is not the list of keys that the log gives")

    @property
    def statement(self) -> str:
        """What the signatures show, in words."""
        if not self.used:
            return "NOT SIGNED: whoever can write to this folder can rewrite all of it."
        word = "key" if len(self.used) == 1 else "keys"
        said = f"SIGNED by {word} {', '.join(self.used)}: "
        if self.trusted is None:
            said += "that it is the right key only a signers file from elsewhere can show."
        else:
            said += "named by the signers file given."
        if self.unsigned:
            said += (
                f" Entries 1 to {self.unsigned} are unsigned; entry {self.unsigned + 1} vouches for them as they are."
            )
        return said


def _signed(path: str, data: bytes) -> str | None:
    """Return the fingerprint of the key that signed, None when there is no signature; ValueError otherwise."""
    try:
        armour = files.read_plain(path, log.LARGEST)
    except FileNotFoundError:
        return None
    except OSError:
        raise ValueError("is no plain, readable file of a signature's size") from None
    return sshsig.fingerprint(sshsig.verify(data, armour, keys.NAMESPACE))
