"""Who watches the target, in its description: what fits, what is refused, and the lab's loopback."""

import pytest

from opslib import settings
from opslib.errors import SettingsError
from tests.test_settings import GOOD, LAB, describe

assert describe

ADDRESSES = ("OPS_PROMETHEUS_URL", "OPS_ALERTMANAGER_URL", "OPS_GRAFANA_URL", "OPS_JAEGER_URL")


def test_addresses_and_reading_tokens_reach_the_notebooks(describe):
    given = {name: f"https://watch.example.com/{name.split('_')[1].lower()}" for name in ADDRESSES}
    target = describe({**GOOD, **given, "OPS_READ_GRAFANA_TOKEN": "glsa-reading", "OPS_PROMETHEUS_JOB": "api/blue"})
    reading = settings.load_reading(target.variables())
    assert reading.prometheus_url == "https://watch.example.com/prometheus"
    assert (reading.prometheus_job, reading.read_grafana_token.reveal()) == ("api/blue", "glsa-reading")
    assert "glsa-reading" not in str(target.public())


def test_unset_they_are_nowhere_and_the_job_is_the_products(describe):
    target = describe(GOOD)
    assert (target.prometheus_url, target.grafana_url, target.prometheus_job) == (None, None, "valuecanvas-api")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPS_PROMETHEUS_URL", "prometheus:9090"),
        ("OPS_GRAFANA_URL", "https://admin:admin@grafana.example.com"),
        ("OPS_PROMETHEUS_JOB", 'x"} or up{job="'),
        ("OPS_PROMETHEUS_JOB", "a b"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(describe, name, value):
    with pytest.raises(SettingsError, match=f"- {name}: "):
        describe({**GOOD, name: value})


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_labs_watchers_are_on_this_machine(describe, name):
    with pytest.raises(SettingsError, match=f"{name}: the lab is on this machine only"):
        describe({**LAB, name: "https://watch.example.com"}, "lab")


@pytest.mark.parametrize("name", ADDRESSES)
def test_only_the_file_says_who_watches(describe, monkeypatch, name):
    describe(GOOD)
    monkeypatch.setenv(name, "https://elsewhere.example.com")
    with pytest.raises(SettingsError, match=f"{name}: only .env.staging may set it"):
        describe(GOOD)
