"""Supabase's project in all its states, as the checks judge it."""

import pytest

from opslib.checks import supabase as checks
from opslib.lab.vendors import product
from opslib.model import Verdict
from opslib.probes import supabase as probes
from opslib.runs.reading import evaluate, take
from opslib.systems.target import ReadTarget
from tests.scale import first
from tests.supabase import digest, project

ALL = (
    checks.project_healthy(),
    checks.services_healthy(),
    checks.functions_active(),
    checks.functions_answer(),
    checks.secrets_present(),
    checks.no_public_names(),
)


@pytest.fixture
def there(lab):
    with project(lab.settings) as made:
        made.secret("OPENAI_API_KEY", "sk-somebodys-own-key")
        yield made


@pytest.fixture
def target(lab):
    made = ReadTarget(lab.settings.reading(), "test")
    yield made
    made.close()


def test_a_project_that_is_well_is_ok(there, target):
    assert [evaluate(check, target).verdict for check in ALL] == [Verdict.OK] * 6


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("RESTORING", Verdict.WARNING), ("INACTIVE", Verdict.CRITICAL), ("ACTIVE_UNHEALTHY", Verdict.CRITICAL)],
)
def test_a_state_that_passes_is_a_warning_and_any_other_critical(there, target, status, verdict):
    there.change(status=status)
    result = evaluate(ALL[0], target)
    assert (result.verdict, status in result.summary) == (verdict, True)


@pytest.mark.parametrize(("status", "verdict"), [("UNHEALTHY", Verdict.CRITICAL), ("COMING_UP", Verdict.WARNING)])
def test_a_service_that_is_ill_is_named(there, target, status, verdict):
    there.change(health={**there.state["health"], "realtime": status})
    result = evaluate(ALL[1], target)
    assert (result.verdict, f"realtime is {status}" in result.summary) == (verdict, True)


@pytest.mark.parametrize("status", ["THROTTLED", "REMOVED"])
def test_a_function_that_is_not_active_is_named_and_does_not_answer(there, target, status):
    there.function("hello", status=status)
    results = [evaluate(check, target) for check in ALL[2:4]]
    assert [result.verdict for result in results] == [Verdict.CRITICAL] * 2
    assert f"hello is {status}" in results[0].summary


def test_a_project_without_functions_is_unknown(there, target):
    there.change(functions={})
    results = [evaluate(check, target) for check in ALL[2:4]]
    assert [result.verdict for result in results] == [Verdict.UNKNOWN, Verdict.CRITICAL]


def test_a_database_that_has_the_commits_migrations_is_ready(target, lab, there):
    result = evaluate(checks.migrated("main"), target)
    assert (result.verdict, "all 8 migrations" in result.summary) == (Verdict.OK, True)


def test_a_migration_that_the_database_lacks_is_named_with_its_runbook(lab, there, tmp_path):
    product.write(tmp_path / "checkout")
    settings = lab.settings.reading().model_copy(update={"checkout": tmp_path / "checkout"})
    product.commit(tmp_path / "checkout", {"supabase/migrations/20990101000000_later.sql": b"select 1;\n"})
    result = evaluate(checks.migrated("main"), ReadTarget(settings, "test"))
    assert (result.verdict, "first 20990101000000" in result.summary) == (Verdict.CRITICAL, True)
    assert "runbooks/migrate-database" in result.remedy
    assert evaluate(checks.migrated("no-such-branch"), ReadTarget(settings, "test")).verdict is Verdict.UNKNOWN


def test_a_function_that_wants_a_token_answers(there, target):
    there.function("hello", verify_jwt=True)
    assert evaluate(ALL[3], target).verdict is Verdict.OK


def test_a_secret_that_functions_need_and_is_not_set_is_named(there, target):
    there.secret("OPENAI_API_KEY", None)
    results = [evaluate(check, target) for check in ALL[3:5]]
    assert [result.verdict for result in results] == [Verdict.CRITICAL] * 2
    assert "Not set: OPENAI_API_KEY" in results[1].summary
    assert "llm-ready answers 500" in results[0].summary


def test_a_secret_named_as_public_is_critical(there, target):
    there.secret("VITE_TOGETHER_API_KEY", "tg-v1-in-every-browser")
    result = evaluate(ALL[5], target)
    assert (result.verdict, "VITE_TOGETHER_API_KEY" in result.summary) == (Verdict.CRITICAL, True)


def test_no_digest_is_in_a_reading(there, target):
    reading = take(probes.secrets(), target)
    assert digest("sk-somebodys-own-key") not in repr(reading)
    ours = next(row for row in reading.rows if row["secret"] == "OPENAI_API_KEY")
    assert (ours["set"], ours["needed"], ours["days"] > 0) == (True, True, True)


@pytest.mark.parametrize("updated", [None, "", "yesterday", "2026-11-01"])
def test_a_moment_that_is_none_is_not_guessed(updated):
    assert probes.days_since(updated) is None


@pytest.mark.parametrize("fault", first(5, "401", "403", "404", "malformed", "empty", "500"))
def test_what_supabase_does_not_tell_is_unknown_and_never_green(there, target, fault):
    with there.doors.fault("supabase", fault, path="/v1/"):
        results = [evaluate(check, target) for check in (*ALL[:3], *ALL[4:])]
    assert {result.verdict for result in results} == {Verdict.UNKNOWN}
    assert all("Supabase" in result.summary for result in results)


def test_without_the_projects_own_address_no_function_is_called(there, lab):
    settings = lab.settings.reading().model_copy(update={"supabase_site": None})
    assert evaluate(ALL[3], ReadTarget(settings, "test")).verdict is Verdict.UNKNOWN
