"""A deployment workflow at the lab's GitHub: started once, on the commit that was planned, and followed."""

import pytest

from opslib.actions.delivery import DispatchWorkflow
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.lab.vendors.github import FILE, MAIN, PLAIN
from opslib.lab.vendors.github_runs import JOBS
from opslib.model import Outcome, Verdict
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.scale import first
from tests.workflows import repository

RUN = "20261128T130614Z-runbooks-force-full-deployment-a1b2c3"
OTHER = "a" * 40
ACTION = DispatchWorkflow(workflow=FILE, branch="main", flag="force_full_deploy", minutes=1)


def quiet(text, done=None, total=None):
    pass


@pytest.fixture
def origin(lab):
    with repository(lab.settings) as made:
        yield made


@pytest.fixture
def targets(lab):
    made = PlanTarget(lab.settings, RUN), VerifyTarget(lab.settings, RUN), WriteTarget(lab.settings, RUN)
    yield made
    for target in made:
        target.close()


def carry_out(targets, action=ACTION):
    reading, looking, writing = targets
    plan = action.plan(reading)
    values = action.apply(writing, plan, quiet)
    return plan, values, action.verify(looking, plan, values)


def test_a_plan_names_the_commit_and_starts_nothing(origin, targets):
    before = origin.doors.state()
    plan = ACTION.plan(targets[0])
    assert MAIN in plan.after["run"]
    assert (plan.touches, plan.fingerprint["commit"]) == (1, MAIN)
    assert plan.digest == ACTION.plan(targets[0]).digest
    assert origin.doors.state() == before


def test_the_run_is_started_once_followed_and_verified_job_by_job(origin, targets):
    told = []
    reading, looking, writing = targets
    plan = ACTION.plan(reading)
    values = ACTION.apply(writing, plan, lambda text, done=None, total=None: told.append(text))
    looked = ACTION.verify(looking, plan, values)
    assert len(origin.runs) == 2
    assert (looked.verdict, [row["job"] for row in looked.rows]) == (Verdict.OK, list(JOBS))
    assert "11 jobs" in looked.summary
    assert any("11 of 11 jobs over" in text for text in told)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"files": {f".github/workflows/{FILE}": PLAIN}}, "declares no input force_full_deploy"),
        ({"files": {f".github/workflows/{FILE}": "on: push\njobs: {}\n"}}, "no workflow_dispatch"),
        ({"runs": [], "heads": {}}, None),
    ],
)
def test_what_github_would_refuse_is_refused_before(origin, targets, change, said):
    origin.change(**change)
    with pytest.raises((Refused, Unreachable), match=said or "does not have this"):
        ACTION.plan(targets[0])


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("      force_full_deploy:\n        type: number\n", "wants a number"),
        ("      force_full_deploy:\n        type: boolean\n      region:\n        required: true\n", "demands region"),
    ],
)
def test_inputs_that_true_does_not_answer_are_refused(origin, targets, inputs, said):
    origin.file(f"on:\n  workflow_dispatch:\n    inputs:\n{inputs}jobs: {{}}\n")
    with pytest.raises(Refused, match=said):
        ACTION.plan(targets[0])


@pytest.mark.parametrize("text", ["[1, 2", "- a\n- b\n", "on:\n  workflow_dispatch: 7\n", "a: *b\n", ""])
def test_a_file_that_is_no_workflow_is_unknown_and_no_traceback(origin, targets, text):
    origin.file(text)
    with pytest.raises(Unreachable, match="not of the form"):
        ACTION.plan(targets[0])


def test_while_another_run_is_under_way_nothing_is_planned(origin, targets):
    origin.change(runs=[{**origin.runs[0], "created": 4e9}])
    with pytest.raises(Refused, match="is queued"):
        ACTION.plan(targets[0])


def test_a_branch_that_moved_since_the_plan_is_not_deployed(origin, targets):
    plan = ACTION.plan(targets[0])
    origin.push(OTHER)
    with pytest.raises(Refused, match="not at 5f0d0f6a"):
        ACTION.apply(targets[2], plan, quiet)
    assert len(origin.runs) == 1


