"""What a deployment workflow takes, and how its runs stand, at the lab's GitHub in all its states."""

import pytest

from opslib.checks import delivery as checks
from opslib.lab.vendors.github import FILE, PATH, PLAIN
from opslib.model import Verdict
from opslib.pictures import delivery as pictures
from opslib.probes import delivery as probes
from opslib.runs.reading import evaluate, take
from opslib.systems.target import ReadTarget
from tests.workflows import repository


@pytest.fixture
def origin(lab):
    with repository(lab.settings) as made:
        yield made


@pytest.fixture
def target(lab):
    made = ReadTarget(lab.settings.reading(), "test")
    yield made
    made.close()


ALL = (
    checks.takes_input(FILE, "main", "force_full_deploy"),
    checks.nothing_under_way(FILE),
    checks.last_run(FILE),
)


def verdicts(target):
    return [evaluate(check, target).verdict for check in ALL]


def test_a_workflow_that_takes_the_input_and_rests_is_ok(origin, target):
    assert verdicts(target) == [Verdict.OK] * 3


def test_the_products_own_file_does_not_take_it_and_the_remedy_says_where_to_declare_it(origin, target):
    origin.file(PLAIN)
    result = evaluate(ALL[0], target)
    assert result.verdict is Verdict.CRITICAL
    assert "declares: none" in result.summary
    assert "on.workflow_dispatch.inputs" in result.remedy


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("on: [push]\njobs: {}\n", "no workflow_dispatch"),
        ("on: workflow_dispatch\njobs: {}\n", "does not declare"),
        ("'on':\n  workflow_dispatch:\n    inputs:\n      other: {}\n", "declares: other"),
    ],
)
def test_each_way_to_lack_it_is_said(origin, target, file, said):
    origin.file(file)
    result = evaluate(ALL[0], target)
    assert (result.verdict, said in result.summary) == (Verdict.CRITICAL, True)


@pytest.mark.parametrize(
    ("more", "under_way", "last"),
    [
        ({"created": 4e9}, Verdict.CRITICAL, Verdict.UNKNOWN),
        ({"fails": "test"}, Verdict.OK, Verdict.CRITICAL),
        ({"waits": "test", "conclusion": None}, Verdict.CRITICAL, Verdict.UNKNOWN),
        ({"conclusion": "cancelled", "cancelled": 1}, Verdict.OK, Verdict.WARNING),
    ],
)
def test_a_run_that_goes_on_or_went_wrong_is_told_apart(origin, target, more, under_way, last):
    origin.change(runs=[{**origin.runs[0], **more}])
    assert verdicts(target) == [Verdict.OK, under_way, last]


def test_a_workflow_that_never_ran_is_unknown(origin, target):
    origin.change(runs=[])
    assert verdicts(target) == [Verdict.OK, Verdict.OK, Verdict.UNKNOWN]
    picture = pictures.run_by_job(take(probes.jobs(FILE), target))
    assert "never run" in picture.alternative


@pytest.mark.parametrize("fault", ["401", "403", "404", "malformed", "empty"])
def test_what_github_does_not_tell_is_unknown_and_never_green(origin, target, fault):
    with origin.doors.fault("github", fault):
        results = [evaluate(check, target) for check in ALL]
        picture = pictures.run_by_job(take(probes.jobs(FILE), target))
    assert {result.verdict for result in results} == {Verdict.UNKNOWN}
    assert all("GitHub" in result.summary for result in results)
    assert picture.alternative.startswith("Unknown")


def test_a_file_that_is_gone_is_unknown(origin, target):
    origin.change(files={})
    assert evaluate(ALL[0], target).verdict is Verdict.UNKNOWN


def test_the_picture_names_every_job_and_how_it_ended(origin, target):
    runs = [{**origin.runs[0], "fails": "deploy-kubernetes", "job_seconds": 60}]
    origin.change(runs=runs)
    picture = pictures.run_by_job(take(probes.jobs(FILE), target))
    assert "6 success, 1 failure, 4 skipped" in picture.alternative
    assert all(name in picture.svg for name in ("deploy-kubernetes", "failure, 1 min", "notify", "skipped"))


@pytest.mark.parametrize(
    ("more", "verdict", "said"),
    [
        ({}, Verdict.OK, "success"),
        ({"fails": "test"}, Verdict.CRITICAL, "failure"),
        ({"created": 4e9}, Verdict.CRITICAL, "still"),
        ({"sha": "c" * 40}, Verdict.CRITICAL, "never ran"),
        ({"branch": "work"}, Verdict.CRITICAL, "never ran"),
    ],
)
def test_only_a_commit_that_itself_was_tested_counts_as_tested(origin, target, more, verdict, said):
    origin.change(runs=[{**origin.runs[0], **more}])
    result = evaluate(checks.tested(FILE, "main"), target)
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


def test_a_newer_run_on_the_same_commit_counts(origin, target):
    origin.change(runs=[origin.runs[0], {**origin.runs[0], "id": 7_000_002, "fails": "test"}])
    assert evaluate(checks.tested(FILE, "main"), target).verdict is Verdict.CRITICAL


def test_a_file_is_read_at_the_commit_that_is_shown(origin, target):
    origin.doors.forget()
    row = take(probes.workflow(FILE, "main"), target).rows[0]
    asked = [call for call in origin.doors.calls("github") if PATH in call["path"]]
    assert [call["query"] for call in asked] == [[["ref", row["commit"]]]]
