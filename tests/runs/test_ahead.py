"""Readings that are begun before their cells: they overlap, and what is recorded is by the cells."""

import threading
from itertools import count

import pytest

from opslib.errors import Unreachable, UsageError
from opslib.model import Check, Judgement, Probe, Verdict
from opslib.runs import journal
from opslib.runs.ahead import AT_ONCE, Ahead
from opslib.runs.channel import Client, Server
from opslib.runs.run import Run
from opslib.systems.target import ReadTarget
from tests.descriptions import description


@pytest.fixture
def run(executor, tmp_path):
    server = Server(tmp_path / "line", executor())
    line = Client(str(tmp_path / "line"))
    yield Run(line, ReadTarget(description("lab").reading(), "r"), line.ask("hello"))
    line.close()
    server.close()


def check(name, read, **more):
    probe = Probe(name, name, read, **more)
    return Check(name, name, probe, lambda taken: Judgement(Verdict.OK, str(taken.row["number"])), "Look.")


def recorded(tmp_path):
    lines = [line for line in journal.read(tmp_path / "journal.jsonl") if line.event == "result"]
    return [line.said["result"]["check"] for line in lines]


def test_they_are_under_way_at_the_same_time_and_recorded_by_the_order_of_their_cells(run, tmp_path):
    met, last = threading.Barrier(2), threading.Event()

    def early(target):
        met.wait(timeout=20)
        assert last.wait(timeout=20)
        return [{"number": 1}]

    def late(target):
        met.wait(timeout=20)
        last.set()
        return [{"number": 2}]

    first, second = run.ahead(check("first", early), check("second", late))
    assert recorded(tmp_path) == []
    assert (run.check(first).summary, run.check(second).summary) == ("1", "2")
    assert recorded(tmp_path) == ["first", "second"]


def test_no_more_than_a_few_are_under_way_and_each_has_handles_of_its_own(run):
    there, most, lock, targets = set(), [0], threading.Lock(), set()
    go = threading.Semaphore(0)

    def read(target):
        with lock:
            targets.add(target)
            there.add(threading.get_ident())
            most[0] = max(most[0], len(there))
            full = len(there) == AT_ONCE
        if full:
            go.release(99)  # the last that may come
        assert go.acquire(timeout=20)
        with lock:
            there.discard(threading.get_ident())
        return [{"number": 1}]

    checks = run.ahead(*(check(f"number-{number}", read) for number in range(AT_ONCE + 3)))
    assert {run.check(one).verdict for one in checks} == {Verdict.OK}
    assert most == [AT_ONCE]
    assert len(targets) == len(checks)


def test_what_was_begun_serves_once_and_only_the_check_that_it_was_begun_for(run):
    looks = count(1)
    one = check("one", lambda target: [{"number": next(looks)}])
    other = check("one", lambda target: [{"number": "other"}])
    run.ahead(one)
    assert run.check(other).summary == "other"
    assert [run.check(one).summary for _ in range(2)] == ["1", "2"]


def test_one_that_was_begun_long_ago_is_taken_anew():
    looks = count(1)
    one = check("one", lambda target: [{"number": next(looks)}])
    stale = Ahead(description("lab").reading(), "r", fresh=-1)
    stale.begin([one])
    assert stale.taken(one) is None
    fresh = Ahead(description("lab").reading(), "r")
    fresh.begin([one])
    assert fresh.taken(one).row == {"number": 2}


def test_what_cannot_be_looked_at_is_unknown_and_a_defect_is_raised_by_its_cell(run, tmp_path):
    def away(target):
        raise Unreachable("It is away.", "Look.")

    def broken(target):
        raise KeyError("used")

    gone, defect, fine = run.ahead(
        check("gone", away), check("defect", broken), check("fine", lambda target: [{"number": 1}])
    )
    assert (run.check(gone).verdict, run.check(fine).verdict) == (Verdict.UNKNOWN, Verdict.OK)
    with pytest.raises(KeyError, match="used"):
        run.check(defect)
    assert recorded(tmp_path) == ["gone", "fine"]


def test_what_the_executor_takes_is_not_begun(run):
    with pytest.raises(UsageError, match="theirs can't be begun"):
        run.ahead(check("theirs", lambda target: [], by_executor=True))
