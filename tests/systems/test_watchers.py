"""The clients of Alertmanager, Grafana and Jaeger against the lab's stand-ins: as documented, reading only."""

import pytest
import yaml

from opslib.errors import SettingsError, Unreachable
from opslib.systems.alertmanager import ReadOnlyAlertmanager, Routing
from opslib.systems.grafana import ReadOnlyGrafana
from opslib.systems.jaeger import ReadOnlyJaeger
from tests import specs
from tests.watchers import watchers

ROUTES = {
    "route": {
        "receiver": "mail",
        "routes": [
            {"match": {"team": "data"}, "receiver": "data", "continue": True},
            {"matchers": ['severity=~"critical|page"', "env != lab"], "receiver": "pager", "routes": [
                {"match_re": {"alertname": "Disk.*"}, "receiver": "disk"},
            ]},
            {"matchers": ["severity=warning"]},
        ],
    },
    "receivers": [
        {"name": "mail", "email_configs": [{"to": "x"}]},
        {"name": "pager", "pagerduty_configs": [{"routing_key": "<secret>"}], "slack_configs": [{}]},
        {"name": "data", "slack_configs": []},
        {"name": "disk", "webhook_configs": [{"url": "<secret>"}]},
    ],
}  # fmt: skip


@pytest.fixture
def there(lab):
    with watchers(lab.settings) as made:
        yield made


@pytest.fixture(params=["alertmanager", "grafana", "jaeger"])
def asked(request, lab):
    """Return a name, and what asks that system one question."""
    kinds = {"alertmanager": ReadOnlyAlertmanager, "grafana": ReadOnlyGrafana, "jaeger": ReadOnlyJaeger}
    handle = kinds[request.param](lab.settings)
    question = {"alertmanager": "routing", "grafana": "health", "jaeger": "services"}[request.param]
    yield request.param, getattr(handle, question), kinds[request.param]
    handle.close()


@pytest.mark.parametrize(
    ("labels", "receivers", "kinds"),
    [
        ({"severity": "critical"}, ["pager"], ["pagerduty", "slack"]),
        ({"severity": "page", "env": "lab"}, ["mail"], ["email"]),
        ({"severity": "critical", "alertname": "DiskFills"}, ["disk"], ["webhook"]),
        ({"severity": "warning"}, ["mail"], ["email"]),
        ({"team": "data", "severity": "critical"}, ["data", "pager"], ["pagerduty", "slack"]),
        # An integration without a single configuration tells nobody.
        ({"team": "data"}, ["data"], []),
        ({}, ["mail"], ["email"]),
    ],
)
def test_an_alert_goes_the_first_way_that_fits_and_further_where_it_says_so(labels, receivers, kinds):
    routing = Routing(yaml.safe_dump(ROUTES))
    assert (routing.told(labels), routing.kinds(labels)) == (receivers, kinds)


@pytest.mark.parametrize("matcher", ["what is this", 'a=~"("', 'a=~"(x+)+y"', 'a=~"(x|xx)*y"', "a=" + "x" * 600])
def test_a_matcher_that_cannot_be_followed_makes_the_way_unknown(matcher):
    routes = {**ROUTES, "route": {"receiver": "mail", "routes": [{"matchers": [matcher], "receiver": "pager"}]}}
    with pytest.raises(Unreachable, match="cannot be followed here"):
        Routing(yaml.safe_dump(routes)).told({"a": "x" * 40})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "route: &a {routes: [*a]}\nreceivers: []", "route: 5", "a: [", "!!python/object/apply:os.system [id]"],
)
def test_a_configuration_that_is_none_is_unknown(text):
    with pytest.raises(Unreachable, match="cannot be read"):
        Routing(text)


def test_a_silence_covers_what_all_its_matchers_fit(lab, there):
    matchers = [
        {"name": "alertname", "value": "Err.*", "isRegex": True, "isEqual": True},
        {"name": "env", "value": "lab", "isRegex": False, "isEqual": False},
    ]
    there.put("alertmanager", silences=[{"matchers": matchers, "hours": 3, "by": "ann"}])
    (silence,) = ReadOnlyAlertmanager(lab.settings).silences()
    assert silence.covers({"alertname": "ErrorRate"})
    assert not silence.covers({"alertname": "ErrorRate", "env": "lab"})
    assert not silence.covers({"alertname": "DiskFills"})


def test_dashboards_are_read_with_the_panels_of_folded_rows(lab, there):
    grafana = ReadOnlyGrafana(lab.settings)
    found = grafana.dashboard("system-health")
    assert found is not None
    assert [panel.title for panel in found.leaves()] == ["Instances up", "Requests", "P95", "Database"]
    assert found.leaves()[0].queries == ['sum(up{job="valuecanvas-api"})']
    assert grafana.dashboard("nobody") is None
    assert [one.uid for one in grafana.titled("cost")] == ["cost-tracking"]
    assert grafana.health().database == "ok"


def test_services_that_trace_are_named_also_by_an_older_jaeger(lab, there):
    jaeger = ReadOnlyJaeger(lab.settings)
    assert jaeger.services() == ["valuecanvas-api"]
    there.put("jaeger", older=True)
    assert jaeger.services() == ["valuecanvas-api"]
    there.put("jaeger", services=[])
    assert jaeger.services() == []


def test_what_is_sent_and_answered_is_as_described(lab, there):
    every = [{"name": "alertname", "value": ".+", "isRegex": True, "isEqual": True}]
    there.put("alertmanager", silences=[{"matchers": every, "hours": 3, "by": "ann"}])
    alertmanager = ReadOnlyAlertmanager(lab.settings)
    alertmanager.routing()
    alertmanager.silences()
    ReadOnlyJaeger(lab.settings).services()
    ReadOnlyGrafana(lab.settings).health()
    described = {
        "alertmanager": specs.load("alertmanager-v2.yaml", "/alertmanager/api/v2"),
        "jaeger": specs.load("jaeger-v3.json", "/jaeger"),
    }
    faults = [
        fault for name, spec in described.items() for call in there.doors.calls(name) for fault in spec.faults(call)
    ]
    assert faults == []
    (health,) = there.doors.calls("grafana")
    assert specs.against("grafana-health.schema.json", yaml.safe_load(health["answer"])) == []
    methods = {call["method"] for name in ("alertmanager", "jaeger", "grafana") for call in there.doors.calls(name)}
    assert methods == {"GET"}


@pytest.mark.parametrize(("fault", "kind"), [("401", "unauthorized"), ("403", "forbidden"), ("malformed", "malformed")])
def test_each_failure_is_told_from_the_others(asked, there, fault, kind):
    name, ask, _ = asked
    with there.doors.fault(name, fault), pytest.raises(Unreachable) as told:
        ask()
    assert told.value.kind == kind


def test_without_an_address_or_a_token_that_is_known_nothing_is_told(asked, lab, there):
    name, _, kind = asked
    with pytest.raises(SettingsError, match=f"OPS_{name.upper()}_URL"):
        kind(lab.settings.model_copy(update={f"{name}_url": None}))
    without = lab.settings.model_copy(update={f"read_{name}_token": None})
    question = {"alertmanager": "routing", "grafana": "health", "jaeger": "services"}[name]
    with pytest.raises((SettingsError, Unreachable), match=r"OPS_READ_GRAFANA_TOKEN|token is not known"):
        getattr(kind(without), question)()
