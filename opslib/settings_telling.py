"""The part of a target's description that says by what people are told of schedules; the executor's alone."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from opslib.redaction import Secret
from opslib.settings_guard import Address
from opslib.settings_part import Part

MAIL = r"[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,62}[A-Za-z0-9])?@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.?)*[A-Za-z0-9]"
"""One address, without a name, quotes or comments: nothing in it could end a header or begin another."""
Mail = Annotated[str, Field(pattern=f"^{MAIL}$", max_length=120)]


class Telling(Part):
    """Where mail goes out, and where people open reports. Slack's and PagerDuty's part is that of incidents."""

    archive_url: Address | None = Field(
        None,
        alias="OPS_ARCHIVE_URL",
        description="where people open the archive's pages; unset: notices name a report by its place in the archive",
    )
    mail_server: str | None = Field(
        None,
        alias="OPS_MAIL_SERVER",
        pattern=r"^smtps?://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?$",
        description="smtps://host (TLS from the first byte) or smtp://host (STARTTLS; without it nothing is sent)",
    )
    mail_ca: Path | None = Field(
        None, alias="OPS_MAIL_CA", description="PEM file of the only certificates trusted there; unset: this machine's"
    )
    mail_from: Mail | None = Field(None, alias="OPS_MAIL_FROM", description="whose name notices go out in")
    mail_user: str | None = Field(
        None, alias="OPS_MAIL_USER", pattern=r"^[!-~]{1,200}$", description="unset: the server wants no password"
    )
    mail_password: Secret | None = Field(None, alias="OPS_MAIL_PASSWORD")


FILE_ONLY = frozenset({"archive_url", "mail_server", "mail_ca", "mail_from"})
"""Fields that say where a password, a notice or its reader goes."""
ADDRESSES = ("OPS_MAIL_SERVER",)
"""Variables that lead to these."""
