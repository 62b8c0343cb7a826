"""Delivery as people look at it: a good pipeline, the product's own with a failed run, and one that nobody can see."""

import pytest

from opslib.archive.verify import verify
from opslib.lab.vendors.github import PATH, PRODUCT
from opslib.redaction import Redactor
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.vendors import Doors
from tests.workflows import Repository

NAME = "diagnostics/delivery"
SHARES = True
CHECKS = {
    *("workflow-last-run", "delivery-run-stages", "delivery-stages", "delivery-scenarios", "delivery-change-detection"),
    *("delivery-actions-pinned", "delivery-filters", "workflow-takes-input", "delivery-change", "delivery-uncovered"),
    "delivery-durations",
}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def origin(house):
    doors = Doors(house.settings)
    with doors.restored():
        doors.forget()
        yield Repository(doors)


def test_a_look_finds_all_well_changes_nothing_and_shows_no_secret(house, run, fingerprint, origin):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result
    assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK")
    page = (folder / "report.html").read_text()
    for words in ("Which file makes which job run", "What each job does", "81 % saved", "runbooks/force-full"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    assert {call["method"] for call in origin.doors.calls("github")} == {"GET"}


@nightly
def test_what_is_amiss_is_found_each_by_its_own_check_and_hostile_names_stay_text(run, origin):
    hostile = PRODUCT.replace("dorny/paths-filter@v3", f'"dorny/paths-filter@v3{HOSTILE}"')
    origin.change(files={PATH: hostile}, runs=[{**origin.runs[-1], "fails": "smoke-tests"}])
    result, folder = run(NAME, "paths=package-lock.json,src/main.js")
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert verdicts(folder) == {
        **dict.fromkeys(CHECKS, "CRITICAL"),
        "delivery-stages": "WARNING",
        "delivery-actions-pinned": "WARNING",
        "delivery-filters": "OK",
        "delivery-durations": "UNKNOWN",
    }
    page = (folder / "report.html").read_text()
    assert "<script>" not in page
    assert "alert(1)" in page


@nightly
def test_where_github_says_nothing_nothing_is_green(house, run, origin):
    with origin.doors.fault("github", "401"):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    assert verdicts(folder) == dict.fromkeys(CHECKS, "UNKNOWN")
    assert verify(house.archive).ok
