"""The part of a target's description that says which servers the database has, and where its log is kept."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from opslib.redaction import DatabaseUrl, Secret
from opslib.settings_guard import pairs, split
from opslib.settings_part import Part

_PLACE = r"^([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9a-f:]{2,45}\]):[0-9]{1,5}$"
_PLUG = r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}$"


def _program(said: tuple[str, ...]) -> tuple[str, ...]:
    if said and not said[0].startswith("/"):
        raise ValueError("is no whole path: it begins with /")
    return said


Command = Annotated[tuple[str, ...], AfterValidator(_program), BeforeValidator(split)]
"""A program by its whole path, and what always follows it, parted by commas: never given to a shell."""


def _options(said: dict[str, str]) -> dict[str, str]:
    if own := sorted({"action", "plug", "password"} & said.keys()):
        raise ValueError(f"sets {', '.join(own)}, which is given with each call")
    return said


class DatabaseServers(Part):
    """What follows the database, and what it can be recovered from beside dumps."""

    standbys: int | None = Field(
        None,
        alias="OPS_DATABASE_STANDBYS",
        ge=0,
        le=1000,
        description="standbys that are meant to follow the database; unset: nobody said, so none is UNKNOWN",
    )
    read_standby_url: DatabaseUrl | None = Field(
        None,
        alias="OPS_READ_STANDBY_DATABASE_URL",
        description="the standby that a failover would promote, as a role that can only read",
    )
    continuous_prefix: str | None = Field(
        None,
        alias="OPS_CONTINUOUS_PREFIX",
        max_length=300,
        pattern=r"^([A-Za-z0-9_][A-Za-z0-9._-]*/)+$",
        description="below it S3_BUCKET_NAME keeps base backups (base/) and write-ahead log (wal/); unset: not kept",
    )
    application_database: str | None = Field(
        None,
        alias="OPS_APPLICATION_DATABASE",
        pattern=_PLACE,
        description="host:port by which the application's own DATABASE_URL names the database; unset: as it is here",
    )
    application_standby: str | None = Field(
        None,
        alias="OPS_APPLICATION_STANDBY",
        pattern=_PLACE,
        description="host:port by which it would name the standby; unset: as it is here",
    )


class DatabaseFencing(Part):
    """How a server of the database is switched off from outside, and how a former primary is let follow again."""

    fence_agent: Command = Field(
        (),
        alias="OPS_FENCE_AGENT",
        description="a fence agent (ClusterLabs' API), e.g. /usr/sbin/fence_ipmilan; unset: a person switches off",
    )
    fence_options: Annotated[dict[str, str], AfterValidator(_options), BeforeValidator(pairs)] = Field(
        {}, alias="OPS_FENCE_OPTIONS", description="what it is told at each call, e.g. ip=192.0.2.9,username=ops"
    )
    fence_password: Secret | None = Field(
        None, alias="OPS_FENCE_PASSWORD", description="its option password; given on its input, never as an argument"
    )
    database_plug: str | None = Field(
        None, alias="OPS_DATABASE_PLUG", pattern=_PLUG, description="what the agent calls the database's machine"
    )
    standby_plug: str | None = Field(
        None, alias="OPS_STANDBY_PLUG", pattern=_PLUG, description="what the agent calls the standby's machine"
    )
    rejoin_program: Command = Field(
        (),
        alias="OPS_REJOIN_PROGRAM",
        description="rewinds a fenced server onto the new primary and starts it as its standby; docs/production.md",
    )


class RecoveredServer(Part):
    """A server on which somebody has recovered the database to an earlier moment, beside the live one."""

    recovered_database_url: DatabaseUrl | None = Field(
        None,
        alias="OPS_RECOVERED_DATABASE_URL",
        description="a copy of the database recovered to an earlier moment, as a role that sees every row",
    )
