"""Server-driven pages: stored ones of every wrong form, the registry of a commit, and what browsers meet."""

import json
from contextlib import closing

import pytest

from opslib.checks import sdui as checks
from opslib.errors import Unreachable
from opslib.lab.broken.sdui import FAULTS, PLANT, TAKE
from opslib.lab.vendors import product
from opslib.model import Verdict
from opslib.pictures import sdui as pictures
from opslib.probes import sdui as probes
from opslib.probes.sdui_source import REGISTRY, SCHEMA, supported
from opslib.runs.reading import evaluate, take
from opslib.systems.checkout import Checkout
from opslib.systems.target import PlanTarget
from tests.dependencies import elsewhere

STORED = (checks.version(), checks.schema(), checks.registry(), checks.markup(), checks.tenant())
BANNER = {"type": "component", "component": "InfoBanner", "version": 2, "props": {"title": "x"}}


@pytest.fixture
def there(lab):
    with elsewhere(lab.settings) as made:
        yield made


@pytest.fixture
def planted(lab):
    """Let the newest session hold one more page, as the test wants it."""

    def plant(own=True, **page):
        said = {"type": "page", "version": 2, "sections": [BANNER], **page}
        with lab.admin() as session:
            session.execute(PLANT, ("of-a-test", json.dumps(said), own))

    yield plant
    with lab.admin() as session:
        session.execute(TAKE, ("of-a-test", "of-a-test"))


def results(lab, *made, **more):
    with closing(PlanTarget(lab.settings.model_copy(update=more), "test")) as target:
        return [evaluate(check, target) for check in made]


def test_the_labs_pages_are_as_the_product_wants_them(lab, there):
    found = results(lab, *STORED, checks.unseen(), checks.reported())
    assert {one.check: one.verdict for one in found} == {one.check: Verdict.OK for one in found}
    assert "components that" in found[2].summary


WRONG = [
    ({"version": 3}, checks.version, Verdict.CRITICAL, "newer than version 2"),
    ({"sections": [{**BANNER, "component": "DataTable", "version": 2}]}, checks.version, Verdict.WARNING, "DataTable"),
    ({"version": "two"}, checks.schema, Verdict.CRITICAL, "version: no whole number"),
    ({"version": 0}, checks.schema, Verdict.CRITICAL, "version: no whole number"),
    ({"layout": "wide"}, checks.schema, Verdict.CRITICAL, "unknown keys layout"),
    ({"sections": []}, checks.schema, Verdict.CRITICAL, "at least one is required"),
    ({"sections": "none"}, checks.schema, Verdict.CRITICAL, "sections: no list"),
    ({"sections": [7]}, checks.schema, Verdict.CRITICAL, "one is no object"),
    ({"sections": [{"type": "widget"}]}, checks.schema, Verdict.CRITICAL, "widget is neither"),
    ({"sections": [{"type": "component", "component": ""}]}, checks.schema, Verdict.CRITICAL, "its name is required"),
    ({"sections": [{**BANNER, "type": "layout.directive"}]}, checks.schema, Verdict.CRITICAL, "intent: is required"),
    ({"sections": [{**BANNER, "props": [1]}]}, checks.schema, Verdict.CRITICAL, "props: no object"),
    ({"sections": [{**BANNER, "version": 1.5}]}, checks.schema, Verdict.CRITICAL, "sections.0.version"),
    (
        {"sections": [{**BANNER, "component": "ForecastCard"}]},
        checks.registry,
        Verdict.CRITICAL,
        "ForecastCard (1 pages)",
    ),
    ({"sections": [{**BANNER, "props": {}}]}, checks.registry, Verdict.WARNING, "InfoBanner without title"),
    (
        {"sections": [{**BANNER, "props": {"title": "<img src=x onerror=alert(1)>"}}]},
        checks.markup,
        Verdict.WARNING,
        "in InfoBanner",
    ),
    ({"own": False}, checks.tenant, Verdict.WARNING, "name no organization"),
    ({"own": False, "tenantId": "another"}, checks.tenant, Verdict.CRITICAL, "another organization"),
]


@pytest.mark.parametrize(("page", "check", "verdict", "said"), WRONG)
def test_a_page_of_a_wrong_form_is_found_by_its_check_and_what_it_says_is_not_shown(
    lab, planted, page, check, verdict, said
):
    planted(**page)
    (found,) = results(lab, check())
    assert (found.verdict, said in found.summary, bool(found.remedy)) == (verdict, True, True), found.summary
    assert "onerror" not in str(found)


def test_a_component_that_is_given_its_properties_later_lacks_none(lab, planted):
    planted(sections=[{**BANNER, "props": {}, "hydrateWith": ["/api/banner"]}])
    assert results(lab, checks.registry())[0].verdict is Verdict.OK


def test_a_page_is_found_wherever_it_lies_in_a_document(lab):
    page = {"deep": [{"er": {"type": "page", "version": 1, "sections": [{**BANNER, "component": "DeepCard"}]}}]}
    newest = "(select id from public.cases order by updated_at desc limit 1)"
    with lab.admin() as session:
        session.execute(f"update public.cases set metadata = %s where id = {newest}", (json.dumps(page),))
        try:
            (found,) = results(lab, checks.registry())
        finally:
            session.execute("update public.cases set metadata = '{}' where metadata <> '{}'")
    assert (found.verdict, "DeepCard" in found.summary) == (Verdict.CRITICAL, True)


