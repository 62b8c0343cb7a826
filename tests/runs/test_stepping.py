"""What becomes of a step that breaks off: settled by a look, kept, done again, or left to a person."""

from datetime import timedelta

import pytest

from opslib.errors import Refused, StepFailed
from opslib.model import now
from opslib.runs import journal
from opslib.runs.steps import State, fold
from tests.runs import fakes
from tests.runs.test_executor import done, events, step

WORK = "20261123T130614Z-runbooks-paint-a1b2c3"


@pytest.fixture
def resumed(executor, tmp_path):
    """Return a function that makes the executor of a run which goes on where ``first`` was broken off."""

    def resumed(first, until=None):
        lines = [line.said for line in journal.read(first.work.folder / "journal.jsonl")]
        history = fold([(WORK, lines if until is None else lines[:until])])
        first.journal.close()
        first.locks.close()
        (tmp_path / "journal.jsonl").rename(tmp_path / f"journal-{len(list(tmp_path.iterdir()))}.jsonl")
        return executor(work={"history": history, "run": f"{WORK}-resume-1"})

    return resumed


def test_a_reply_that_was_lost_after_the_effect_is_found_to_be_done_and_verified(executor):
    run = executor()
    evidence = step(run, "torn")
    assert fakes.DONE == ["torn"]
    assert events(run) == ["opened", "planned", "intent", "settled", "applied", "verified"]
    assert evidence["values"] == {"word": "torn"}


def test_what_broke_off_before_the_effect_is_not_done_and_may_be_tried_again_in_the_same_run(executor):
    run = executor()
    with pytest.raises(StepFailed, match="not there"):
        step(run, "broken")
    assert done(run)["paint-it"].state is State.NOT_DONE
    assert step(run, "red")["status"] == "applied"
    assert fakes.DONE == ["red"]
    assert run.trouble is None
    assert list(done(run)) == ["paint-it"]


def test_what_nobody_can_tell_stays_in_doubt_and_is_not_done_again(executor):
    run = executor()
    for _ in range(2):
        with pytest.raises(StepFailed, match="too dark"):
            step(run, "doubtful")
    assert fakes.DONE == ["doubtful"]
    assert done(run)["paint-it"].state is State.IN_DOUBT


def test_a_step_in_doubt_is_not_replaced_by_one_with_other_parameters(executor):
    run = executor()
    with pytest.raises(StepFailed):
        step(run, "doubtful")
    with pytest.raises(Refused, match="other parameters"):
        step(run, "blue")
    assert fakes.DONE == ["doubtful"]


@pytest.mark.parametrize("lines", range(1, 6))
def test_wherever_a_run_was_cut_off_going_on_has_the_effect_once(executor, resumed, lines):
    # opened, planned, intent, applied, verified: the effect lies between the third and the fourth.
    first = executor()
    step(first)
    if lines < 3:
        fakes.DONE.clear()
    second = resumed(first, lines)
    evidence = step(second)
    assert fakes.DONE == ["red"]
    assert evidence["verification"]["verdict"] == "OK"
    assert ("kept" in events(second)) == (lines == 5)


def test_an_intent_without_an_effect_is_seen_and_the_step_done(executor, resumed):
    first = executor()
    step(first)
    fakes.DONE.clear()
    second = resumed(first, 3)
    step(second)
    assert fakes.DONE == ["red"]
    assert events(second)[:4] == ["opened", "planned", "settled", "planned"]


def test_what_moved_since_a_step_was_planned_is_not_done_by_the_run_that_goes_on(executor, resumed):
    first = executor()
    step(first)
    fakes.DONE[:] = ["somebody else's"]
    second = resumed(first, 2)
    with pytest.raises(Refused, match=r"before\.words was 0 and is 1"):
        step(second)
    assert fakes.DONE == ["somebody else's"]


def test_a_person_s_word_settles_what_is_in_doubt(executor, resumed, tmp_path):
    first = executor()
    with pytest.raises(StepFailed):
        step(first, "doubtful")
    first.journal.append("resolved", step="paint-it", outcome="done", by="ann@host", evidence="seen.txt")
    second = resumed(first)
    assert step(second, "doubtful")["verification"]["verdict"] == "OK"
    assert fakes.DONE == ["doubtful"]


def test_a_run_that_was_asked_to_stop_begins_nothing_more(executor):
    run = executor()
    run.stop("stopped by ann")
    with pytest.raises(Refused, match="stopped by ann"):
        step(run)
    assert fakes.DONE == []
    assert "intent" not in events(run)


def test_a_step_under_way_is_broken_off_where_it_tells_its_progress(executor):
    run = executor()
    with pytest.raises(StepFailed, match="stopped by ann"):
        step(run, progress=lambda said: run.stop("stopped by ann"))
    assert fakes.DONE == []
    assert done(run)["paint-it"].state is State.NOT_DONE


def test_a_refusal_leaves_what_is_in_doubt_in_doubt(executor, tmp_path):
    run = executor()
    with pytest.raises(StepFailed, match="too dark"):
        step(run, "doubtful")
    for path in (tmp_path / "locks").iterdir():
        path.unlink()
    run.stop("stopped by ann")
    with pytest.raises((Refused, StepFailed)):
        step(run, "doubtful")
    run.journal.append("refused", step="paint-it", action="paint", message="The lock is another's.", next_step="")
    assert done(run)["paint-it"].state is State.IN_DOUBT
    assert fakes.DONE == ["doubtful"]


def test_an_action_that_refuses_after_its_intent_was_announced_has_done_nothing(executor):
    run = executor()
    with pytest.raises(Refused, match="is gone"):
        step(run, "refused")
    assert events(run)[-3:] == ["intent", "settled", "refused"]
    assert done(run)["paint-it"].state is State.NOT_DONE


def test_a_step_that_takes_longer_than_it_may_is_broken_off_where_it_tells_its_progress(executor):
    run = executor()
    with pytest.raises(StepFailed, match="took longer than 0 s"):
        run.answer({"verb": "step", "action": "dawdle", "parameters": {"word": "red"}}, lambda said: None)
    assert fakes.DONE == []
    assert done(run)["paint-it"].state is State.NOT_DONE


def test_a_refusal_to_complete_what_is_half_done_does_not_make_it_undone(executor):
    run = executor()
    with pytest.raises(StepFailed, match="Half of the word"):
        step(run, "half")
    with pytest.raises(Refused, match="ladder"):
        step(run, "half")
    assert done(run)["paint-it"].state is State.IN_DOUBT
    assert fakes.DONE == ["half"]


def test_a_step_is_not_begun_once_what_it_was_approved_under_has_expired(executor):
    run = executor(work={"until": now() + timedelta(hours=1)})
    assert step(run)["status"] == "applied"
    run.locks.close()
    late = executor(work={"until": now()})
    with pytest.raises(Refused, match=f"What {WORK} was approved under expired at"):
        step(late, "blue")
    assert fakes.DONE == ["red"]
    assert events(late)[-2:] == ["planned", "refused"]
