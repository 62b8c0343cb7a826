"""The application as people look at it: a healthy hour, one with much amiss, and one in which nobody can be asked."""

import urllib.error
import urllib.request

import pytest

from opslib.archive.verify import verify
from opslib.lab.broken import find
from opslib.lab.broken.application import FAULTS
from opslib.redaction import Redactor
from tests.notebooks.recorded import verdicts
from tests.watchers import watchers

NAME = "diagnostics/application"
SHARES = True
CHECKS = {fault.check for fault in FAULTS}
HOSTILE = "/x/%3Cscript%3Ealert(1)%3C/script%3E%1B%5B2J"


@pytest.fixture
def there(house):
    with watchers(house.settings) as made:
        yield made


def test_a_look_finds_all_well_changes_nothing_and_shows_no_secret(house, run, fingerprint, there):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result
    assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK")
    page = (folder / "report.html").read_text()
    for words in ("Uptime, day by day", "How long answers took", "alert 1000 ms", "Budget of 30 days"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    assert {call["method"] for call in there.doors.calls("prometheus")} == {"GET"}


def test_what_is_amiss_is_found_each_by_its_own_check_and_hostile_text_stays_text(house, run, there):
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(house.settings.application_url + HOSTILE)
    # New pods of the deployment would have the present key again, so its health is made ill by the table.
    names = "requests-fail", "answers-are-slow", "api-was-down", "liveness-depends", "table-renamed"
    made = [find(name) for name in names]
    try:
        for fault in made:
            fault.make(house.settings)
        result, folder = run(NAME)
    finally:
        for fault in made:
            fault.mend(house.settings)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert verdicts(folder) == {**dict.fromkeys(CHECKS, "CRITICAL"), "application-fresh": "OK"}
    page = (folder / "report.html").read_text()
    assert "alert(1)" in page
    assert "<script>" not in page
    assert "\x1b" not in page


def test_where_nobody_answers_nothing_is_green(run, there):
    doors = there.doors
    with doors.fault("prometheus", "401"):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    own = {"application-health": "OK", "application-coupling": "OK"}
    assert verdicts(folder) == {**dict.fromkeys(CHECKS, "UNKNOWN"), **own}
    assert "does not know the token" in (folder / "report.html").read_text()


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
