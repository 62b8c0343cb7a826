"""The part of a target's description that says who answers for it: rotation, contacts, channels of support."""

from typing import Annotated

from pydantic import Field

from opslib.redaction import Secret
from opslib.settings_guard import Address
from opslib.settings_part import Part

PagerDutyId = Annotated[str, Field(pattern=r"^[A-Z0-9]{4,20}$")]
Reach = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9 ._/#-]{1,79}$")]
"""Where a contact is to be found: a page of the handbook, a PagerDuty user; neither a number nor an address."""


class OnCall(Part):
    """Where it stands who is on call and how fast people answer, and what only reads there."""

    on_call_url: Address | None = Field(
        None, alias="PAGERDUTY_API_URL", description="unset: api.pagerduty.com; in the EU https://api.eu.pagerduty.com"
    )
    read_pagerduty_token: Secret | None = Field(
        None, alias="OPS_READ_PAGERDUTY_TOKEN", description="read-only REST API key"
    )
    escalation_policy: PagerDutyId | None = Field(
        None, alias="OPS_ESCALATION_POLICY", description="id of PagerDuty's policy whose first level is on call"
    )
    pagerduty_service: PagerDutyId | None = Field(
        None, alias="OPS_PAGERDUTY_SERVICE", description="id of the service whose incidents count; unset: all"
    )
    read_slack_token: Secret | None = Field(
        None, alias="OPS_READ_SLACK_TOKEN", description="bot with channels:history and channels:read and no other scope"
    )
    support_channel: str | None = Field(
        None,
        alias="OPS_SUPPORT_CHANNEL",
        pattern=r"^[CG][A-Z0-9]{2,20}$",
        description="id of the Slack channel of support; guide: #valuecanvas-support",
    )
    engineering_manager: Reach | None = Field(
        None,
        alias="OPS_ENGINEERING_MANAGER",
        description="where the contact stands that the guide leaves open: a place, not a telephone number",
    )
    cto: Reach | None = Field(None, alias="OPS_CTO", description="the same for the CTO")


ADDRESSES = ("PAGERDUTY_API_URL",)
"""Variables that lead to these."""
