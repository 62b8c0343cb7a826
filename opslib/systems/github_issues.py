"""GitHub Issues of the product's repository: what was reported, and who of its members answered first. Reading only.

Source: GitHub REST API, version 2026-03-10 (issues, issue comments). Pull requests are among the issues there.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from pydantic import Field

from opslib.errors import SettingsError, Unreachable
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Api, Shape
from opslib.systems.github import PER_PAGE, PUBLIC, READING

MEMBERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
"""How GitHub calls those who belong to a repository."""
MOST_PAGES = 10


class Account(Shape):
    """Who wrote something; ``type`` is User, Bot or Organization."""

    login: str
    type: str = "User"


class Written(Shape):
    """An issue or a comment."""

    user: Account | None
    association: str = Field("NONE", alias="author_association")
    created: datetime = Field(alias="created_at")

    @property
    def login(self) -> str:
        """Its author; GitHub calls one who is gone ``ghost``."""
        return self.user.login if self.user else "ghost"

    @property
    def person(self) -> bool:
        """Whether no app wrote it."""
        return self.user is None or self.user.type != "Bot"


class _Label(Shape):
    name: str = ""


class Issue(Written):
    """One issue; ``closed`` is when it was."""

    number: int
    closed: datetime | None = Field(None, alias="closed_at")
    labels: tuple[_Label | str, ...] = ()
    pull_request: dict[str, object] | None = None

    @property
    def report(self) -> bool:
        """Whether it reports something: it is no member's, or is labelled a bug. Members' own tasks wait for nobody."""
        names = {(one if isinstance(one, str) else one.name).lower() for one in self.labels}
        return self.association not in MEMBERS or "bug" in names


class Comment(Written):
    """One comment on an issue."""

    issue_url: str

    @property
    def number(self) -> int:
        """The issue's number."""
        return int(self.issue_url.rpartition("/")[2])


W = TypeVar("W", Issue, Comment)


class ReadOnlyIssues:
    """The issues of the repository of a target description; only GET is sent."""

    def __init__(self, settings: VendorNames) -> None:
        self._api = Api(READING, settings.github_url or PUBLIC, settings.read_github_token)
        if settings.github_repository is None:
            raise SettingsError("GITHUB_REPOSITORY is not in the target description.", "Name it as owner/name.")
        owner, _, name = settings.github_repository.partition("/")
        self._home = ("repos", owner, name, "issues")

    def reported(self, since: datetime) -> list[Issue]:
        """Return the reports, no pull requests, that people opened since then; raises Unreachable (limited)."""
        found = self._pages(Issue, *self._home, since=since, state="all")
        return [one for one in found if one.created >= since and one.pull_request is None and one.person and one.report]

    def answers(self, since: datetime) -> list[Comment]:
        """Return the comments of members since then, oldest first; raises Unreachable (limited)."""
        found = self._pages(Comment, *self._home, "comments", since=since, direction="asc")
        return [one for one in found if one.association in MEMBERS and one.person]

    def _pages(self, shape: type[W], *path: str, since: datetime, **query: str) -> list[W]:
        found: list[W] = []
        for page in range(1, MOST_PAGES + 1):
            said = self._api.get(
                list[shape],  # type: ignore[valid-type]
                *path,
                query={
                    **query,
                    "sort": "created",
                    "since": f"{since:%Y-%m-%dT%H:%M:%SZ}",
                    "per_page": PER_PAGE,
                    "page": page,
                },
            )
            found += said
            if len(said) < PER_PAGE:
                return found
        raise Unreachable(
            f"GitHub has more than {MOST_PAGES * PER_PAGE} {path[-1]} of that time.",
            "Ask for a shorter time.",
            "limited",
        )

    def close(self) -> None:
        """Close every connection."""
        self._api.close()
