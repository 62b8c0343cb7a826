"""Who watches, as people look at it: all well, much amiss, and nobody to be asked."""

import html

import pytest

from opslib.archive.verify import verify
from opslib.lab.broken.observability import FAULTS
from opslib.redaction import Redactor
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.watchers import watchers

NAME = "diagnostics/observability"
SHARES = True
CHECKS = {fault.check for fault in FAULTS}
WATCHERS = ("prometheus", "alertmanager", "grafana", "jaeger")
HOSTILE = "<script>alert(1)</script>\x1b[2J"


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
    # The contradictions are shown, and so is why the guide's command is not run.
    for words in ("The guide's alerts", "product's alert rules", "is not run here"):
        assert words in html.unescape(page)
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    assert {call["method"] for name in WATCHERS for call in there.doors.calls(name)} == {"GET"}


@nightly
def test_what_is_amiss_is_found_each_by_its_own_check_and_hostile_text_stays_text(house, run, there):
    there.prometheus(firing={"ErrorRate": {"summary": HOSTILE, "value": "5e-02"}})
    try:
        for fault in FAULTS:
            fault.make(house.settings)
        result, folder = run(NAME)
    finally:
        for fault in FAULTS:
            fault.mend(house.settings)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert verdicts(folder) == dict.fromkeys(CHECKS, "CRITICAL")
    page = (folder / "report.html").read_text()
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "alert(1)" in page


@nightly
def test_where_nobody_answers_nothing_is_green(house, run, there):
    for name in WATCHERS:
        there.doors.fail(name, "403")
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert verdicts(folder) == {**dict.fromkeys(CHECKS, "UNKNOWN"), "observability-stack": "CRITICAL"}


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
