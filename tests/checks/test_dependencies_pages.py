"""Vendors' status pages as the checks judge them: what the product needs, and nothing else."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from opslib.checks import dependencies as checks
from opslib.model import Verdict
from opslib.pictures.dependencies import vendors
from opslib.probes.dependencies_pages import _component
from opslib.runs.display import bundle
from opslib.runs.reading import evaluate
from opslib.systems.status_page_forms import Component, State
from opslib.systems.target import ReadTarget
from tests.dependencies import elsewhere
from tests.scale import first

HOSTILE = "<script>alert(1)</script> \x1b[2J \u202ereversed | **bold** [x](javascript:alert(1)) {{7*7}}"


@pytest.fixture
def there(lab):
    with elsewhere(lab.settings) as made:
        yield made


@pytest.fixture
def judged(lab):
    target = ReadTarget(lab.settings.reading(), "test")
    yield lambda check=None: evaluate(check or checks.vendors(), target)
    target.close()


def line(result, vendor):
    return next(row for row in result.rows if row["vendor"] == vendor)


def others(result, vendor):
    return {row["verdict"] for row in result.rows if row["vendor"] != vendor}


def test_vendors_that_report_nothing_are_ok_and_ready_for_a_deployment(there, judged):
    result = judged()
    assert result.verdict is Verdict.OK, result.summary
    assert (len(result.rows), result.remedy) == (9, "")
    ready = judged(checks.ready_to_deploy())
    assert ready.verdict is Verdict.OK
    assert [row["vendor"] for row in ready.rows] == ["vercel", "supabase", "github"]


@pytest.mark.parametrize(
    ("state", "verdict", "strictly"),
    [
        ("degraded_performance", Verdict.WARNING, Verdict.CRITICAL),
        ("partial_outage", Verdict.WARNING, Verdict.CRITICAL),
        ("under_maintenance", Verdict.WARNING, Verdict.CRITICAL),
        ("major_outage", Verdict.CRITICAL, Verdict.CRITICAL),
        ("a_new_word", Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_a_component_that_is_not_operational_is_found_with_its_word_and_gone_when_it_is_mended(
    there, judged, state, verdict, strictly
):
    there.component("supabase", "Database", state)
    result = judged()
    assert (result.verdict, state in result.summary, line(result, "supabase")["operational"]) == (
        verdict,
        True,
        "3 of 4",
    )
    assert others(result, "supabase") == {"OK"}
    assert "vendor's page" in result.remedy
    assert judged(checks.ready_to_deploy()).verdict is strictly
    there.component("supabase", "Database", "operational")
    assert judged().verdict is Verdict.OK


@pytest.mark.parametrize(
    ("impact", "status", "verdict", "strictly"),
    [
        ("minor", "investigating", Verdict.WARNING, Verdict.CRITICAL),
        ("major", "identified", Verdict.WARNING, Verdict.CRITICAL),
        ("critical", "monitoring", Verdict.CRITICAL, Verdict.CRITICAL),
        ("minor", "monitoring", Verdict.WARNING, Verdict.WARNING),
        ("none", "investigating", Verdict.WARNING, Verdict.WARNING),
        ("enormous", "investigating", Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_an_incident_counts_though_every_component_is_operational(there, judged, impact, status, verdict, strictly):
    there.incident("github", "Actions", impact=impact, status=status)
    result = judged()
    assert (result.verdict, "Elevated errors" in result.summary, "on Actions" in result.summary) == (
        verdict,
        True,
        True,
    )
    assert judged(checks.ready_to_deploy()).verdict is strictly


def test_an_incident_of_what_the_product_does_not_need_is_counted_and_not_judged(there, judged):
    there.incident("github", "Pages", impact="critical")
    there.component("github", "Pages", "major_outage")
    result = judged()
    assert (result.verdict, line(result, "github")["elsewhere"]) == (Verdict.OK, 1)


@pytest.mark.parametrize(
    ("impact", "verdict"), [("minor", Verdict.WARNING), ("major", Verdict.UNKNOWN), ("critical", Verdict.UNKNOWN)]
)
@pytest.mark.parametrize("vendor", ["openai", "github"])
def test_a_grave_incident_that_names_nothing_is_unknown(there, judged, vendor, impact, verdict):
    there.incident(vendor, impact=impact)
    result = judged()
    assert (result.verdict, "names nothing that it affects" in result.summary) == (verdict, True)


@pytest.mark.parametrize(
    ("impact", "verdict"), [("1", "WARNING"), ("2", "WARNING"), ("3", "CRITICAL"), ("9", "UNKNOWN")]
)
def test_an_event_of_aws_counts_for_a_service_that_is_needed(there, judged, impact, verdict):
    there.incident("aws", "multipleservices-us-east-1", "s3-us-east-1", impact=impact)
    assert line(judged(), "aws")["verdict"] == verdict
    there.incident("aws", "s3-me-central-1", impact="3")
    assert line(judged(), "aws")["verdict"] == "OK"


@pytest.mark.parametrize("state", ["downtime", "degraded", "maintenance", "not_monitored"])
def test_a_resource_of_better_stack_counts(there, judged, state):
    there.component("together", "Chat completions", state)
    wanted = {"downtime": "CRITICAL", "not_monitored": "UNKNOWN"}.get(state, "WARNING")
    assert line(judged(), "together")["verdict"] == wanted


@pytest.mark.parametrize(("hours", "verdict"), [(3, Verdict.WARNING), (30, Verdict.OK)])
def test_a_planned_maintenance_counts_when_it_is_near(there, judged, hours, verdict):
    there.maintenance("vercel", "Builds", hours=hours)
    result = judged()
    assert (result.verdict, "is planned for" in result.summary) == (verdict, verdict is Verdict.WARNING)
    assert judged(checks.vendors(hours=2)).verdict is Verdict.OK
    assert judged(checks.ready_to_deploy(hours=24)).verdict is verdict


def test_a_maintenance_that_does_not_say_when_or_what_is_a_warning(there, judged):
    there.maintenance("vercel", "Builds", begins=None)
    assert "does not say for when" in judged().summary
    there.maintenance("vercel", hours=3)
    result, ready = judged(), judged(checks.ready_to_deploy(hours=24))
    assert (result.verdict, ready.verdict) == (Verdict.WARNING, Verdict.WARNING)
    assert "names nothing that it affects" in result.summary


def test_a_maintenance_under_way_that_names_nothing_stops_nobody(there, judged):
    there.maintenance("vercel", hours=-1, status="in_progress")
    assert judged(checks.ready_to_deploy()).verdict is Verdict.WARNING


def test_of_components_with_one_name_the_worst_counts():
    listed = [Component("API", state, str(state)) for state in (State.MAINTENANCE, State.OUTAGE, State.OPERATIONAL)]
    assert _component("x", "API", tuple(listed))["state"] == "outage"
    assert _component("x", "API", (listed[2], listed[0]))["state"] == "maintenance"


def test_a_maintenance_under_way_stops_a_deployment(there, judged):
    there.maintenance("vercel", "Builds", hours=-1, status="in_progress")
    assert judged().verdict is Verdict.WARNING
    ready = judged(checks.ready_to_deploy())
    assert (ready.verdict, "is under way" in ready.summary) == (Verdict.CRITICAL, True)


def test_a_component_that_the_page_does_not_list_is_unknown_and_the_nearest_is_named(there, judged):
    there.page(
        "github", components={"Git Operations": "operational", "API Requests": "operational", "Action": "operational"}
    )
    result = judged()
    assert (result.verdict, "'Actions'; it has 'Action'" in result.summary) == (Verdict.UNKNOWN, True)


def test_a_page_that_was_left_behind_or_lay_in_a_cache_is_unknown(there, judged):
    old = (datetime.now(UTC) - timedelta(days=40)).isoformat()
    there.page("sentry", updated=old)
    result = judged()
    assert (result.verdict, "left behind" in result.summary) == (Verdict.UNKNOWN, True)
    assert judged(checks.vendors(stale_days=60)).verdict is Verdict.OK
    there.page("sentry", updated=None, age=7200)
    assert "is 2 h old" in judged().summary


@pytest.mark.parametrize(
    "fault", first(5, "404", "malformed", "empty", "403", "500", "401", "400", "402", "409", "422", "503", "502")
)
def test_a_page_that_cannot_be_read_is_unknown_and_the_others_are_judged(there, judged, fault):
    there.component("supabase", "Database", "degraded_performance")
    with there.doors.fault("status", fault, path="/github/"):
        result, ready = judged(), judged(checks.ready_to_deploy())
    assert (result.verdict, line(result, "github")["verdict"]) == (Verdict.UNKNOWN, "UNKNOWN")
    assert "The status page of github" in result.summary
    assert (line(result, "supabase")["verdict"], line(result, "vercel")["verdict"]) == ("WARNING", "OK")
    assert ready.verdict is Verdict.CRITICAL  # of Supabase's; never green
    assert judged().verdict is Verdict.WARNING


def test_a_page_for_people_proves_nothing_though_it_answers_200(there, judged):
    with there.doors.fault("status", "malformed", path="/aws/"):
        result = judged()
    assert (result.verdict, line(result, "aws")["verdict"]) == (Verdict.UNKNOWN, "UNKNOWN")
    assert "200, no JSON" in result.summary
    assert others(result, "aws") == {"OK"}


def test_a_page_that_wants_one_to_wait_for_longer_than_one_has_is_unknown(there, judged):
    with there.doors.fault("status", "429", seconds=30, path="/github/"):
        result = judged(checks.ready_to_deploy())
    assert (result.verdict, "too many requests" in result.summary) == (Verdict.UNKNOWN, True)


def described(lab, **said):
    settings = lab.settings.reading().model_copy(update=said)
    return lambda check: evaluate(check, ReadTarget(settings, "test"))


def test_without_pages_or_components_nobody_says_ok(lab, there):
    nothing = described(lab, status_pages=(), status_components=())
    assert nothing(checks.vendors()).verdict is Verdict.UNKNOWN
    assert nothing(checks.ready_to_deploy()).verdict is Verdict.UNKNOWN
    unnamed = described(lab, status_components=())(checks.vendors())
    assert (unnamed.verdict, {row["verdict"] for row in unnamed.rows}) == (Verdict.UNKNOWN, {"UNKNOWN"})
    assert "OPS_STATUS_COMPONENTS" in unnamed.summary


def test_the_pages_that_the_guide_names_are_asked_for(lab, there):
    pages = tuple(page for page in lab.settings.status_pages if not page.startswith("together="))
    needs = tuple(need for need in lab.settings.status_components if not need.startswith("together="))
    result = described(lab, status_pages=pages, status_components=needs)(checks.vendors())
    assert (result.verdict, "names no page of together" in result.summary) == (Verdict.UNKNOWN, True)


def test_who_hosts_is_the_descriptions_word(lab, there):
    assert "OPS_HOSTER is not" in described(lab, hoster=None)(checks.ready_to_deploy()).summary
    pages = tuple(page for page in lab.settings.status_pages if not page.startswith("netlify="))
    without = described(lab, hoster="netlify", status_pages=pages)
    assert "no page of netlify" in without(checks.ready_to_deploy()).summary
    assert described(lab, hoster="netlify")(checks.ready_to_deploy()).verdict is Verdict.OK


def test_hostile_titles_stay_text(there, judged):
    there.incident("github", "Actions", name=HOSTILE)
    there.component("supabase", "Database", HOSTILE)
    result = judged()
    assert result.verdict is Verdict.UNKNOWN
    for shown in bundle(result), bundle(vendors(result.reading)):
        said = json.dumps(shown, ensure_ascii=False)
        assert "<script" not in shown["text/html"]
        assert not [sign for sign in ("\x1b", "\u202e") if sign in shown["text/html"] + shown["text/plain"]]
        assert "alert(1)" in said
