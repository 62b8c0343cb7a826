import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from opslib.errors import ArchiveError
from opslib.redaction import MARK, Redactor, Secret
from opslib.runs import journal
from opslib.runs.journal import FIRST, Journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def lines(path):
    return path.read_bytes().split(b"\n")[:-1]


def test_each_line_names_the_digest_of_the_one_before_it(path):
    record = Journal(path, Redactor())
    assert [record.append("note", text=text) for text in "abc"] == [1, 2, 3]
    raw = lines(path)
    assert [json.loads(line)["prev"] for line in raw] == [FIRST, *(hashlib.sha256(x).hexdigest() for x in raw[:2])]
    assert record.head == hashlib.sha256(raw[-1]).hexdigest()


def test_a_line_is_in_the_file_before_append_returns(path):
    record = Journal(path, Redactor())
    for count in range(1, 6):
        record.append("note", text="x")
        assert len(lines(path)) == count


def test_each_line_is_flushed_to_the_disk_after_it_was_written_and_before_append_returns(path):
    record, calls = Journal(path, Redactor()), []

    def hear(frame, event, arg):
        if event == "c_call" and arg in (os.write, os.fsync):
            calls.append(arg.__name__)

    sys.setprofile(hear)
    try:
        record.append("note", text="x")
    finally:
        sys.setprofile(None)
    assert calls == ["write", "fsync"]


def test_a_late_line_is_in_the_file_at_once_and_on_the_disk_with_the_next_that_is_not(path):
    record, calls = Journal(path, Redactor()), []

    def hear(frame, event, arg):
        if event == "c_call" and arg in (os.write, os.fsync):
            calls.append(arg.__name__)

    sys.setprofile(hear)
    try:
        record.append("cell-started", late=True)
        here = len(lines(path))
        record.append("intent")
    finally:
        sys.setprofile(None)
    assert here == 1
    assert calls == ["write", "write", "fsync"]
    assert "late" not in json.loads(lines(path)[0])


def test_the_first_line_names_none_and_no_cell_unless_one_was_running(path):
    record = Journal(path, Redactor())
    record.append("note", text="x")
    (line,) = journal.read(path)
    assert (line.said["prev"], line.cell) == ("0" * 64, None)


