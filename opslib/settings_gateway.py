"""The part of a target's description that says where each replica of the API is, and who may close their breakers."""

from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from opslib.redaction import Secret
from opslib.settings_guard import Address, split
from opslib.settings_part import Part


class GatewayNames(Part):
    """Where the replicas of the API are, one by one: an address that is balanced leads to any of them."""

    api_replicas: Annotated[tuple[Address, ...], BeforeValidator(split)] = Field(
        (),
        alias="OPS_API_REPLICAS",
        description="base address of each replica of the API, by commas; unset: the running pods', at OPS_API_POD_PORT",
    )
    api_pod_port: int | None = Field(
        None,
        alias="OPS_API_POD_PORT",
        ge=1,
        le=65_535,
        description="port of the API in its pods, to which this machine must be routed; unset: pods are not asked",
    )
    session_cookie: str = Field(
        "session",
        alias="OPS_SESSION_COOKIE",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="name of the cookie in which the product keeps a session",
    )

    # Its name is its own among all parts of a description: one of a neighbour's name would replace it.
    @field_validator("api_replicas")
    @classmethod
    def _apart(cls, said: tuple[str, ...]) -> tuple[str, ...]:
        bare = [one.rstrip("/") for one in said]
        if twice := sorted({one for one in bare if bare.count(one) > 1}):
            raise ValueError(f"names {', '.join(twice)} twice")
        return tuple(bare)


class GatewayTokens(Part):
    """An administrator of the product, signed in for the incident; the executor's."""

    admin_token: Secret | None = Field(
        None,
        alias="OPS_APPLICATION_ADMIN_TOKEN",
        description="bearer token of an administrator of the product, who may close breakers; set for an incident",
    )
    admin_session: Secret | None = Field(
        None,
        alias="OPS_APPLICATION_ADMIN_SESSION",
        description="value of that administrator's session cookie; a session lives an hour at most",
    )
