"""Where the lab's description says who answers: PagerDuty's rotation, the channel of support, contacts."""

from __future__ import annotations

from collections.abc import Mapping

from opslib.lab.vendors.on_call import POLICY, SERVICE
from opslib.lab.vendors.slack import SUPPORT


def target(url: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a target description; ``url`` is the stand-ins' address."""
    return {
        "PAGERDUTY_API_URL": f"{url}/oncall",
        "OPS_READ_PAGERDUTY_TOKEN": passwords["read_pagerduty_token"],
        "OPS_ESCALATION_POLICY": POLICY,
        "OPS_PAGERDUTY_SERVICE": SERVICE,
        "OPS_READ_SLACK_TOKEN": passwords["read_slack_token"],
        "OPS_SUPPORT_CHANNEL": SUPPORT,
        "OPS_ENGINEERING_MANAGER": "PagerDuty user Eve Engel",
        "OPS_CTO": "PagerDuty user Cleo Tan",
    }
