"""A development environment in one look: none, a whole one, one that is broken in each part, and no checkout."""

from datetime import UTC, datetime

import pytest

from opslib.actions.environment import CloneRepository, InstallPackages, WriteEnvironmentFile
from opslib.checks import environment as checks
from opslib.model import Reading, Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget
from tests.workspaces import Place, needs_npm

CHECK = checks.development
WHOLE = {
    "folder": "/home/dev/valuecanvas",
    "state": "checkout",
    "is": "",
    "commit": "a" * 40,
    "file": ".env.local",
    "private": True,
    "variables": 13,
    "wrong": [],
    "twice": [],
    "unreadable_lines": 0,
    "locked": 2,
    "not_as_locked": [],
}


def judged(environment="lab", **said):
    row = WHOLE | said
    return CHECK.judge(Reading(CHECK.name, CHECK.title, environment, datetime(2026, 11, 29, tzinfo=UTC), 0.1, (row,)))


def test_what_is_whole_is_well_and_its_parts_are_counted():
    said = judged()
    assert said.verdict is Verdict.OK
    assert said.summary == "At aaaaaaaaaaaa: 13 variables are as they must be, 2 packages are as locked."
    assert "it has no lock file" in judged(locked=None).summary


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"file": None}, "there is no env file"),
        ({"wrong": ["JWT_SECRET is a template's value"]}, "JWT_SECRET is a template's value"),
        ({"wrong": ["A is not set", "B is not set", "C is not set", "D is not set"]}, "C is not set and 1 more"),
        ({"twice": ["REDIS_URL"]}, "twice in the env file: REDIS_URL"),
        ({"unreadable_lines": 3}, "3 lines of the env file cannot be read"),
        ({"private": False}, "others may read the env file"),
        ({"not_as_locked": ["node_modules/a"]}, "1 of 2 packages are not installed as locked: node_modules/a"),
    ],
)
def test_each_part_that_is_amiss_is_named(broken, said):
    found = judged(**broken)
    assert (found.verdict, said in found.summary) == (Verdict.WARNING, True), found.summary


def test_beside_productions_credentials_none_may_stand():
    assert judged("production").verdict is Verdict.WARNING
    assert "production's credentials" in judged("production").summary
    assert judged("production", state="absent").verdict is Verdict.OK


def test_where_none_is_described_none_is_asked_for(lab):
    target = PlanTarget(lab.settings.model_copy(update={"workspace": None}), "test")
    found = evaluate(CHECK, target)
    target.close()
    assert (found.verdict, found.summary) == (Verdict.OK, "No development environment stands on this machine.")


def test_what_is_no_checkout_is_named_and_what_cannot_be_read_is_unknown(lab, tmp_path):
    place = Place(lab.settings, tmp_path)
    try:
        place.folder.mkdir(parents=True)
        found = evaluate(CHECK, place.plan)
        assert (found.verdict, "is no git checkout" in found.summary) == (Verdict.WARNING, True), found.summary
        place.folder.rmdir()
        place.clone_by_hand()
        assert "there is no env file" in evaluate(CHECK, place.plan).summary
        (place.folder / ".env.local").symlink_to("/etc/hostname")
        assert evaluate(CHECK, place.plan).verdict is Verdict.UNKNOWN
    finally:
        place.close()


@needs_npm
def test_what_the_runbook_made_is_whole_and_no_value_of_it_is_in_the_reading(lab, tmp_path):
    place = Place(lab.settings, tmp_path)
    try:
        place.carry_out(CloneRepository(branch="main"))
        place.carry_out(InstallPackages(commit=place.commit))
        place.carry_out(WriteEnvironmentFile(commit=place.commit))
        found = evaluate(CHECK, place.plan)
        assert found.verdict is Verdict.OK, found.summary
        assert "lab-dummy" not in repr(found)
        (place.folder / "node_modules" / "@valuecanvas" / "brand").unlink()
        assert "node_modules/@valuecanvas/brand" in evaluate(CHECK, place.plan).summary
    finally:
        place.close()
