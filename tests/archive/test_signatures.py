"""Which keys may sign which entries, and what is told of the others: the rule alone, on logs of a few entries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from opslib import sshsig
from opslib.archive import keys, log
from opslib.archive.keys import Change
from opslib.archive.signatures import Keyring

TIME = "2026-11-23T12:00:00.000001Z"
LATER = "which no earlier entry adds: another host's key, or somebody else's"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, sshsig.Signer]:
    folder = tmp_path_factory.mktemp("keys")
    for name in "abc":
        keys.create(folder / name)
    return {name: sshsig.Signer(folder / name) for name in "abc"}


class Book:
    """A log of which each entry is given as (who signed it, what it says): ``+a`` adds a key, ``-a`` revokes it."""

    def __init__(self, folder: Path, hosts: dict[str, sshsig.Signer], *entries: tuple[str, str]) -> None:
        (folder / "log").mkdir(exist_ok=True)
        self.folder, self.hosts = folder, hosts
        self.data: dict[int, bytes] = {}
        for seq, (by, said) in enumerate(entries, 1):
            text = self.change(said).text if said[:1] in ("+", "-") else said
            event = "key" if said else "note"
            sums = (("a" * 64, log.name_of(seq - 1)),) if seq > 1 else ()
            self.data[seq] = log.Entry(seq, event, "-", TIME, "", text, sums).encode()
            if by in hosts:
                self.signature(seq).write_bytes(hosts[by].sign(self.data[seq], keys.NAMESPACE))
            elif by:
                self.signature(seq).write_text(by)

    def signature(self, seq: int) -> Path:
        return self.folder / log.signature_of(seq)

    def print(self, name: str) -> str:
        return sshsig.fingerprint(self.hosts[name].public)

    def change(self, said: str) -> Change:
        name = said[1:]
        return (
            Change(self.print(name), f"host@{name}", self.hosts[name].public)
            if said[0] == "+"
            else Change(self.print(name))
        )

    def read(self, ring: Keyring, damaged: Sequence[int] = ()) -> list[str]:
        """Return what is found, with the keys' names for their fingerprints."""
        found = []
        for seq, data in self.data.items():
            entry = None if seq in damaged else log.parse(data)
            found += [str(one) for one in ring.entry(self.folder, seq, data, entry)]
        return [self.named(one) for one in found]

    def named(self, text: str) -> str:
        for name in self.hosts:
            text = text.replace(self.print(name), name)
        return text


def read(folder: Path, hosts: dict[str, sshsig.Signer], *entries: tuple[str, str]) -> list[str]:
    return Book(folder, hosts, *entries).read(Keyring())


def said(seq: int, what: str) -> str:
    return f"error: {log.signature_of(seq)}: {what}"


def told(seq: int, what: str) -> str:
    return f"error: {log.name_of(seq)}: {what}"


Hosts = dict[str, sshsig.Signer]


@pytest.mark.parametrize(
    "entries",
    [
        [("a", "+a"), ("a", ""), ("a", "")],
        [("a", "+a"), ("a", "+b"), ("b", ""), ("a", "")],
        [("a", "+a"), ("a", "+b"), ("b", "+c"), ("c", ""), ("c", "-a"), ("b", "")],
        [("", ""), ("", ""), ("a", "+a"), ("a", "")],
        [("a", "+a"), ("a", "+b"), ("b", "-a"), ("b", "")],
    ],
)
def test_entries_by_keys_that_were_added_by_then_are_fine(
    tmp_path: Path, hosts: Hosts, entries: list[tuple[str, str]]
) -> None:
    assert read(tmp_path, hosts, *entries) == []


def test_a_key_that_nobody_added_is_told_once_and_one_that_was_revoked_each_time(tmp_path: Path, hosts: Hosts) -> None:
    assert read(tmp_path, hosts, ("a", "+a"), ("b", ""), ("b", ""), ("c", "")) == [
        said(2, f"is by b, {LATER}"),
        said(4, f"is by c, {LATER}"),
    ]
    assert read(tmp_path, hosts, ("a", "+a"), ("a", "+b"), ("a", "-b"), ("b", ""), ("b", "")) == [
        said(4, "is by b, which an earlier entry revokes"),
        said(5, "is by b, which an earlier entry revokes"),
    ]


