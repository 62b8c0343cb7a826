"""What is said of the front end's production, by rule, and on the stand-ins in each of their states."""

from contextlib import closing
from datetime import UTC, datetime

import pytest

from opslib.checks import frontend as checks
from opslib.model import Reading, Verdict
from opslib.runs.reading import evaluate, judge
from opslib.systems.publishable import secret_by_name
from opslib.systems.target import PlanTarget
from tests.hosters import STAND_INS, of
from tests.vendors import Doors

CHECKS = (checks.live, checks.held_back, checks.served, checks.way_back, checks.migrations, checks.variables)


@pytest.fixture(params=STAND_INS)
def hoster(request, lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield of(lab.settings, doors, request.param)


def look(hoster, check):
    with closing(PlanTarget(hoster.settings, "test")) as target:
        return evaluate(check, target)


def said(check, *rows, unknown=None):
    reading = Reading("test", "test", "lab", datetime(2026, 11, 23, tzinfo=UTC), 0.1, tuple(rows), unknown=unknown)
    return judge(check, reading)


def test_a_quiet_front_end_is_all_right(hoster):
    found = {check.name: look(hoster, check).verdict for check in CHECKS}
    # Cloudflare does not say when a variable was set.
    expected = Verdict.UNKNOWN if hoster.name == "cloudflare" else Verdict.OK
    assert found.pop("front-end-variables") is expected
    assert found == dict.fromkeys(found, Verdict.OK)


def test_after_a_rollback_it_is_said_whether_pushes_go_live(hoster):
    hoster.put(move_seconds=0)
    with hoster.moving() as handle:
        handle.roll_back(hoster.ids["before"])
    held = look(hoster, checks.held_back)
    assert held.verdict is (Verdict.WARNING if hoster.name == "vercel" else Verdict.OK)
    assert look(hoster, checks.live).verdict is Verdict.OK
    assert look(hoster, checks.served).verdict is Verdict.OK
    assert hoster.ids["older"] in look(hoster, checks.way_back).summary


def test_a_lock_at_netlify_holds_pushes_back(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        hoster = of(lab.settings, doors, "netlify")
        hoster.put(automatic=False)
        assert look(hoster, checks.held_back).verdict is Verdict.WARNING


def test_a_move_that_is_under_way_or_failed_is_told(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        hoster = of(lab.settings, doors, "vercel")
        hoster.put(move_seconds=60)
        with hoster.moving() as handle:
            handle.roll_back(hoster.ids["before"])
        moving = look(hoster, checks.live)
        hoster.put(request={**hoster.state["request"], "seconds": 0, "fails": True})
        failed = look(hoster, checks.live)
    assert (moving.verdict, "is under way" in moving.summary) == (Verdict.WARNING, True)
    assert (failed.verdict, "failed" in failed.summary) == (Verdict.WARNING, True)


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ("404", Verdict.CRITICAL),
        ("500", Verdict.CRITICAL),
        ("502", Verdict.CRITICAL),
        ("empty", Verdict.CRITICAL),
        ("malformed", Verdict.CRITICAL),
        ("401", Verdict.UNKNOWN),
        ("429", Verdict.UNKNOWN),
        ("cut", Verdict.UNKNOWN),
    ],
)
def test_what_users_get_instead_of_the_front_end_is_no_success(hoster, fault, verdict):
    with hoster.doors.fault(hoster.name, fault, path="/sites/production"):
        assert look(hoster, checks.served).verdict is verdict


def test_deployments_behind_a_log_in_are_not_compared(hoster):
    hoster.put(protected=True)
    found = look(hoster, checks.served)
    assert (found.verdict, "could not be compared" in found.summary) == (Verdict.UNKNOWN, True)
    assert "deployment protection" in found.remedy


def test_an_alias_that_leads_elsewhere_is_seen(hoster):
    wrong = f"{hoster.doors.url}/{hoster.name}/sites/{hoster.ids['older']}"
    hoster.settings = hoster.settings.model_copy(update={"front_end_url": wrong})
    found = look(hoster, checks.served)
    assert (found.verdict, "another document" in found.summary) == (Verdict.CRITICAL, True)


def test_where_nothing_is_left_to_go_back_to_it_is_said(hoster):
    for name in ("before", "older"):
        hoster.change(name, state="failed")
    assert look(hoster, checks.way_back).verdict is Verdict.WARNING
    assert look(hoster, checks.migrations).verdict is Verdict.WARNING


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("fault", ["401", "402", "403", "404", "409", "422", "malformed", "empty"])
def test_a_hoster_that_cannot_be_asked_is_never_green(hoster, check, fault):
    with hoster.doors.fault(hoster.name, fault):
        found = look(hoster, check)
    assert found.verdict is Verdict.UNKNOWN
    assert found.summary.startswith("Could not look")


ROW = {
    "hoster": "vercel",
    "project": "prj",
    "deployment": "dpl_1",
    "state": "READY",
    "ready": True,
    "commit": None,
    "held_back": False,
    "move": None,
    "move_to": None,
}


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({}, Verdict.OK),
        ({"deployment": None}, Verdict.CRITICAL),
        ({"ready": False, "state": "ERROR"}, Verdict.CRITICAL),
        ({"move": "failed"}, Verdict.WARNING),
        ({"move": "under way"}, Verdict.WARNING),
        ({"move": "done"}, Verdict.OK),
    ],
)
def test_who_is_live_is_judged_by_rule(row, verdict):
    assert said(checks.live, ROW | row).verdict is verdict


