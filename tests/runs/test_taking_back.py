"""Undo of what is not simply there, and going on with what was half done."""

import pytest

from opslib.errors import Refused, StepFailed
from opslib.runs import journal
from opslib.runs.executor import Executor
from opslib.runs.locks import Locks
from opslib.runs.steps import State, fold
from opslib.runs.work import Work
from tests.descriptions import description
from tests.runs import world

WORK = "20261123T130614Z-runbooks-paint-a1b2c3"


@pytest.fixture
def begin(tmp_path):
    """Return a function that makes the executor of the work's next run, after all runs before it."""
    world.renew()
    runs = []

    def history():
        return fold((run.work.run, (line.said for line in journal.read(run.journal.path))) for run in runs)

    def make():
        known = history()
        for run in runs:
            run.locks.close()
        name = WORK if not runs else f"{WORK}-resume-{len(runs)}"
        (tmp_path / name / "evidence").mkdir(parents=True)
        work = Work(name, "runbooks/paint", description(), tmp_path / name, "run", history=known, actions=world.ACTIONS)
        runs.append(Executor(work, locks=Locks(work.settings, name, folder=tmp_path / "locks")))
        runs[-1].cell = "one"
        return runs[-1]

    make.history = history
    yield make
    for run in runs:
        run.journal.close()
        run.locks.close()


def paint(run, action="paint"):
    return run.answer({"verb": "step", "action": action, "parameters": {"word": "red"}}, lambda said: None)


def broken_off(begin, where, action="paint"):
    run = begin()
    world.WORLD.fault = ("kill", where)
    with pytest.raises(world.Killed):
        paint(run, action)


def test_what_was_announced_and_never_done_is_undone_by_a_look(begin):
    broken_off(begin, "before")
    begin().take_back(begin.history()["one"])
    assert begin.history()["one"].state is State.UNDONE


@pytest.mark.parametrize("where", ["half", "after"])
def test_what_was_done_in_part_or_without_a_record_is_taken_back(begin, where):
    broken_off(begin, where)
    begin().take_back(begin.history()["one"])
    assert world.WORLD.strokes == {"red": 0}
    assert begin.history()["one"].state is State.UNDONE


def test_what_nobody_can_tell_of_is_not_undone(begin):
    broken_off(begin, "after", "burn")
    with pytest.raises(StepFailed, match="Ashes look alike"):
        begin().take_back(begin.history()["one"])
    assert begin.history()["one"].state is State.IN_DOUBT


def test_what_is_half_done_is_completed_by_the_run_that_goes_on(begin):
    broken_off(begin, "half")
    assert paint(begin())["verification"]["verdict"] == "OK"
    assert world.WORLD.strokes == {"red": 2}


def test_a_step_that_breaks_off_half_done_says_how_to_go_on(begin):
    run = begin()
    world.WORLD.fault = ("broken", "half")
    with pytest.raises(StepFailed, match="One stroke is there") as raised:
        paint(run)
    assert "ops resume" in raised.value.next_step


def test_a_look_that_breaks_off_leaves_the_step_in_doubt(begin):
    broken_off(begin, "after")
    run = begin()
    world.WORLD.fault = ("broken", "settle")
    with pytest.raises(StepFailed, match="Nobody could look: RuntimeError"):
        paint(run)
    assert begin.history()["one"].state is State.IN_DOUBT


def test_a_half_done_step_that_may_not_be_gone_on_with_stays_in_doubt(begin):
    broken_off(begin, "half")
    run = begin()
    run.stop("stopped by ann")
    with pytest.raises(Refused, match="stopped by ann"):
        paint(run)
    assert begin.history()["one"].state is State.IN_DOUBT


def test_what_was_undone_is_not_done_again_by_the_same_work(begin):
    paint(begin())
    begin().take_back(begin.history()["one"])
    with pytest.raises(Refused, match="was undone"):
        paint(begin())
    assert world.WORLD.strokes == {"red": 0}


def test_an_undo_that_was_killed_is_done_to_its_end_by_the_next(begin):
    paint(begin())
    run = begin()
    world.WORLD.fault = ("kill", "undone")
    with pytest.raises(world.Killed):
        run.take_back(begin.history()["one"])
    assert begin.history()["one"].state is State.UNDO_IN_DOUBT
    begin().take_back(begin.history()["one"])
    assert begin.history()["one"].state is State.UNDONE
