"""Status pages of all forms: what the lab serves is as described, and what cannot be read is told, never guessed."""

import json

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.systems import status_page_forms as forms
from opslib.systems.status_page_forms import State
from opslib.systems.status_pages import NEXT, StatusPages
from opslib.systems.web import Reader
from tests import specs
from tests.dependencies import elsewhere
from tests.scale import first

VENDORS = {"github": "statuspage", "openai": "statuspage", "together": "better stack", "aws": "aws"}


@pytest.fixture
def there(lab):
    with elsewhere(lab.settings) as made:
        yield made


@pytest.fixture
def pages(lab):
    handle = StatusPages(lab.settings)
    yield handle
    handle.close()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_form_is_told_by_its_shape(pages, there, vendor):
    page = pages.page(vendor)
    assert page.form == VENDORS[vendor]
    assert page.events == ()
    assert (page.components is None) == (vendor == "aws")


@pytest.mark.parametrize("vendor", ["github", "openai"])
def test_incidents_and_maintenance_of_a_statuspage_are_read_with_what_they_name(pages, there, vendor):
    part = "Actions" if vendor == "github" else "Embeddings"
    there.component(vendor, part, "partial_outage")
    there.incident(vendor, part, impact="major")
    there.maintenance(vendor, part, hours=3)
    page = pages.page(vendor)
    incident, maintenance = page.events
    named = (part,) if vendor == "github" else ()  # incident.io names none
    assert (incident.impact, incident.word, incident.components) == (State.PARTIAL, "investigating", named)
    assert (maintenance.maintenance, maintenance.begun, maintenance.components) == (True, False, named)
    assert maintenance.begins < maintenance.ends
    assert {one.name: one.state for one in page.components}[part] is State.PARTIAL


def test_what_is_over_is_no_event(pages, there):
    there.incident("github", "Actions", status="resolved")
    there.incident("together", "Chat completions", status="resolved")
    there.incident("aws", "s3-us-east-1", impact="0")
    assert [pages.page(vendor).events for vendor in ("github", "together", "aws")] == [(), (), ()]


def test_a_report_of_better_stack_is_open_until_its_state_says_so(pages, there):
    there.component("together", "Chat completions", "downtime")
    there.incident("together", "Chat completions", status="downtime")
    there.maintenance("together", "Fine-tuning", hours=3)
    page = pages.page("together")
    incident, maintenance = page.events
    assert (incident.impact, incident.components, incident.maintenance) == (State.OUTAGE, ("Chat completions",), False)
    assert (maintenance.begun, maintenance.components) == (False, ("Fine-tuning",))
    assert [one.state for one in page.components] == [State.OUTAGE, State.OPERATIONAL]


def test_an_event_of_aws_names_every_service_that_it_touches(pages, there):
    there.incident("aws", "multipleservices-us-east-1", "s3-us-east-1", impact="3", name="Région – 東京")
    (event,) = pages.page("aws").events
    assert (event.title, event.impact) == ("Région – 東京", State.OUTAGE)
    assert event.components == ("multipleservices-us-east-1", "s3-us-east-1")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-be", "utf-16-le"])
def test_a_body_is_decoded_by_its_mark(encoding):
    from opslib.systems.status_pages import _text

    mark = {"utf-16-be": b"\xfe\xff", "utf-16-le": b"\xff\xfe"}.get(encoding, b"")
    assert _text(mark + "[“é”]".encode(encoding)) == "[“é”]"


def test_how_long_an_answer_lay_in_a_cache_is_kept(pages, there):
    there.page("github", age=7200)
    assert pages.page("github").age == 7200
    there.page("github", age=0)
    assert pages.page("github").age < 60


def test_a_component_is_called_by_its_name_or_with_its_group():
    said = {
        "page": {"name": "X"},
        "components": [
            {"id": "g", "name": "Europe", "status": "operational", "group": True},
            {"id": "a", "name": "API", "status": "odd_word", "group_id": "g"},
        ],
        "incidents": [],
        "scheduled_maintenances": [],
    }
    europe, api = forms.read(said).components
    assert (api.is_called("API"), api.is_called("Europe / API"), europe.is_called("API")) == (True, True, False)
    assert (api.state, api.word) == (State.UNKNOWN, "odd_word")


def test_what_an_open_event_no_longer_touches_is_not_named():
    part = {"type": "status_page_resource"}
    parts = [{**part, "id": name, "attributes": {"public_name": name, "status": "operational"}} for name in ("a", "b")]
    states = (("a", "resolved"), ("b", "degraded"))
    touched = [{"status_page_resource_id": name, "status": state} for name, state in states]
    told = {"title": "x", "aggregate_state": "degraded", "affected_resources": touched}
    page = {"data": {"type": "status_page", "attributes": {"company_name": "x"}}}
    (event,) = forms.read(
        {**page, "included": [*parts, {"id": "9", "type": "status_report", "attributes": told}]}
    ).events
    assert event.components == ("b",)
    services = {"s3-us-east-1": {"current": "0"}, "sqs-us-east-1": {"current": 2}}
    (event,) = forms.read([{"service": "many", "status": "2", "impacted_services": services}]).events
    assert event.components == ("many", "sqs-us-east-1")


