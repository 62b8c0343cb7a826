"""The part of a target's description that says where the API's name may lead: its own site, and the recovery site.

Where production's name leads is decided by these alone, so the description's file says them, where there is one.
"""

import ipaddress
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from opslib.redaction import Secret
from opslib.settings_dependencies import Host
from opslib.settings_guard import split
from opslib.settings_part import Part

SERVER = r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-f:]{2,39}\]):[0-9]{1,5}$"
Server = Annotated[str, Field(pattern=SERVER)]
"""A name server, as address:port."""
Place = Annotated[str, Field(pattern=r"^[A-Za-z0-9:][A-Za-z0-9.:-]{0,252}$")]


class Sites(Part):
    """Where the API is served from, where else it can be, and who answers for its name."""

    api_host: Host = Field("api.valuecanvas.com", alias="OPS_API_HOST", description="the API's name; the guide's")
    hosted_zone: str | None = Field(
        None,
        alias="HOSTED_ZONE_ID",
        pattern=r"^[A-Z0-9]{1,32}$",
        description="Route 53's public zone of that name, by its id",
    )
    site: Annotated[tuple[Place, ...], BeforeValidator(split)] = Field(
        (), alias="OPS_SITE", description="where the API's name leads to by day: addresses by commas, or one name"
    )
    recovery_site: Annotated[tuple[Place, ...], BeforeValidator(split)] = Field(
        (), alias="OPS_RECOVERY_SITE", description="where it leads to when that is lost: addresses, or one name"
    )
    recovery_data: Literal["shared", "standby", "backup"] | None = Field(
        None,
        alias="OPS_RECOVERY_DATA",
        description="whose data the recovery site serves: shared (the same database), standby, backup (the newest)",
    )
    name_servers: Annotated[tuple[Server, ...], BeforeValidator(split)] = Field(
        (), alias="OPS_NAME_SERVERS", description="the zone's, as address:port; unset: those that Route 53 names"
    )
    public_resolvers: Annotated[tuple[Server, ...], BeforeValidator(split)] = Field(
        (),
        alias="OPS_PUBLIC_RESOLVERS",
        description="resolvers of others that users ask, as address:port, e.g. 1.1.1.1:53,8.8.8.8:53",
    )

    @field_validator("site", "recovery_site")
    @classmethod
    def _addresses_or_one_name(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        named = [place for place in places if not literal(place)]
        if named and len(places) > 1:
            raise ValueError("is either addresses or one name")
        if any(":" in place or ".." in place or place.endswith((".", "-")) for place in named):
            raise ValueError("is no address and no name")
        return tuple(str(ipaddress.ip_address(place)) if literal(place) else place.lower() for place in places)


class SiteTokens(Part):
    """Credentials that can change where names lead; the executor's."""

    dns_aws_access_key_id: Secret | None = Field(
        None, alias="OPS_DNS_AWS_ACCESS_KEY_ID", description="changes record sets of the zone; unset: AWS_…"
    )
    dns_aws_secret_access_key: Secret | None = Field(None, alias="OPS_DNS_AWS_SECRET_ACCESS_KEY")


SITES = frozenset(Sites.model_fields)
"""Fields that say where production's name may lead, and whose word counts for that."""


def literal(place: str) -> bool:
    """Tell whether that is an address, not a name."""
    try:
        ipaddress.ip_address(place)
    except ValueError:
        return False
    return True
