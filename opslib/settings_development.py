"""The part of a target's description that says where a person's development environment is made, and of what."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from opslib.settings_guard import Folder
from opslib.settings_part import Part

_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
REPOSITORY = rf"^(https://{_PART}(:[0-9]{{1,5}})?|file://)(/\.?{_PART})+/?$"
"""Addresses that git is given: no blank, no option, no user, and no part that leads upwards."""


def _plain(path: Path) -> Path:
    if len(path.parts) < 3 or any(part.startswith("-") for part in path.parts):
        raise ValueError("is no folder below another one")
    return path


class DevelopmentNames(Part):
    """Where the product's repository is, where its checkout is made, and where the values of its env file come from."""

    repository: str | None = Field(
        None,
        alias="OPS_REPOSITORY",
        max_length=500,
        pattern=REPOSITORY,
        description="the product's repository: https://… without credentials, or file:///… of a mirror here",
    )
    workspace: Annotated[Folder, AfterValidator(_plain)] | None = Field(
        None, alias="OPS_WORKSPACE", description="folder in which runbooks/set-up-environment makes the checkout"
    )
    development_secret: str = Field(
        "valuecanvas/development/secrets",
        alias="OPS_DEVELOPMENT_SECRET",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9/_+=.@-]{0,255}$",
        description="secret in AWS Secrets Manager that holds what developers' env files need; never production's",
    )
    development_port: int = Field(
        5173, alias="OPS_DEVELOPMENT_PORT", ge=1024, le=65_535, description="of the development server, on 127.0.0.1"
    )
