"""Which runs may be built on: those of which every entry is by a key that may sign."""

import pytest

from opslib import sshsig
from opslib.archive import keys, log
from opslib.archive.store import Archive
from opslib.archive.vouched import unvouched
from tests.archive import build


@pytest.fixture
def own(tmp_path):
    return made(tmp_path / "own")


@pytest.fixture
def archive(tmp_path, own):
    return Archive(tmp_path / "archive", own)


def made(path):
    keys.create(path)
    return path


def public(key):
    return sshsig.Signer(key).public


def by(archive, key):
    """The same archive for a host with another key that has read it: its own key is not asked."""
    return Archive(archive.folder, key)


def sign(archive, seq, key):
    data = (archive.folder / log.name_of(seq)).read_bytes()
    (archive.folder / log.signature_of(seq)).write_bytes(sshsig.sign(data, keys.NAMESPACE, key))


def test_what_this_hosts_key_signed_is_vouched_for(archive):
    runs = [build.sealed(archive, number) for number in (1, 2)]
    assert unvouched(archive.log, runs) == ()


def test_another_host_may_build_on_what_the_first_key_signed_and_what_that_added(archive, tmp_path):
    first = build.sealed(archive, 1)
    second, third = made(tmp_path / "second"), made(tmp_path / "third")
    keys.introduce(archive.log, public(second), "host@ops-2")
    other = build.sealed(by(archive, second), 2)
    keys.introduce(log.Log(archive.folder, second), public(third), "host@ops-3")
    last = build.sealed(by(archive, third), 3)
    for key in (second, third, made(tmp_path / "fresh")):
        assert unvouched(log.Log(archive.folder, key), [first, other, last]) == ()


@pytest.mark.parametrize("seq", [2, 3])
def test_one_entry_by_a_stranger_is_enough_and_only_its_run_is_named(archive, tmp_path, seq):
    first, second = build.sealed(archive, 1), build.sealed(archive, 2)
    sign(archive, seq, made(tmp_path / "stranger"))
    assert unvouched(archive.log, [second, first]) == (first,)
    assert unvouched(archive.log, [second]) == ()


@pytest.mark.parametrize("harm", ["none", "rubbish", "other"])
def test_an_entry_without_a_signature_of_it_is_nobodys(archive, harm):
    runs = [build.sealed(archive, number) for number in (2, 1)]
    for seq in (3, 5):
        signature = archive.folder / log.signature_of(seq)
        if harm == "none":
            signature.unlink()
        elif harm == "rubbish":
            signature.write_bytes(b"rubbish")
        else:
            signature.write_bytes((archive.folder / log.signature_of(2)).read_bytes())
    assert unvouched(archive.log, runs) == tuple(sorted(runs))


def test_a_key_that_only_a_stranger_added_vouches_for_nothing(archive, tmp_path):
    build.sealed(archive, 1)
    stranger, friend = made(tmp_path / "stranger"), made(tmp_path / "friend")
    # Whoever writes here can sign a key's entry with any key, also with the one that it adds.
    keys.introduce(archive.log, public(friend), "host@ops-2")
    sign(archive, 4, friend)
    run = build.sealed(by(archive, friend), 2)
    assert unvouched(archive.log, [run]) == (run,)
    sign(archive, 4, stranger)
    assert unvouched(archive.log, [run]) == (run,)
    sign(archive, 4, tmp_path / "own")
    assert unvouched(archive.log, [run]) == ()


def test_what_a_key_signed_before_it_was_revoked_stays_good_and_nothing_after(archive, tmp_path):
    second = made(tmp_path / "second")
    build.sealed(archive, 1)
    keys.introduce(archive.log, public(second), "host@ops-2")
    before = build.sealed(by(archive, second), 2)
    after = build.sealed(archive, 3)
    keys.revoke(archive.log, sshsig.fingerprint(public(second)))
    late = build.sealed(archive, 4)
    newest = archive.log.newest()
    sign(archive, newest, second)
    assert unvouched(archive.log, [before, after, late]) == (late,)


def test_the_first_key_vouches_only_by_its_own_signature(archive, tmp_path):
    fresh = log.Log(archive.folder, made(tmp_path / "fresh"))
    run = build.sealed(archive, 1)
    assert unvouched(fresh, [run]) == ()
    sign(archive, 1, made(tmp_path / "stranger"))
    assert unvouched(fresh, [run]) == (run,)


def test_a_first_entry_that_revokes_its_own_key_adds_none(archive, tmp_path):
    own = tmp_path / "own"
    fresh = log.Log(archive.folder, made(tmp_path / "fresh"))
    run = build.sealed(archive, 1)
    entry = log.Entry(1, "key", "-", "2026-11-01T00:00:00.000000Z", text=f"revoke {sshsig.fingerprint(public(own))}")
    (archive.folder / log.name_of(1)).write_bytes(entry.encode())
    sign(archive, 1, own)
    assert unvouched(fresh, [run]) == (run,)


def test_notes_on_a_run_are_nobodys_word_on_how_it_ended(archive, tmp_path):
    run = build.sealed(archive, 1)
    archive.log.append("note", run, text="looked at")
    sign(archive, archive.log.newest(), made(tmp_path / "stranger"))
    assert unvouched(archive.log, [run]) == ()


def test_damage_elsewhere_keeps_nothing_from_being_looked_at(archive, tmp_path):
    first, second = build.sealed(archive, 1), build.sealed(archive, 2)
    (archive.folder / log.name_of(2)).write_bytes(b"rubbish")
    (archive.folder / log.name_of(3)).unlink()
    (archive.folder / log.name_of(3)).mkdir()
    sign(archive, 5, made(tmp_path / "stranger"))
    assert unvouched(archive.log, [first, second]) == (second,)
