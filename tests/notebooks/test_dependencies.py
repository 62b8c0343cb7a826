"""Dependencies as people look at them: a healthy evening, one with much amiss, and one on which nobody answers."""

import pytest

from opslib.archive.verify import verify
from opslib.redaction import Redactor
from tests.dependencies import elsewhere
from tests.notebooks.recorded import verdicts
from tests.scale import nightly

NAME = "diagnostics/dependencies"
SHARES = True
CHECKS = {
    "dependencies-vendors",
    "dependencies-names",
    "dependencies-certificates",
    "dependencies-intake",
    "dependencies-new-issues",
}
CLOCKS = "dependencies-clocks"
HOSTILE = "<script>alert(1)</script>\x1b[2J"


@pytest.fixture
def there(house):
    with elsewhere(house.settings) as made:
        yield made


def test_a_look_finds_all_well_changes_nothing_and_shows_no_secret(house, run, fingerprint, there):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result
    assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS | {CLOCKS}, "OK")
    page = (folder / "report.html").read_text()
    for words in ("Vendors at a glance", "Days that certificates last", "valuecanvas@1.4.0", "runbooks/roll-back"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    asked = [(call["method"], call["vendor"]) for name in ("status", "sentry") for call in there.doors.calls(name)]
    assert {method for method, _ in asked} == {"GET"}


@nightly
def test_what_is_amiss_is_found_each_by_its_own_check(run, there):
    there.incident("together", "Chat completions", status="downtime", name=HOSTILE)
    there.name("api.openai.test")
    there.issue(users=90)
    there.sentry(outcomes=[{"outcome": "rate_limited", "category": "error", "reason": "key_quota", "quantity": 70}])
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert verdicts(folder) == {
        **dict.fromkeys(CHECKS, "CRITICAL"),
        "dependencies-certificates": "OK",
        CLOCKS: "OK",
    }
    page = (folder / "report.html").read_text()
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "alert(1)" in page


def test_where_nobody_answers_nothing_is_green_and_the_rest_is_looked_at(run, there):
    doors = there.doors
    with doors.fault("status", "malformed"), doors.fault("sentry", "401"), doors.fault("names", "cut"):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    assert verdicts(folder) == {
        **dict.fromkeys(CHECKS, "UNKNOWN"),
        "dependencies-certificates": "OK",
        CLOCKS: "OK",
    }


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