def test_titles_are_one_line_of_a_bounded_length(pages, there):
    there.incident("github", "Actions", name="a\r\n\tb " + "x" * 500)
    (event,) = pages.page("github").events
    assert event.title.startswith("a b xxx")
    assert len(event.title) == forms.LONGEST_TITLE


@pytest.mark.parametrize(
    ("fault", "kind"),
    first(
        6,
        ("404", "missing"),
        ("malformed", "malformed"),
        ("empty", "malformed"),
        ("500", "broken"),
        ("403", "forbidden"),
        ("401", "unauthorized"),
        ("400", "rejected"),
        ("402", "unpaid"),
        ("409", "conflict"),
        ("422", "rejected"),
    ),
)
def test_each_failure_is_told_from_the_others_and_never_means_down(pages, there, fault, kind):
    with there.doors.fault("status", fault, path="/github/"), pytest.raises(Unreachable) as told:
        pages.page("github")
    assert (told.value.kind, told.value.next_step) == (kind, NEXT)
    assert "The status page of github" in told.value.message
    assert pages.page("supabase").events == ()


@pytest.mark.parametrize("fault", ["429", "500", "cut"])
def test_what_passes_is_asked_again(pages, there, fault):
    with there.doors.fault("status", fault, times=1, seconds=0.1):
        assert pages.page("github").form == "statuspage"
    assert len(there.doors.calls("status")) >= 2


def test_a_slow_page_is_given_up(pages, there):
    with there.doors.fault("status", "slow", seconds=5), pytest.raises(Unreachable) as told:
        pages.page("github", seconds=0.5)
    assert told.value.kind == "slow"


def test_a_page_that_sends_elsewhere_is_not_followed(lab, there):
    elsewhere_ = lab.settings.model_copy(update={"status_pages": (f"x={there.doors.url}/status/sites/github/",)})
    with pytest.raises(Unreachable):
        StatusPages(elsewhere_).page("x")


@pytest.mark.parametrize(
    "said",
    [
        "null",
        "7",
        '"text"',
        "{}",
        "[1]",
        "[[]]",
        '{"page": {}, "components": []}',
        '{"page": {"name": "x"}, "components": {}}',
        '{"page": {"name": "x"}, "components": [{"name": 1}], "incidents": [], "scheduled_maintenances": []}',
        '{"data": {"type": "status_page"}}',
        '{"data": {"type": "status_page", "attributes": {}}, "included": 7}',
        '[{"service": "s3", "status": null}]',
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
    ids=range(14),
)
def test_a_document_of_another_shape_is_malformed(said):
    from opslib.systems.api_errors import Vendor
    from opslib.systems.status_pages import _read
    from opslib.systems.web_exchange import Answer

    with pytest.raises(Unreachable) as told:
        _read(
            Vendor("The status page of x", "OPS_STATUS_PAGES"), "GET https://x", Answer(200, {}, "", 0.1, said.encode())
        )
    assert told.value.kind == "malformed"


def test_a_vendor_without_a_page_is_told_and_nothing_is_asked(pages, there):
    with pytest.raises(SettingsError, match="OPS_STATUS_PAGES names no page of pagerduty"):
        pages.page("pagerduty")
    assert there.doors.calls("status") == []


def test_no_credential_is_sent_to_a_page(pages, there):
    pages.page("github")
    (call,) = there.doors.calls("status")
    assert call["method"] == "GET"
    assert not [name for name in call["headers"] if name.lower() in ("authorization", "apikey", "x-api-key", "cookie")]


@pytest.mark.parametrize(
    ("vendor", "name"),
    [
        ("github", "statuspage-summary"),
        ("supabase", "statuspage-summary"),
        ("together", "betterstack-index"),
        ("aws", "aws-public-currentevents"),
    ],
)
def test_what_the_lab_serves_is_as_the_vendors_describe_it(lab, there, vendor, name):
    there.incident(vendor, *(("s3-us-east-1",) if vendor == "aws" else ()), impact="2" if vendor == "aws" else "major")
    if vendor != "aws":
        there.maintenance(vendor)
    answer = Reader().get(lab.settings.pages()[vendor])
    said = json.loads(answer.data.decode("utf-16") if vendor == "aws" else answer.text)
    assert specs.against(f"{name}.schema.json", said) == []
