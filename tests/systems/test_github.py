"""GitHub's client against the lab's stand-in: what it sends is as described, and each failure has its own words."""

import time

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.lab.vendors.github import EARLIER, FILE, MAIN, PATH, WORKFLOW
from opslib.lab.vendors.github_runs import JOBS
from opslib.systems import api
from opslib.systems.github import ReadOnlyWorkflows, Workflows
from tests import specs
from tests.vendors import Doors

RUNS = len(EARLIER) + 1


@pytest.fixture
def doors(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def reading(lab):
    handle = ReadOnlyWorkflows(lab.settings, lab.settings.read_github_token)
    yield handle
    handle.close()


@pytest.fixture
def writing(lab):
    handle = Workflows(lab.settings, lab.settings.github_token)
    yield handle
    handle.close()


def test_a_workflow_is_found_with_its_file_and_its_runs(reading):
    assert reading.head("main") == MAIN
    assert reading.state(FILE) == "active"
    assert "workflow_dispatch" in reading.file(PATH, MAIN)
    run, *_ = reading.runs(FILE)
    assert (run.event, run.over, run.conclusion, run.commit) == ("push", True, "success", MAIN)
    assert reading.run(run.id) == run
    assert [job.name for job in reading.jobs(run.id)] == list(JOBS)


def test_a_dispatched_run_is_followed_to_its_end(writing, doors):
    change = {"files": {PATH: WORKFLOW}, "job_seconds": 0.02}
    doors.put(github={**doors.state()["github"], **change})
    number = writing.dispatch(FILE, "main", {"force_full_deploy": "true"})
    until = time.monotonic() + 20
    while not writing.run(number).over and time.monotonic() < until:
        time.sleep(0.05)
    assert {job.conclusion for job in writing.jobs(number)} == {"success"}
    with pytest.raises(Unreachable) as refused:
        writing.cancel(number)
    assert refused.value.kind == "conflict"


def test_an_input_that_the_file_does_not_declare_is_rejected(writing, doors):
    with pytest.raises(Unreachable, match="Unexpected inputs") as refused:
        writing.dispatch(FILE, "main", {"other": "true"})
    assert refused.value.kind == "rejected"
    assert len(doors.state()["github"]["runs"]) == RUNS


def test_the_reading_token_starts_nothing(lab, doors):
    lent = lab.settings.model_copy(update={"github_token": lab.settings.read_github_token})
    with pytest.raises(Unreachable) as refused:
        Workflows(lent, lent.github_token).dispatch(FILE, "main", {})
    assert refused.value.kind == "forbidden"
    assert "GITHUB_TOKEN" in refused.value.next_step


def test_without_a_token_nothing_is_asked(lab):
    with pytest.raises(SettingsError, match="OPS_READ_GITHUB_TOKEN"):
        ReadOnlyWorkflows(lab.settings, None)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("400", "rejected"),
        ("401", "unauthorized"),
        ("402", "unpaid"),
        ("403", "forbidden"),
        ("404", "missing"),
        ("409", "conflict"),
        ("422", "rejected"),
        ("malformed", "malformed"),
        ("empty", "malformed"),
    ],
)
def test_each_failure_is_told_from_the_others_and_asked_once(reading, doors, fault, kind):
    doors.forget()
    with doors.fault("github", fault), pytest.raises(Unreachable) as told:
        reading.run(7_000_001)
    assert told.value.kind == kind
    assert "GitHub" in told.value.message
    assert told.value.next_step
    assert len(doors.calls("github")) == 1


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut"])
def test_what_passes_is_asked_again(reading, doors, fault):
    with doors.fault("github", fault, times=1, seconds=0.1):
        assert reading.run(7_000_001).over
    assert len(doors.calls("github")) >= 2


def test_a_wait_longer_than_there_is_time_is_not_begun(reading, doors):
    with doors.fault("github", "429", seconds=3600), pytest.raises(Unreachable, match="3600 s") as told:
        reading.run(7_000_001)
    assert told.value.kind == "limited"


def test_a_slow_answer_is_given_up(lab, doors):
    handle = ReadOnlyWorkflows(lab.settings, lab.settings.read_github_token)
    handle._api.seconds = 0.5
    with doors.fault("github", "slow", seconds=5), pytest.raises(Unreachable) as told:
        handle.run(7_000_001)
    assert told.value.kind == "slow"


@pytest.mark.parametrize(("fault", "runs"), [("500", 0), ("cut", 0), ("lost", 1), ("malformed", 0)])
def test_what_may_have_happened_is_never_sent_twice(writing, doors, fault, runs):
    doors.forget()
    with doors.fault("github", fault, method="POST"), pytest.raises(Unreachable):
        writing.dispatch(FILE, "main", {})
    assert len([call for call in doors.calls("github") if call["method"] == "POST"]) == 1
    assert len(doors.state()["github"]["runs"]) == RUNS + runs


def test_a_call_that_was_refused_for_its_number_is_sent_again(writing, doors):
    with doors.fault("github", "429", method="POST", times=2, seconds=0.1):
        writing.dispatch(FILE, "main", {})
    assert len(doors.state()["github"]["runs"]) == RUNS + 1


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_no_part_of_an_address_leads_elsewhere(reading, part):
    with pytest.raises(api.UsageError):
        reading.state(part)


def test_a_part_with_a_slash_stays_one_part(reading):
    address = reading._api.url("a", "../../user?x=1#y", query={"q": "1&2", "none": None})
    assert address.endswith("/a/..%2F..%2Fuser%3Fx%3D1%23y?q=1%262")


def test_what_is_sent_and_answered_is_as_github_describes_it(writing, doors):
    spec = specs.load("github.json", "/github")
    doors.forget()
    number = writing.dispatch(FILE, "main", {})
    writing.head("main"), writing.state(FILE), writing.file(PATH, MAIN), writing.runs(FILE), writing.run(number)
    writing.jobs(number)
    writing.cancel(number)
    calls = doors.calls("github")
    assert len(calls) == 8
    assert [fault for call in calls for fault in spec.faults(call)] == []