def test_where_no_page_is_stored_nothing_is_green(lab):
    reading = take(probes.layouts("main", 1), lab.target)
    empty = type(reading)(**{**vars(reading), "rows": reading.rows[:1]})
    assert {check.judge(empty).verdict for check in STORED} == {Verdict.UNKNOWN}


def test_without_a_checkout_or_a_database_what_needs_it_is_unknown(lab):
    assert {one.verdict for one in results(lab, *STORED, checkout=None)} == {Verdict.UNKNOWN}
    assert {one.verdict for one in results(lab, *(check for check in [checks.registry("nowhere")]))} == {
        Verdict.UNKNOWN
    }
    away = lab.settings.read_database_url.with_path("nowhere")
    found = results(lab, *STORED, checks.unseen(), read_database_url=away)
    assert {one.verdict for one in found} == {Verdict.UNKNOWN}


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (SCHEMA, b"export const OTHER = 2;", "names no SDUI_VERSION"),
        (REGISTRY, b"export const registry = {};", "registers nothing"),
        (SCHEMA, b"// const SDUI_VERSION = 9", "names no SDUI_VERSION"),
    ],
)
def test_a_source_that_is_not_read_is_said_to_be_so(tmp_path, path, text, said):
    folder = tmp_path / "checkout"
    product.write(folder)
    product.commit(folder, {path: text})
    with pytest.raises(Unreachable, match=said):
        supported(Checkout(folder), "main")


def test_a_registry_is_read_with_comments_and_registrations_at_run_time(tmp_path):
    folder = tmp_path / "checkout"
    product.write(folder)
    more = b"""const base: Record<string, Entry> = {
  // Gone: { component: Gone, versions: [1] },
  Card: { component: ui.Card, versions: [1, 2], requiredProps: ['title', "nodes"], description: 'a' },
  Bare: { component: Bare, versions: [1] },
};
registerComponent('Late', entry);
"""
    product.commit(folder, {REGISTRY: more})
    found = supported(Checkout(folder), "main").components
    assert set(found) == {"Card", "Bare", "Late"}
    assert (found["Card"].versions, found["Card"].demands) == ((1, 2), ("title", "nodes"))


def test_the_picture_shows_what_is_named_and_not_registered(lab, planted):
    planted(sections=[BANNER, {**BANNER, "component": "ForecastCard"}])
    drawn = pictures.components(take(probes.layouts("main", 500), lab.target))
    assert "1 not registered" in drawn.alternative
    assert all(word in drawn.svg for word in ("ForecastCard", "not registered", "InfoBanner"))
    with closing(PlanTarget(lab.settings.model_copy(update={"checkout": None}), "test")) as target:
        assert pictures.components(take(probes.layouts("main", 500), target)).alternative.startswith("Unknown")


@pytest.mark.parametrize(
    "title", ["Component not found: ForecastCard", "ChunkLoadError: Loading chunk 7 failed", "[SDUI] Invalid page"]
)
def test_what_users_browsers_report_is_critical(lab, there, title):
    there.issue(title=title, users=3)
    (found,) = results(lab, checks.reported())
    assert (found.verdict, title in found.summary) == (Verdict.CRITICAL, True)


def test_another_issue_is_not_taken_for_it_and_silence_is_unknown(lab, there):
    there.issue(title="TypeError: value is null")
    assert results(lab, checks.reported())[0].verdict is Verdict.OK
    there.sentry(outcomes=[], issues=[])
    assert results(lab, checks.reported())[0].verdict is Verdict.UNKNOWN
    with there.doors.fault("sentry", "401"):
        assert results(lab, checks.reported())[0].verdict is Verdict.UNKNOWN


def opened(**more):
    row = {"status": 200, "characters": 72, "kept_away": 0, "blocked": [], "failed": [], "errors": [], **more}
    reading = type("Reading", (), {"rows": (row,)})
    return checks.opened.judge(reading)


@pytest.mark.parametrize(
    ("more", "verdict", "said"),
    [
        ({}, Verdict.OK, "behind the log-in is not seen"),
        ({"blocked": ["Refused to load x"]}, Verdict.CRITICAL, "Refused"),
        ({"failed": ["/assets/a.js: answers 404"]}, Verdict.CRITICAL, "answers 404"),
        ({"errors": ["Error: no"]}, Verdict.CRITICAL, "Error: no"),
        ({"errors": ["Failed to fetch"], "kept_away": 2}, Verdict.WARNING, "kept away here"),
        ({"characters": 0}, Verdict.CRITICAL, "Nothing stands"),
        ({"status": 401}, Verdict.UNKNOWN, "401"),
    ],
)
def test_what_a_browser_met_is_judged(more, verdict, said):
    found = opened(**more)
    assert (found.verdict, said in found.summary) == (verdict, True), found.summary


def test_the_tree_leads_from_what_is_seen_to_a_check_and_excludes_nothing_that_was_not_seen():
    (tree,) = checks.TREES
    assert set(tree.codes) == {"SDUI_001", "SDUI_002"}
    states = tree.states({"sdui-registry": Verdict.CRITICAL, "sdui-schema": Verdict.OK, "sdui-opened": Verdict.UNKNOWN})
    assert (states["sdui-registry"], states["sdui-schema"], states["sdui-opened"]) == (
        "explains",
        "excluded",
        "not seen",
    )
    assert {fault.check for fault in FAULTS} <= {branch.check.name for branch in tree.branches}