@pytest.mark.parametrize("job", ["test", "deploy-kubernetes", "notify"])
def test_a_job_that_fails_is_critical_and_named(origin, targets, job):
    origin.change(fails=job)
    *_, looked = carry_out(targets)
    assert looked.verdict is Verdict.CRITICAL
    assert f"first at {job}" in looked.summary


def test_a_run_that_waits_for_an_approval_is_unknown_in_the_end(origin, targets):
    origin.change(waits="deploy-kubernetes")
    *_, looked = carry_out(targets, ACTION.model_copy(update={"minutes": 0.03}))
    assert looked.verdict is Verdict.UNKNOWN
    assert "waiting" in looked.summary


def test_a_run_whose_jobs_were_all_skipped_is_not_green(origin, targets):
    plan, values, _ = carry_out(targets)
    runs = origin.runs
    runs[-1] = {**runs[-1], "fails": JOBS[0], "conclusion": "success"}
    origin.change(runs=runs)
    assert ACTION.verify(targets[1], plan, values).verdict is Verdict.CRITICAL


def test_a_run_on_another_commit_is_critical(origin, targets):
    plan, values, _ = carry_out(targets)
    origin.change(runs=[{**one, "sha": OTHER} for one in origin.runs])
    looked = ACTION.verify(targets[1], plan, values)
    assert (looked.verdict, "not planned" in looked.summary) == (Verdict.CRITICAL, True)


def test_an_answer_that_is_lost_is_found_again_and_nothing_is_started_twice(origin, targets):
    reading, looking, writing = targets
    plan = ACTION.plan(reading)
    with origin.doors.fault("github", "lost", method="POST"), pytest.raises(Unreachable):
        ACTION.apply(writing, plan, quiet)
    settled = ACTION.settle(writing, plan, quiet)
    assert settled.outcome is Outcome.DONE
    assert len(origin.runs) == 2
    assert ACTION.verify(looking, plan, settled.values).verdict is Verdict.OK


@pytest.mark.parametrize("fault", first(2, "422", "500", "cut", "401", "malformed"))
def test_a_call_that_did_nothing_is_settled_as_not_done(origin, targets, fault):
    plan = ACTION.plan(targets[0])
    with origin.doors.fault("github", fault, method="POST"), pytest.raises(Unreachable):
        ACTION.apply(targets[2], plan, quiet)
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE


def test_when_others_started_runs_too_nobody_can_tell_which_is_ours(origin, targets):
    plan = ACTION.plan(targets[0])
    for _ in range(2):
        targets[2].workflow_starter.dispatch(FILE, "main", {})
    settled = ACTION.settle(targets[2], plan, quiet)
    assert (settled.outcome, "#1002, #1003" in settled.why or "#1003, #1002" in settled.why) == (Outcome.UNKNOWN, True)


def test_a_run_of_another_commit_is_not_taken_for_ours(origin, targets):
    plan = ACTION.plan(targets[0])
    origin.push(OTHER)
    targets[2].workflow_starter.dispatch(FILE, "main", {})
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN


def test_a_run_is_followed_through_a_failure_of_github(origin, targets):
    with origin.doors.fault("github", "503", method="GET", path="/jobs", times=2):
        *_, looked = carry_out(targets)
    assert looked.verdict is Verdict.OK


def test_a_run_that_could_not_be_followed_is_known_and_looked_at_again(origin, targets):
    reading, looking, writing = targets
    plan = ACTION.plan(reading)
    with origin.doors.fault("github", "404", path="/jobs"):
        values = ACTION.apply(writing, plan, quiet)
    assert values["over"] is False
    looked = ACTION.verify(looking, plan, {**values, "over": None})
    assert looked.verdict is Verdict.OK


def test_a_deployment_is_not_undone_by_this_action_and_it_says_by_which(origin, targets):
    plan, values, _ = carry_out(targets)
    with pytest.raises(Refused, match="cannot be undone") as refused:
        ACTION.undo(targets[2], plan, values, quiet)
    assert "runbooks/roll-back-deployment" in refused.value.next_step


def test_a_run_under_which_a_push_slipped_is_told_to_stop(origin, targets):
    plan = ACTION.plan(targets[0])
    origin.change(sha_of_runs=OTHER, job_seconds=5)
    with pytest.raises(StepFailed, match="told to stop"):
        ACTION.apply(targets[2], plan, quiet)
    assert origin.runs[-1]["conclusion"] == "cancelled"
