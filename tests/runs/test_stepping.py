"""What becomes of a step that breaks off: settled by a look, kept, done again, or left to a person."""

from datetime import timedelta

import pytest

from opslib.errors import Refused, StepFailed
from opslib.model import Verdict, now
from opslib.runs import journal
from opslib.runs.asking import Asking
from opslib.runs.evidence import plan_of
from opslib.runs.locks import Locks
from opslib.runs.saved_plan import PlannedStep
from opslib.runs.steps import State, fold
from tests.runs import fakes
from tests.runs.test_executor import done, events, step
from tests.signing import plan
from tests.waiting import until

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


class Meanwhile(Locks):
    """Locks that do something at the moment in which the intent is written down: they are asked for its fences."""

    happens = staticmethod(lambda: None)

    @property
    def fences(self):
        self.happens()
        return super().fences


def test_a_stop_that_comes_while_the_intent_is_written_down_is_still_heard(executor):
    run = executor(locks=Meanwhile)
    run.locks.happens = lambda: run.stop("stopped by ann")
    with pytest.raises(Refused, match="stopped by ann"):
        step(run)
    assert fakes.DONE == []
    assert events(run)[-3:] == ["intent", "settled", "refused"]


def test_an_approval_that_ends_while_the_intent_is_written_down_has_ended(executor):
    end = now() + timedelta(seconds=3)
    run = executor(work={"until": end}, locks=Meanwhile)
    run.locks.happens = lambda: until(lambda: now() > end)
    with pytest.raises(Refused, match="approved under expired"):
        step(run)
    assert fakes.DONE == []
    assert events(run)[-3:] == ["intent", "settled", "refused"]


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


def resume(first, executor, lines=None, **more):
    """Make the executor of the run that goes on, after the first ``lines`` of the first one's journal."""
    history = fold([(WORK, [line.said for line in journal.read(first.work.folder / "journal.jsonl")][:lines])])
    first.locks.close()
    return executor(more.pop("environment", "lab"), work={"history": history, "run": f"{WORK}-resume-1", **more})


def approved(*steps):
    return plan(steps=tuple(PlannedStep(key, plan_of(known.plan)) for key, known in steps))


def test_what_breaks_off_is_told_with_what_was_seen_and_what_to_do(executor):
    def told(run, word):
        with pytest.raises(StepFailed) as failed:
            step(run, word)
        return failed.value.message, failed.value.next_step

    run = executor()
    broke = "paint broke off: RuntimeError: the brush broke; password «"
    message, next_step = told(run, "broken")
    assert message.startswith(broke)
    assert message.endswith(" The word is not there.")
    assert next_step == "Look at the message, then run again."
    assert told(run, "away") == ("The wall does not answer. The word is not there.", "Knock.")
    run.cell = "half"
    assert told(run, "half") == ("The reply was lost. Half of the word is there.", f"Go on with: ops resume {WORK}")
    run.cell = "doubtful"
    unknown = "Whether paint happened is not known."
    assert told(run, "doubtful") == (
        f"The reply was lost. {unknown} It is too dark to see.",
        f"Look at the target; then ops resume {WORK}, or ops resolve {WORK} doubtful",
    )
    resolve = f"Look at the target, then say what you saw: ops resolve {WORK} doubtful --done or --not-done"
    assert told(run, "doubtful") == (f"{unknown} It is too dark to see.", resolve)
    run.cell = "dark"
    assert told(run, "dark")[0] == f"The reply was lost. {unknown} Nobody could look: It is night."


def test_a_step_says_how_many_seconds_it_took(executor):
    run = executor()
    assert 0 <= step(run)["seconds"] < 60
    (applied,) = [line.said for line in journal.read(run.work.folder / "journal.jsonl") if line.event == "applied"]
    assert 0 <= applied["seconds"] < 60


def test_a_lock_that_was_removed_stops_what_was_announced(executor, tmp_path):
    run = executor()
    step(run)
    (lock,) = (tmp_path / "locks").iterdir()
    lock.unlink()
    with pytest.raises(Refused, match="was removed, so that it locks nobody out"):
        step(run, "blue")
    assert fakes.DONE == ["red"]


