"""The part of a target's description that says which servers the database has, and where its log is kept."""

from __future__ import annotations

from pydantic import BaseModel, Field

from opslib.redaction import DatabaseUrl


class DatabaseServers(BaseModel):
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


class RecoveredServer(BaseModel):
    """A server on which somebody has recovered the database to an earlier moment, beside the live one."""

    recovered_database_url: DatabaseUrl | None = Field(
        None,
        alias="OPS_RECOVERED_DATABASE_URL",
        description="a copy of the database recovered to an earlier moment, as a role that sees every row",
    )
