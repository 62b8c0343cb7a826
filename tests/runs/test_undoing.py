"""What an approved plan lets be taken back: its own steps as they were approved, and no others."""

from dataclasses import replace

import pytest

from opslib.canonical import to_json
from opslib.errors import Refused
from opslib.model import UNKNOWN_UNTIL
from opslib.runs.saved_plan import PlannedStep
from opslib.runs.steps import State, StepRecord
from opslib.runs.undoing import covers, plan_to_undo, to_apply
from tests.signing import plan, step


def known(done, **more):
    said = {"action": done.plan.action, "state": State.VERIFIED, "run": "r", "plan": to_json(done.plan)}
    return StepRecord(**{"step": done.step, **said, **more})


def test_the_steps_of_an_approved_plan_may_be_taken_back():
    approved = plan()
    for done in approved.steps:
        covers(approved, known(done))


def test_what_only_an_earlier_step_knew_may_be_anything_known():
    planned = step(parameters={"database": f"{UNKNOWN_UNTIL}restore"})
    covers(plan(steps=(planned,)), known(step(parameters={"database": "valuecanvas_restore_a1b2c3"})))


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (step("drop-everything"), "not in the plan that was approved"),
        (step(parameters={"database": "billing"}), "not what was approved"),
        (step(before={"live": "billing"}), "not what was approved"),
        (PlannedStep("swap-databases", replace(step().plan, action="take-backup")), "not what was approved"),
    ],
)
def test_a_record_that_names_other_steps_is_not_taken_back_under_the_approval(done, said):
    with pytest.raises(Refused, match=said):
        covers(plan(), known(done))


def test_a_plan_of_an_undo_lets_that_undo_happen_once_nothing_moved():
    record = known(step(), values={"old": "a"})
    approved = plan(parameters={"undo": "w"}, steps=(PlannedStep(record.step, plan_to_undo(record)),))
    covers(approved, record)
    with pytest.raises(Refused, match="not what was approved"):
        covers(approved, replace(record, values={"old": "b"}))


def test_a_plan_names_the_command_that_applies_it():
    assert to_apply(plan()) == f"ops run --environment production --apply {plan().run}"
    assert to_apply(plan(parameters={"undo": "W"})) == f"ops undo W --apply {plan().run}"
