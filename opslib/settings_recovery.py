"""The part of a target's description that says of what the system is rebuilt: the cache's workload."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

Workload = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class RecoveryNames(BaseModel):
    """What is rebuilt, by its names."""

    cache_workload: Workload | None = Field(
        "redis",
        alias="OPS_CACHE_WORKLOAD",
        description="StatefulSet of the cache in the cluster's namespace; a managed service has none: leave it empty",
    )
