"""Whose word a run's entries are: before anything is built on a record, a key that may sign must stand behind it.

Verification tells a stranger's key once and goes on; what is resumed, undone or applied must not rest on it.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from opslib import files, sshsig
from opslib.archive import keys
from opslib.archive.log import LARGEST, Entry, Log, name_of, parse, signature_of, state_after


def unvouched(log: Log, runs: Collection[str]) -> tuple[str, ...]:
    """Return those of ``runs`` of which an entry is not signed, or by a key that may not sign, in order.

    This host's own key may; so may the log's first key, and those that a key which may has added and none revoked.
    """
    known, first, faulty = {keys.own(log.signer).fingerprint}, True, set()
    for seq in sorted(log.numbers()):
        with suppress(OSError, ValueError):
            data = files.read_plain(log.archive / name_of(seq), LARGEST)
            entry = parse(data)
            if entry.event == "key":
                begins, first = first, False
                _change(entry, _signer(log, seq, data), known, first=begins)
            elif entry.run in runs and state_after(entry) and _signer(log, seq, data) not in known:
                faulty.add(entry.run)
    return tuple(sorted(faulty))


def _change(entry: Entry, by: str, known: set[str], *, first: bool) -> None:
    change = keys.parse(entry.text)
    if by not in known and not (first and change.adds and by == change.fingerprint):
        return
    (known.add if change.adds else known.discard)(change.fingerprint)


def _signer(log: Log, seq: int, data: bytes) -> str:
    """Return the fingerprint of the key that signed an entry; empty when none did."""
    try:
        armour = files.read_plain(log.archive / signature_of(seq), LARGEST)
        return sshsig.fingerprint(sshsig.verify(data, armour, keys.NAMESPACE))
    except (OSError, ValueError):
        return ""