def test_only_the_first_key_may_sign_what_adds_it(tmp_path: Path, hosts: Hosts) -> None:
    assert read(tmp_path, hosts, ("a", "+a"), ("b", "+b"), ("b", "")) == [said(2, f"is by b, {LATER}")]
    assert read(tmp_path, hosts, ("b", "+a")) == [said(1, f"is by b, {LATER}")]
    assert read(tmp_path, hosts, ("a", "-a")) == [
        said(1, f"is by a, {LATER}"),
        told(1, "revokes a key that no earlier entry adds, or a second time"),
    ]
    assert read(tmp_path, hosts, ("a", ""), ("a", "+a")) == [said(1, f"is by a, {LATER}")]


def test_a_key_is_added_and_revoked_once(tmp_path: Path, hosts: Hosts) -> None:
    again, second = (
        "adds a key that an earlier entry adds or revokes",
        "revokes a key that no earlier entry adds, or a second time",
    )
    assert read(tmp_path, hosts, ("a", "+a"), ("a", "+a")) == [told(2, again)]
    assert read(tmp_path, hosts, ("a", "+a"), ("a", "+b"), ("a", "-b"), ("a", "+b")) == [told(4, again)]
    assert read(tmp_path, hosts, ("a", "+a"), ("a", "+b"), ("a", "-b"), ("a", "-b")) == [told(4, second)]


def test_signatures_may_lack_only_before_the_first_key(tmp_path: Path, hosts: Hosts) -> None:
    missing = "is missing, and the entries before it are signed"
    ring = Keyring()
    book = Book(tmp_path, hosts, ("", ""), ("", ""), ("a", "+a"), ("", ""), ("a", ""))
    assert book.read(ring) == [said(4, missing)]
    assert ring.unsigned == 2
    for path in (tmp_path / "log").iterdir():
        path.unlink()
    assert read(tmp_path, hosts, ("", "+a"), ("a", "")) == [said(1, missing)]


def test_a_signature_of_something_else_or_of_nothing_is_told_with_the_reason(tmp_path: Path, hosts: Hosts) -> None:
    book = Book(tmp_path, hosts, ("a", "+a"), ("rubbish", ""), ("a", ""), ("a", ""))
    book.signature(3).write_bytes(book.signature(1).read_bytes())
    book.signature(4).unlink()
    book.signature(4).mkdir()
    assert book.read(Keyring()) == [
        said(2, "is no signature in OpenSSH's format"),
        said(3, "is of other content"),
        said(4, "is no plain, readable file of a signature's size"),
    ]


def test_a_signature_of_the_greatest_size_is_read_and_a_larger_one_is_not(tmp_path: Path, hosts: Hosts) -> None:
    book = Book(tmp_path, hosts, ("x" * log.LARGEST, ""), ("x" * (log.LARGEST + 1), ""))
    assert book.read(Keyring()) == [
        said(1, "is no signature in OpenSSH's format"),
        said(2, "is no plain, readable file of a signature's size"),
    ]


def test_a_key_entry_that_names_no_key_or_is_damaged_changes_nothing(tmp_path: Path, hosts: Hosts) -> None:
    assert read(tmp_path, hosts, ("a", "+a"), ("a", "add nothing"), ("a", "")) == [
        told(2, "does not say which key it adds or revokes")
    ]
    ring = Keyring()
    book = Book(tmp_path, hosts, ("a", "+a"), ("a", "+b"), ("b", ""))
    assert book.read(ring, damaged=[2]) == [said(3, f"is by b, {LATER}")]
    assert ring.changes == [book.change("+a")]


