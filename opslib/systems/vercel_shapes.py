"""What Vercel answers, as far as it is used. Source: Vercel REST API."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from opslib.systems.api import Shape
from opslib.systems.hosting import Told


class Request(Shape):
    """The last request to move production."""

    source: str | None = Field(None, alias="fromDeploymentId")
    target: str = Field(alias="toDeploymentId")
    status: Literal["pending", "in-progress", "succeeded", "failed", "skipped"] = Field(alias="jobStatus")
    at: int = Field(alias="requestedAt")


class Target(Shape):
    """Where an environment points."""

    id: str


class Link(Shape):
    """The repository that is connected to a project."""

    org: str | None = None
    repo: str | None = None
    branch: str | None = Field(None, alias="productionBranch")


class Project(Shape):
    """A project."""

    id: str
    link: Link | None = None
    command: str | None = Field(None, alias="buildCommand")
    output: str | None = Field(None, alias="outputDirectory")
    node: str | None = Field(None, alias="nodeVersion")
    targets: dict[str, Target | None] | None = None
    assigns: bool | None = Field(None, alias="autoAssignCustomDomains")
    request: Request | None = Field(None, alias="lastAliasRequest")


class Common(Shape):
    """What both forms of a deployment have."""

    url: str
    word: str = Field(alias="readyState")
    substate: str | None = Field(None, alias="readySubstate")
    target: str | None = None
    meta: dict[str, Any] = Field(default_factory=dict)


class Listed(Common):
    """A deployment in a list."""

    id: str = Field(alias="uid")
    created: int
    allowed: bool | None = Field(None, alias="isRollbackCandidate")


class Owner(Shape):
    """The project of a deployment."""

    id: str


class One(Common):
    """A deployment."""

    id: str
    created: int = Field(alias="createdAt")
    owner: str | None = Field(None, alias="projectId")
    project: Owner | None = None


class List(Shape):
    """Deployments."""

    deployments: list[Listed]


class Variable(Shape):
    """A variable, without its value."""

    id: str
    name: str = Field(alias="key")
    kind: str = Field(alias="type")
    target: str | list[str] = Field(default_factory=list)
    updated: int | None = Field(None, alias="updatedAt")
    comment: str | None = None

    @property
    def contexts(self) -> tuple[str, ...]:
        """The environments that get it."""
        return (self.target,) if isinstance(self.target, str) else tuple(self.target)


class Variables(Shape):
    """Variables."""

    envs: list[Variable]


class Value(Shape):
    """A variable that was asked for alone, with its value where Vercel can read it."""

    decrypted: bool | None = None
    kind: str = Field(alias="type")
    value: Told = None


class Failure(Shape):
    """Why a variable was not set."""

    code: str
    message: str


class Failed(Shape):
    """A variable that was not set."""

    error: Failure


class Set(Shape):
    """What of a call that sets variables failed."""

    failed: list[Failed]
