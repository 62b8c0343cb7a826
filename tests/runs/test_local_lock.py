"""One machine's locks, file by file; what several runs make of them is in test_locks."""

import os
import stat
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from opslib.errors import Refused
from opslib.runs.local_lock import LocalLock, prepare, shared_folder, take
from opslib.systems.lease_store import boot

LARGEST = 4096


class Racer:
    """Somebody who acts at the worst moment: right before this process's next call that the system reports."""

    def __init__(self):
        self.plans = {}
        sys.addaudithook(self.hear)

    def hear(self, event, args):
        # A hook stays for good; without a plan it does nothing.
        if event in self.plans and (act := self.plans.pop(event)(args)):
            self.plans[event] = act


RACER = Racer()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lab.database.lock"


def opened(said):
    """Return how often this process has the file open that ``said`` is the status of."""
    found = 0
    for handle in range(512):
        with suppress(OSError):
            found += os.path.samestat(os.fstat(handle), said)
    return found


@contextmanager
def as_nobody():
    """Act as a user who may not do everything, where this is root."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_lock_is_held_by_one_until_it_is_let_go_and_tells_the_next_who_had_it(path):
    lock = take(path)
    assert isinstance(lock, LocalLock)
    assert lock.text() == {}
    lock.write({"run": "run-a"})
    assert lock.held
    assert take(path) == {"run": "run-a"}
    lock.close()
    assert lock.held is False
    again = take(path)
    assert again.text() == {"run": "run-a"}
    again.write({"run": "b"})
    assert again.text() == {"run": "b"}
    again.close()


def test_a_lock_that_was_let_go_says_nothing_more_and_can_be_let_go_again(path):
    lock = take(path)
    lock.close()
    lock.close()
    lock.write({"run": "run-a"})
    assert lock.text() == {}
    assert path.read_bytes() == b""


def test_asking_for_a_lock_leaves_nothing_open(path):
    lock = take(path)
    there = path.stat()
    assert opened(there) == 1
    assert take(path) == {}
    assert opened(there) == 1
    lock.close()
    assert opened(there) == 0


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.with_name("other").hardlink_to(path)])
def test_what_is_no_plain_file_with_one_name_is_refused_and_not_left_open(path, make):
    if make not in (Path.mkdir, os.mkfifo):
        path.write_text("")
    make(path)
    with pytest.raises(Refused, match=r"cannot be used: (it is no plain file with one name|Is a directory)"):
        take(path)
    assert opened(path.stat()) == 0


def test_a_text_is_cut_to_what_is_read_of_it_and_one_that_is_too_long_says_nothing(path):
    lock = take(path)
    lock.write({"run": "x" * LARGEST})
    assert path.stat().st_size == LARGEST
    assert lock.text() == {}
    whole = {"run": "x" * (LARGEST - len('{"run": ""}'))}
    lock.write(whole)
    assert lock.text() == whole
    lock.close()


def test_the_proof_names_this_start_of_the_machine_and_the_file(path):
    lock = take(path)
    said = path.stat()
    assert lock.proof == (f"{boot()}:{said.st_dev}:{said.st_ino}" if boot() else "")
    lock.close()


def test_a_file_that_is_removed_between_opening_and_locking_is_locked_by_its_new_name(path):
    path.write_text("old")
    old = path.stat()
    # The name stays, so that the number of the file is not given to the next one.
    RACER.plans["fcntl.flock"] = lambda args: path.rename(path.with_name("gone")) and None
    lock = take(path)
    assert lock.held
    assert path.read_text() == ""
    assert opened(old) == 0
    lock.close()


def test_a_file_that_another_makes_at_the_same_moment_is_taken_as_it_is(path):
    RACER.plans["open"] = lambda first: lambda second: path.write_text('{"run": "run-a"}') and None
    lock = take(path)
    assert isinstance(lock, LocalLock)
    assert lock.text() == {"run": "run-a"}
    lock.close()


@pytest.mark.parametrize("mode", [0o444, 0o000])
def test_to_lock_a_file_reading_it_is_enough_and_less_is_not(mode):
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        path = Path(place, "lock")
        path.write_text('{"run": "run-a"}')
        path.chmod(mode)
        with as_nobody():
            if not mode:
                with pytest.raises(Refused, match="Permission denied"):
                    take(path)
                return
            lock = take(path)
            assert lock.held
            lock.write({"run": "mine"})
            assert lock.text() == {"run": "run-a"}
            lock.close()


def test_a_new_lock_can_be_written_by_all_whatever_the_umask(path):
    before = os.umask(0o077)
    try:
        take(path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_a_lock_is_not_inherited_by_what_is_started_meanwhile(path):
    lock = take(path)
    assert not any(os.get_inheritable(handle) for handle in range(3, 512) if _is(handle, path))
    lock.close()


def _is(handle, path):
    with suppress(OSError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False


@pytest.mark.parametrize(("mode", "open_to_all"), [(0o1777, True), (0o777, False), (0o1775, False), (0o755, False)])
def test_the_machines_folder_is_used_where_all_write_and_nobody_removes(tmp_path, monkeypatch, mode, open_to_all):
    monkeypatch.delenv("OPS_LOCKS", raising=False)
    shared = tmp_path / "run-lock"
    assert shared_folder(shared) == Path("/tmp/opslib-locks")
    shared.write_text("")
    shared.chmod(0o1777)
    assert shared_folder(shared) == Path("/tmp/opslib-locks")
    shared.unlink()
    shared.mkdir()
    shared.chmod(mode)
    assert shared_folder(shared) == (shared / "opslib" if open_to_all else Path("/tmp/opslib-locks"))
    monkeypatch.setenv("OPS_LOCKS", "/srv/locks")
    assert shared_folder(shared) == Path("/srv/locks")


def test_a_folder_is_made_for_all_and_one_that_is_there_stays_as_it_is(tmp_path):
    made = tmp_path / "a" / "locks"
    prepare(made)
    assert stat.S_IMODE(made.stat().st_mode) == 0o1777
    made.chmod(0o700)
    prepare(made)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_folder_where_anybody_may_remove_another_ones_lock_is_not_used(tmp_path, mode):
    tmp_path.chmod(mode)
    if mode == 0o1777:
        prepare(tmp_path)
        return
    with pytest.raises(Refused, match="anybody may remove") as refused:
        prepare(tmp_path)
    assert "OPS_LOCKS" in refused.value.next_step


@pytest.mark.parametrize("where", ["file", "file/locks", "link"])
def test_what_is_no_folder_is_not_used(tmp_path, where):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(Refused, match=r"it is no folder|Not a directory"):
        prepare(tmp_path / where)


@pytest.mark.parametrize("data", [b"\xff", b"[1]", b'"run"', b"[" * LARGEST, b'{"run": 7, "user": "ann"}'])
def test_of_what_a_stranger_wrote_only_words_are_heard(path, data):
    path.write_bytes(data)
    lock = take(path)
    assert lock.text() == take(path) == ({"user": "ann"} if b"ann" in data else {})
    lock.close()
