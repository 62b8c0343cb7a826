"""What Netlify answers, as far as it is used. Source: Netlify API 2.60."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from opslib.systems.api import Shape
from opslib.systems.hosting import Told


class Links(Shape):
    """A deploy's addresses."""

    permalink: str | None = None


class Deploy(Shape):
    """A deploy."""

    id: str
    word: str = Field(alias="state")
    name: str
    context: str
    created: datetime = Field(alias="created_at")
    published: datetime | None = Field(None, alias="published_at")
    commit: str | None = Field(None, alias="commit_ref")
    branch: str | None = None
    draft: bool | None = None
    title: str | None = None
    required: list[str] = Field(default_factory=list)
    links: Links = Links()


class Published(Shape):
    """The deploy that production points at."""

    id: str
    locked: bool | None = None


class Build(Shape):
    """How commits would be built there."""

    path: str | None = Field(None, alias="repo_path")
    branch: str | None = Field(None, alias="repo_branch")
    command: str | None = Field(None, alias="cmd")
    output: str | None = Field(None, alias="dir")


class Site(Shape):
    """A site."""

    id: str
    build: Build | None = Field(None, alias="build_settings")
    account: str = Field(alias="account_id")
    published: Published | None = Field(None, alias="published_deploy")


class Value(Shape):
    """A variable's value in one context."""

    id: str | None = None
    context: str
    value: Told = None


class Variable(Shape):
    """A variable."""

    name: str = Field(alias="key")
    values: list[Value]
    secret: bool = Field(False, alias="is_secret")
    updated: datetime | None = Field(None, alias="updated_at")

    @property
    def production(self) -> Value | None:
        """What production gets: its own value, or that of all contexts."""
        mine = {one.context: one for one in self.values}
        return mine.get("production") or mine.get("all")
