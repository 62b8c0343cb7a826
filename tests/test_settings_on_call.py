"""Who answers for the target, in its description: what fits, what is refused, and the lab's loopback."""

import pytest

from opslib import settings
from opslib.errors import SettingsError
from tests.test_settings import GOOD, LAB, describe

assert describe


def test_the_reading_keys_and_names_reach_the_notebooks(describe):
    given = {
        "OPS_READ_PAGERDUTY_TOKEN": "reading-key",
        "OPS_ESCALATION_POLICY": "PT20YPA",
        "OPS_CTO": "handbook, page 4",
    }
    with pytest.raises(SettingsError, match="OPS_CTO"):
        describe({**GOOD, **given})
    target = describe({**GOOD, **given, "OPS_CTO": "handbook/on-call#cto"})
    reading = settings.load_reading(target.variables())
    assert (reading.escalation_policy, reading.cto) == ("PT20YPA", "handbook/on-call#cto")
    assert "reading-key" not in str(target.public())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAGERDUTY_API_URL", "api.pagerduty.com"),
        ("OPS_ESCALATION_POLICY", "PT20YPA&x=1"),
        ("OPS_SUPPORT_CHANNEL", "#valuecanvas-support"),
        ("OPS_ENGINEERING_MANAGER", "+49 30 1234567"),
        ("OPS_CTO", "cto@valuecanvas.example"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(describe, name, value):
    with pytest.raises(SettingsError, match=f"- {name}: "):
        describe({**GOOD, name: value})


def test_a_lab_asks_its_own_stand_in_only(describe):
    with pytest.raises(SettingsError, match="PAGERDUTY_API_URL: the lab is on this machine only"):
        describe({**LAB, "PAGERDUTY_API_URL": "https://api.pagerduty.com"}, "lab")
    with pytest.raises(SettingsError, match="PAGERDUTY_API_URL: missing"):
        describe({**LAB, "OPS_READ_PAGERDUTY_TOKEN": "x"}, "lab")
