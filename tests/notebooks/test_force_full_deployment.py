"""A full deployment as people run it: refused as the product stands, else planned, applied as approved, followed."""

import json
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.errors import Refused
from opslib.headless import agreement, resume
from opslib.headless.undo import undo
from tests.scale import nightly
from tests.workflows import repository

NAME = "runbooks/force-full-deployment"
SHARES = True
GIVEN = ("minutes=1",)


@pytest.fixture
def origin(house):
    with repository(house.settings) as made:
        yield made


def journal(folder):
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def test_as_the_product_has_it_nothing_is_started_and_the_report_says_why(run, house, origin):
    origin.change(files={".github/workflows/deploy-production.yml": "on:\n  push:\n  workflow_dispatch:\njobs: {}\n"})
    result, folder = run(NAME, *GIVEN)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "does not declare the input force_full_deploy" in result["reason"]
    assert "on.workflow_dispatch.inputs" in (folder / "report.html").read_text()
    assert len(origin.runs) == 1


def test_the_plan_names_the_commit_and_changes_nothing(run, fingerprint, origin):
    before = fingerprint()
    result, folder = run(NAME, *GIVEN, mode="plan")
    assert result["state"] == "finished", result["reason"]
    assert fingerprint() == before
    (step,) = json.loads((folder / "plan.json").read_text())["steps"]
    assert "5f0d0f6a7b1c" in json.dumps(step)


def test_what_was_planned_is_started_once_and_followed_and_cannot_be_undone_here(run, house, origin):
    planned, _ = run(NAME, *GIVEN, mode="plan")
    result = agreement.apply(planned["run"], "lab", house.archive)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert len(origin.runs) == 2
    assert origin.runs[-1]["inputs"] == {"force_full_deploy": "true"}
    taken = undo(result["run"], house.archive)
    assert taken["exit_code"] == 4
    assert "roll-back-deployment" in taken["reason"]
    assert verify(house.archive).ok


@nightly
def test_a_plan_of_a_commit_that_is_not_the_newest_any_more_is_refused(run, house, origin):
    planned, _ = run(NAME, *GIVEN, mode="plan")
    origin.push("b" * 40)
    result = agreement.apply(planned["run"], "lab", house.archive)
    assert (result["exit_code"], len(origin.runs)) == (4, 1)


@nightly
def test_a_deployment_that_fails_is_critical_and_names_the_job(run, origin):
    origin.change(fails="deploy-kubernetes")
    result, _ = run(NAME, *GIVEN)
    assert result["exit_code"] == 5
    assert "first at deploy-kubernetes" in result["reason"]


@nightly
def test_a_start_whose_answer_was_lost_is_found_and_followed_in_the_same_run(run, origin):
    with origin.doors.fault("github", "lost", method="POST"):
        result, folder = run(NAME, *GIVEN)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert [line["outcome"] for line in journal(folder) if line["event"] == "settled"] == ["done"]
    assert len(origin.runs) == 2


@nightly
def test_a_start_that_failed_is_resumed_and_done_once(run, house, origin):
    with origin.doors.fault("github", "500", method="POST"):
        result, _ = run(NAME, *GIVEN)
    assert (result["exit_code"], len(origin.runs)) == (5, 1)
    again = resume.resume(result["run"], house.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    assert len(origin.runs) == 2
    with pytest.raises(Refused):
        resume.resume(result["run"], house.archive)
    assert len(origin.runs) == 2
    assert Path(again["report"]).is_file()
