"""Supabase as people look at it: a healthy evening, one with much amiss, and one on which nobody answers."""

import pytest

from opslib.archive.verify import verify
from opslib.redaction import Redactor
from opslib.systems.postgres import connect
from tests.notebooks.recorded import verdicts
from tests.supabase import project

NAME = "diagnostics/supabase"
SHARES = True
CHECKS = {
    *("supabase-project", "supabase-services", "supabase-name", "supabase-reach", "dependencies-certificates"),
    *("supabase-keys", "supabase-apikey", "supabase-clock", "supabase-tables", "supabase-cors", "supabase-network"),
    *("supabase-migrations", "supabase-secrets", "supabase-functions", "supabase-calls", "database-reachable"),
}
HOSTILE = "<script>alert(1)</script>\x1b[2J"


@pytest.fixture
def there(house):
    with project(house.settings) as made:
        yield made


def test_a_look_finds_all_well_changes_nothing_and_shows_no_secret(house, run, fingerprint, there):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result
    assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK")
    page = (folder / "report.html").read_text()
    for words in ("What stands between a reader and each table", "billing_plans", "is ACTIVE_HEALTHY"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    asked = {(call["method"], call["path"].rsplit("/", 1)[1]) for call in there.doors.calls("supabase")}
    assert {one for one in asked if one[0] == "POST"} == {("POST", "retrieve")}
    assert {method for method, _ in asked} == {"GET", "OPTIONS", "POST"}


def test_what_is_amiss_is_found_each_by_its_own_check(house, run, there):
    health = there.state["health"]
    there.change(
        jwt_generation=1,
        origins=[HOSTILE],
        clock_skew=400,
        banned=["203.0.113.7", HOSTILE],
        health={**health, "realtime": "UNHEALTHY"},
    )
    with connect(house.settings.database_url, "test") as session:
        session.execute("REVOKE SELECT ON public.billing_plans FROM anon")
    try:
        result, folder = run(NAME)
    finally:
        with connect(house.settings.database_url, "test") as session:
            session.execute("GRANT SELECT ON public.billing_plans TO anon")
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    found = verdicts(folder)
    red = {"supabase-apikey", "supabase-cors", "supabase-clock", "supabase-services", "supabase-tables"}
    assert {name for name, verdict in found.items() if verdict == "CRITICAL"} == red
    assert {name for name, verdict in found.items() if verdict == "WARNING"} == {"supabase-network"}
    page = (folder / "report.html").read_text()
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "alert(1)" in page
    assert "runbooks/deploy-new-version" in page


def test_where_nobody_answers_nothing_of_it_is_green_and_the_rest_is_looked_at(run, there):
    doors = there.doors
    with doors.fault("supabase", "cut", path="/sites/"), doors.fault("supabase", "401", path="/v1/projects"):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    found = verdicts(folder)
    fine = {"dependencies-certificates", "database-reachable", "supabase-keys", "supabase-migrations", "supabase-name"}
    assert {name for name, verdict in found.items() if verdict == "OK"} == fine
    assert {name for name, verdict in found.items() if verdict == "CRITICAL"} == {"supabase-reach"}


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
