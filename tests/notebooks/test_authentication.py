"""Signing in as people look at it: the loop that is by design, one evening with much amiss, one without answers."""

import pytest

from opslib.archive.verify import verify
from opslib.lab.broken.authentication import FAULTS
from opslib.lab.doors import change, front
from opslib.redaction import Redactor
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.supabase import project

NAME = "diagnostics/authentication"
SHARES = True
DESIGN = "authentication-lifetimes"
CHECKS = {
    *("authentication-way", "authentication-cookies", "authentication-redirects", DESIGN, "supabase-clock"),
    *("authentication-refresh", "supabase-keys", "authentication-sign-ins", "authentication-credentials"),
    "authentication-expired",
}
HOSTILE = "<script>alert(1)</script>\x1b[2J"


@pytest.fixture
def there(house):
    with project(house.settings) as made:
        yield made


def test_a_look_finds_only_the_loop_by_design_changes_nothing_and_shows_no_secret(house, run, fingerprint, there):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 1), result
    assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK") | {DESIGN: "WARNING"}
    page = (folder / "report.html").read_text()
    ref = house.settings.supabase_project
    for words in ("Where signing in leads", "A loop by design", f"sb-{ref}-auth-token", "private window"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    assert {call["method"] for call in there.doors.calls("supabase")} == {"GET"}


@nightly
def test_what_is_amiss_is_found_each_by_its_own_check(house, run, there):
    first = front(house.settings)
    try:
        for fault in FAULTS:
            fault.make(house.settings)
        front(house.settings, login="well")
        change(house.settings, "vercel", login="loop")
        change(house.settings, "supabase", auth={**there.state["auth"], "site_url": f"https://{HOSTILE}"})
        result, folder = run(NAME)
    finally:
        for fault in FAULTS:
            fault.mend(house.settings)
        front(house.settings, **first)
        change(house.settings, "vercel", login="well")
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    red = {fault.check for fault in FAULTS}
    assert {name for name, verdict in verdicts(folder).items() if verdict == "CRITICAL"} == red
    page = (folder / "report.html").read_text()
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "alert(1)" in page
    assert "a circle" in page


@nightly
def test_where_supabase_does_not_answer_its_part_is_unknown_and_the_rest_is_looked_at(run, there):
    with there.doors.fault("supabase", "401"):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    found = verdicts(folder)
    unknown = {DESIGN, "authentication-redirects", "authentication-credentials", "authentication-expired"}
    assert {name for name, verdict in found.items() if verdict == "UNKNOWN"} == unknown
    assert found["authentication-way"] == "OK"


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
