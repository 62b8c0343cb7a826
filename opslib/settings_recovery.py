"""The part of a target's description that says of what the system is rebuilt: workloads, infrastructure code."""

from typing import Annotated, Literal

from pydantic import Field

from opslib.settings_guard import Folder
from opslib.settings_part import Part

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
Workload = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Below = Annotated[str, Field(max_length=200, pattern=rf"^{_PART}(/{_PART})*$")]
"""A path from a folder downwards, without a part that leads upwards."""


class RecoveryNames(Part):
    """What is rebuilt, by its names; infrastructure code is taken from a commit of OPS_CHECKOUT."""

    cache_workload: Workload | None = Field(
        "redis",
        alias="OPS_CACHE_WORKLOAD",
        description="StatefulSet of the cache in the cluster's namespace",
    )
    terraform: Literal["terraform", "tofu"] = Field(
        "terraform", alias="OPS_TERRAFORM", description="program that carries out infrastructure code"
    )
    infrastructure: Below = Field(
        "infrastructure/terraform",
        alias="OPS_INFRASTRUCTURE",
        description="folder of infrastructure code in the product's repository",
    )
    infrastructure_values: Below | None = Field(
        None,
        alias="OPS_INFRASTRUCTURE_VALUES",
        description="file of variables' values in that folder (-var-file), e.g. production.tfvars; no secrets in it",
    )
    infrastructure_backend: Below | None = Field(
        None,
        alias="OPS_INFRASTRUCTURE_BACKEND",
        description="file in that folder that says where the state is (-backend-config)",
    )
    terraform_plugins: Folder | None = Field(
        None,
        alias="OPS_TERRAFORM_PLUGINS",
        description="folder of providers on this machine (-plugin-dir); unset: the registry, by the lock file",
    )
    manifests: Below = Field(
        "k8s/production",
        alias="OPS_MANIFESTS",
        description="folder of Kubernetes manifests in the product's repository; guide: k8s/production",
    )