def test_with_a_signers_file_the_keys_in_it_are_the_ones_that_count(tmp_path: Path, hosts: Hosts) -> None:
    book = Book(tmp_path, hosts, ("a", "+a"), ("b", ""), ("c", ""), ("c", ""))
    ring = Keyring(frozenset({book.print("a"), book.print("b")}))
    assert book.read(ring) == [said(3, "is by c, which the signers file does not name")]
    assert Keyring(frozenset()).trusted == frozenset()
    other = Book(tmp_path, hosts, ("a", "+a"), ("a", "+b"), ("a", "-b"), ("b", ""))
    assert other.read(Keyring(frozenset({book.print("a"), book.print("b")}))) == [
        said(4, "is by b, which an earlier entry revokes")
    ]


def ended(ring: Keyring, last: int, signatures: Sequence[int], listed: bytes | None) -> list[str]:
    return [str(one) for one in ring.end(range(1, last + 1), signatures, listed)]


def test_a_signature_without_entry_is_a_warning_only_right_after_the_last(tmp_path: Path, hosts: Hosts) -> None:
    cut = "has no entry: cut off before it was written, or the newest entry was removed"
    assert ended(Keyring(), 3, [1, 2, 3], b"") == []
    assert ended(Keyring(), 3, [4], b"") == [f"warning: {log.signature_of(4)}: {cut}"]
    assert ended(Keyring(), 3, [6, 5], b"") == [said(5, "has no entry"), said(6, "has no entry")]
    assert ended(Keyring(), 0, [1, 2], b"") == [said(1, "has no entry"), said(2, "has no entry")]


def test_the_list_of_keys_is_that_of_the_log_or_lacks_its_newest_entrys(tmp_path: Path, hosts: Hosts) -> None:
    ring = Keyring()
    book = Book(tmp_path, hosts, ("a", "+a"), ("a", "+b"))
    assert book.read(ring) == []
    first, second = (f"{book.change(one).line}\n".encode() for one in ("+a", "+b"))
    where, wrong = f"error: {keys.SIGNERS}: ", "is not the list of keys that the log gives"
    assert ended(ring, 2, [1, 2], first + second) == []
    lacks = "lacks the newest entry's key; the next entry brings it"
    assert ended(ring, 2, [1, 2], first) == [f"warning: {keys.SIGNERS}: {lacks}"]
    assert ended(ring, 3, [1, 2, 3], first) == [where + wrong]
    assert ended(ring, 2, [1, 2], second) == ended(ring, 2, [1, 2], b"") == [where + wrong]
    assert ended(ring, 2, [1, 2], None) == [f"{where}is no plain, readable file"]


def test_an_unsigned_log_is_an_error_where_a_signers_file_was_given(tmp_path: Path, hosts: Hosts) -> None:
    error = "error: log: is not signed, and a signers file was given"
    assert ended(Keyring(frozenset()), 0, [], b"") == [error]
    ring = Keyring(frozenset())
    Book(tmp_path, hosts, ("a", "+a")).read(ring)
    assert error not in ended(ring, 1, [1], b"")
    assert ended(Keyring(), 0, [], b"") == []


def test_what_the_signatures_show_is_said_in_words(tmp_path: Path, hosts: Hosts) -> None:
    only = "that it is the right key only a signers file from elsewhere can show."
    assert Keyring().statement == "NOT SIGNED: whoever can write to this folder can rewrite all of it."
    ring = Keyring()
    book = Book(tmp_path, hosts, ("", ""), ("a", "+a"))
    book.read(ring)
    assert book.named(ring.statement) == (
        f"SIGNED by key a: {only} Entries 1 to 1 are unsigned; entry 2 vouches for them as they are."
    )
    ring = Keyring(frozenset({book.print("a"), book.print("b")}))
    book = Book(tmp_path, hosts, ("a", "+a"), ("a", "+b"), ("b", ""), ("a", ""))
    book.read(ring)
    assert book.named(ring.statement) == "SIGNED by keys a, b: named by the signers file given."