def test_what_another_run_has_locked_is_neither_done_nor_gone_on_with_nor_taken_back(executor, tmp_path):
    first = executor()
    step(first, "torn")
    known = done(first)["paint-it"]
    second = resume(first, executor, 3)
    with Locks(first.work.settings, "another", folder=tmp_path / "locks") as other:
        other.take("database")
        for act in (
            lambda: step(executor(), "blue"),
            lambda: step(second, "torn"),
            lambda: second.take_back(known),
        ):
            with pytest.raises(Refused, match="is being changed by another"):
                act()
        assert fakes.DONE == ["torn"]
        assert step(executor(mode="plan"))["status"] == "planned"
        assert step(executor(), action="sketch")["status"] == "applied"


def test_only_what_stays_on_this_machine_and_may_be_repeated_is_done_again(executor):
    for action, again in (("wash", False), ("etch", False), ("sketch", True)):
        fakes.DONE.clear()
        first = executor(work={"folder": folder_of(executor, action)})
        step(first, action=action)
        fakes.DONE.clear()
        second = resume(first, executor, folder=first.work.folder)
        step(second, action=action)
        assert (fakes.DONE == ["red"]) is again
        assert ("kept" in events(second)) is not again
        assert [one.step for one in second.stepper.plans] == ["paint-it"]
        second.locks.close()


def folder_of(executor, name):
    folder = executor().work.folder / name
    (folder / "evidence").mkdir(parents=True)
    return folder


def test_a_person_s_word_in_the_same_run_counts_for_what_was_gone_on_with(executor):
    first = executor()
    with pytest.raises(StepFailed):
        step(first, "doubtful")
    second = resume(first, executor)
    with pytest.raises(StepFailed, match="too dark"):
        step(second, "doubtful")
    assert [one.step for one in second.stepper.plans] == ["paint-it"]
    second.journal.append("resolved", step="paint-it", outcome="done", by="ann@host", evidence="seen.txt")
    assert step(second, "doubtful")["verification"]["verdict"] == "OK"
    assert fakes.DONE == ["doubtful"]


def test_a_step_that_was_refused_before_it_had_a_plan_is_done_by_the_run_that_goes_on(executor):
    first = executor()
    with pytest.raises(Refused):
        step(first, "forbidden")
    assert step(resume(first, executor))["status"] == "applied"


def test_a_run_goes_on_only_with_what_was_approved_and_in_its_order(executor):
    first = executor()
    step(first)
    known = done(first)["paint-it"]
    other = resume(first, executor, environment="production", approved=approved(("another", known)))
    with pytest.raises(Refused, match="is not in the plan that was approved"):
        step(other)
    fakes.DONE.clear()
    fresh = executor("production", work={"approved": approved(("another", known), ("paint-it", known))})
    with pytest.raises(Refused, match="The step another comes before paint-it"):
        step(fresh)
    assert fakes.DONE == []


def test_what_is_half_done_is_not_completed_where_it_was_never_approved(executor):
    first = executor()
    with pytest.raises(StepFailed):
        step(first, "half")
    fakes.DONE.clear()
    second = resume(first, executor, environment="production")
    with pytest.raises(Refused, match="has no approval"):
        step(second, "half")
    assert fakes.DONE == []


def test_where_no_approval_is_needed_nobody_is_asked(executor, tmp_path):
    asking = Asking(WORK, tmp_path / "approvals", executor().work.settings, ("ann",), plan)
    assert step(executor(work={"asking": asking}))["status"] == "applied"
    assert not (tmp_path / "approvals").exists()


def test_an_undo_of_what_touched_nothing_looks_first_where_its_end_is_not_known(executor):
    first = executor()
    step(first, "nothing")
    second = resume(first, executor, 3)
    second.take_back(second.work.history["paint-it"])
    assert events(second)[-3:] == ["settled", "undoing", "undone"]
    assert fakes.DONE == []
    assert second.findings.verdict is Verdict.OK


def test_an_undo_that_finds_nothing_done_is_proof_of_it(executor):
    first = executor()
    step(first)
    fakes.DONE.clear()
    second = resume(first, executor, 3)
    second.take_back(second.work.history["paint-it"])
    assert events(second)[-2:] == ["settled", "undone"]
    assert second.findings.verdict is Verdict.OK