def test_closing_lets_the_file_go_and_says_why_nothing_more_is_taken(path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    record = Journal(path, Redactor())
    record.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(ArchiveError, match="is closed"):
        record.append("note", text="x")
    record.close()
    assert lines(path) == []


def test_a_reopened_journal_goes_on_where_it_ended(path):
    first = Journal(path, Redactor())
    first.append("note", text="one")
    first.close()
    second = Journal(path, Redactor())
    assert second.append("note", text="two") == 2
    assert [line.said["prev"] for line in journal.read(path)][1] == first.head


def test_lines_carry_the_cell_that_was_running(path):
    cells = iter(["look", "act"])
    record = Journal(path, Redactor(), cell=lambda: next(cells))
    record.append("note", text="a")
    record.append("note", text="b")
    record.append("note", text="c", cell="given")
    assert [line.cell for line in journal.read(path)] == ["look", "act", "given"]


def test_known_secrets_never_reach_the_file(path):
    record = Journal(path, Redactor([Secret("hunter2-hunter2")]))
    record.append("note", text="the password is hunter2-hunter2", more={"hunter2-hunter2": ["hunter2-hunter2"]})
    assert b"hunter2" not in path.read_bytes()
    assert MARK in path.read_text()


def test_a_torn_last_line_is_left_out_by_readers_and_refused_by_writers(path):
    record = Journal(path, Redactor())
    record.append("intent", step="drop")
    record.close()
    with path.open("ab") as file:
        file.write(b'{"seq": 2, "ev')
    assert [line.event for line in journal.read(path)] == ["intent"]
    with pytest.raises(ArchiveError, match="torn line"):
        Journal(path, Redactor())


def test_a_closed_journal_takes_nothing_more(path):
    record = Journal(path, Redactor())
    record.close()
    with pytest.raises(ArchiveError, match="is closed"):
        record.append("note", text="late")


def test_many_threads_make_one_unbroken_chain(path):
    record = Journal(path, Redactor())
    threads = [threading.Thread(target=lambda: [record.append("note", text="x") for _ in range(25)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    raw = lines(path)
    assert [json.loads(line)["seq"] for line in raw] == list(range(1, 201))
    assert [json.loads(x)["prev"] for x in raw[1:]] == [hashlib.sha256(x).hexdigest() for x in raw[:-1]]


def test_only_the_owner_may_read_the_file(path):
    Journal(path, Redactor()).append("note", text="x")
    assert path.stat().st_mode & 0o077 == 0


def test_a_full_disk_is_an_error_that_says_so_and_ends_the_journal(path):
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from opslib.runs.journal import Journal; from opslib.redaction import Redactor\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "record = Journal(Path(sys.argv[1]), Redactor()); record.append('note', text='before')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))\n"
        "for attempt in ('x' * 1000, 'short'):\n"
        "    try: record.append('intent', step=attempt)\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=30)
    assert said.stdout.count("ArchiveError") == 2, said.stderr
    assert "could not be written" in said.stdout.splitlines()[0]
    assert [line.event for line in journal.read(path)] == ["note"]


def test_nothing_is_announced_that_is_not_on_the_disk(path):
    # A killed writer leaves whole lines only, but for the last one at most.
    code = (
        "import os, sys; from pathlib import Path\n"
        "from opslib.runs.journal import Journal; from opslib.redaction import Redactor\n"
        "record = Journal(Path(sys.argv[1]), Redactor())\n"
        "while True: print(record.append('note', text='x' * 50), flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    for _ in range(30):
        announced = int(process.stdout.readline())
    process.kill()
    process.wait()
    assert [line.seq for line in journal.read(path)][announced - 1] == announced


def test_a_line_that_does_not_fit_on_the_disk_is_an_error_and_the_journal_takes_nothing_more(path):
    record = Journal(path, Redactor())
    record.append("opened", run="r")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))
    try:
        with pytest.raises(ArchiveError, match="could not be written"):
            record.append("intent", step="s")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with pytest.raises(ArchiveError):
        record.append("applied", step="s")
    assert [line.event for line in journal.read(path)] == ["opened"]


def test_an_empty_file_is_a_journal_that_begins(path):
    path.touch()
    Journal(path, Redactor()).append("opened", run="r")
    assert [line.seq for line in journal.read(path)] == [1]


def interrupted(work, at):
    """Do ``work`` with a signal's exception after the ``at``-th call in the journal's module; False when it has fewer.

    After calls is where Python looks for signals. One that has just given the lock back is nothing to break off.
    """
    seen = 0

    def profile(frame, event, called):
        nonlocal seen
        if event == "c_return" and frame.f_code.co_filename == journal.__file__ and called.__name__ != "__exit__":
            seen += 1
            if seen == at:
                raise KeyboardInterrupt

    sys.setprofile(profile)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


def test_a_signal_anywhere_in_an_append_leaves_a_chain_that_goes_on_unbroken(path):
    one = Journal(path, Redactor([]))
    one.append("first")
    at = 1
    while interrupted(lambda: one.append("interrupted"), at):
        one.append("next", at=at)
        at += 1
    head, numbers = FIRST, []
    for raw in path.read_bytes().splitlines():
        line = json.loads(raw)
        assert line["prev"] == head
        head = hashlib.sha256(raw).hexdigest()
        numbers.append(line["seq"])
    assert numbers == list(range(1, len(numbers) + 1))
    # Some were on the disk when the exception came, some were not.
    whole = 1 + (at - 1) + 1
    assert 0 < len(numbers) - whole < at - 1