def test_whether_pushes_go_live_is_not_guessed():
    assert said(checks.held_back, ROW | {"held_back": None}).verdict is Verdict.UNKNOWN


SERVED = {"deployment": "dpl_1", "moving": False, "production": "https://a", "production_is": "served", "why": ""}
SERVED |= {"own_is": "served", "compared": "same", "production_status": 200}


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({}, Verdict.OK),
        ({"compared": "same files"}, Verdict.OK),
        ({"compared": "different"}, Verdict.CRITICAL),
        ({"compared": "different", "moving": True}, Verdict.WARNING),
        ({"compared": "unknown", "own_is": "elsewhere"}, Verdict.UNKNOWN),
        ({"production_is": "elsewhere"}, Verdict.UNKNOWN),
        ({"production_is": "unreachable"}, Verdict.UNKNOWN),
        ({"production_is": "odd"}, Verdict.UNKNOWN),
    ],
)
def test_what_is_served_is_judged_by_rule(row, verdict):
    assert said(checks.served, SERVED | row).verdict is verdict


BACK = {"deployment": "dpl_0", "back": True, "newer": 0, "undated": 0, "applied": 8}


BUILT = {"deployment": "dpl_0", "back": True, "newer": [], "untold": [], "variables": 2}


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({}, Verdict.OK),
        ({"newer": ["KEY"]}, Verdict.WARNING),
        ({"newer": ["KEY"], "untold": ["B"]}, Verdict.WARNING),
        ({"untold": ["B"]}, Verdict.UNKNOWN),
        ({"back": False}, Verdict.WARNING),
    ],
)
def test_variables_are_judged_by_rule(row, verdict):
    assert said(checks.variables, BUILT | row).verdict is verdict


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({}, Verdict.OK),
        ({"newer": 2}, Verdict.WARNING),
        ({"undated": 1}, Verdict.UNKNOWN),
        ({"newer": 2, "undated": 1}, Verdict.UNKNOWN),
        ({"back": False}, Verdict.WARNING),
    ],
)
def test_migrations_are_judged_by_rule(row, verdict):
    assert said(checks.migrations, BACK | row).verdict is verdict


PIPELINE = {"hoster": "cloudflare", "builds": True, "repository": "a/b", "meant": "A/b", "branch": "main"}
AS_MEANT = {"command": "npm run build", "output": "dist", "node": "22.x"}


@pytest.mark.parametrize(
    ("more", "verdict", "words"),
    [
        ({}, Verdict.OK, "Node 22.x"),
        ({"output": "/dist/"}, Verdict.OK, "builds main"),
        ({"repository": None}, Verdict.CRITICAL, "No repository"),
        ({"repository": "c/d"}, Verdict.CRITICAL, "not A/b"),
        ({"meant": None}, Verdict.UNKNOWN, "GITHUB_REPOSITORY"),
        ({"command": None}, Verdict.WARNING, "not said"),
        ({"command": "make"}, Verdict.WARNING, "make"),
        ({"output": "build"}, Verdict.WARNING, "build"),
        ({"node": None}, Verdict.WARNING, "not pinned"),
        ({"node": "18"}, Verdict.WARNING, "Node 18 gets no corrections"),
        ({"builds": False, "repository": None}, Verdict.OK, "uploaded"),
        ({"builds": False}, Verdict.WARNING, "a push goes live"),
    ],
)
def test_how_the_front_end_is_built_is_judged(more, verdict, words):
    judged = said(checks.pipeline, {**PIPELINE, **AS_MEANT, **more})
    assert (judged.verdict, words in judged.summary) == (verdict, True), judged.summary


def test_as_the_labs_hosters_build_it(hoster):
    found = look(hoster, checks.pipeline)
    # Cloudflare keeps Node's version as a variable, and nobody set it.
    assert found.verdict is (Verdict.WARNING if hoster.name == "cloudflare" else Verdict.OK), found.summary
    if hoster.name == "cloudflare":
        pinned = {"name": "NODE_VERSION", "secret": False, "updated": 1.0, "value": "22"}
        hoster.put(variables=[*hoster.state["variables"], pinned])
        assert look(hoster, checks.pipeline).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("variables", "verdict", "words"),
    [
        ({"VITE_APP_URL": True}, Verdict.OK, "None of 1 public variables"),
        ({"NEXT_PUBLIC_X_KEY": False, "VITE_APP_URL": True}, Verdict.WARNING, "builds publish: NEXT_PUBLIC_X"),
        ({"NEXT_PUBLIC_X_KEY": False, "VITE_X_KEY": True}, Verdict.CRITICAL, "every"),
    ],
)
def test_a_secret_that_only_another_frameworks_build_would_publish_is_a_warning(variables, verdict, words):
    rows = [
        {"variable": name, "kept_as": "plain", "updated": None, "secret": secret_by_name(name), "published": published}
        for name, published in variables.items()
    ]
    result = said(checks.public, *rows)
    assert (result.verdict, words in result.summary) == (verdict, True), result.summary


def test_the_hosters_variables_are_told_by_every_frameworks_prefix(hoster):
    found = look(hoster, checks.public)
    assert (found.verdict, bool(found.rows)) == (Verdict.OK, True), found.summary
    assert all(row["published"] and row["variable"].startswith("VITE_") for row in found.rows)
