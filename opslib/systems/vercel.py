"""Vercel: a project's deployments, where production points, promote and instant rollback.

Source: Vercel REST API (projects v9, deployments v6 and v13, promote v10, rollback v1, env v10); ``rollbackInfo`` as
its own command line asks for it. A token of a team needs the team with every call, else the answer is 403.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems import vercel_shapes as shapes
from opslib.systems.api import Api, WritingApi
from opslib.systems.api_errors import Vendor, told
from opslib.systems.hosting import (
    MOST,
    BuildsCommits,
    Deployment,
    Mark,
    Move,
    Pipeline,
    Stage,
    Standing,
    State,
    Variable,
    named,
    shared_with,
    state_of,
)

PUBLIC = "https://api.vercel.com"
VENDOR = Vendor("Vercel", "VERCEL_TOKEN")
MARK = "opslib"
"""The key of a deployment's metadata that says which run asked for it."""
STATES = {
    "READY": State.READY,
    "ERROR": State.FAILED,
    "CANCELED": State.FAILED,
    "BLOCKED": State.FAILED,
    "DELETED": State.GONE,
}
HIDDEN = "sensitive"
"""The type of a variable whose value nobody can read any more."""
STAGES = {"succeeded": Stage.DONE, "skipped": Stage.DONE, "failed": Stage.FAILED}


class ReadOnlyVercel:
    """The project of a target description; only GET is sent."""

    hoster = "vercel"
    pins = True
    builds = True
    signs = True
    marks = True

    def __init__(self, settings: VendorNames, token: Secret | None) -> None:
        self.project = named(settings.vercel_project, "VERCEL_PROJECT_ID")
        self._api = self._opened(settings.vercel_url or PUBLIC, token)
        self._team = {"teamId": settings.vercel_team}

    def _opened(self, base: str, token: Secret | None) -> Api:
        return Api(VENDOR, base, token)

    def current(self) -> Standing:
        """Return where production points; ``pinned`` after a rollback, until something is promoted."""
        query = {"rollbackInfo": "true", **self._team}
        found = self._api.get(shapes.Project, "v9", "projects", self.project, query=query)
        live = (found.targets or {}).get("production")
        pinned = None if found.assigns is None else not found.assigns
        return Standing(live.id if live else None, pinned, _move(found.request))

    def deployments(self, most: int = MOST, production: bool = True) -> list[Deployment]:
        """Return the newest deployments for production, also those that retention deleted; at most 100."""
        found = self._owned()
        kind = "production" if production else "preview"
        query = {"projectId": found, "target": kind, "limit": min(most, 100), **self._team}
        return [self._read(one) for one in self._api.get(shapes.List, "v6", "deployments", query=query).deployments]

    def deployment(self, id: str) -> Deployment:
        """Return one deployment of this project; another project's of the same team is missing."""
        found = self._api.get(shapes.One, "v13", "deployments", id, query=self._team)
        owner = found.owner or (found.project.id if found.project else None)
        if owner != self._owned():
            raise told(VENDOR, "missing", f"GET {self._api.url('v13', 'deployments', id)}", "it is another project's")
        return self._read(found)

    def variables(self) -> list[Variable]:
        """Return the variables of production; their values are not asked to be decrypted, and are not kept."""
        every = [
            Variable(one.name, one.kind, _when(one.updated), one.kind == HIDDEN, one.contexts, Mark.read(one.comment))
            for one in self._variables()
        ]
        return sorted(every, key=lambda one: one.name)

    def pipeline(self) -> Pipeline:
        """Return how the project's commits are built."""
        found = self._api.get(shapes.Project, "v9", "projects", self.project, query=self._team)
        link = found.link
        repository = f"{link.org}/{link.repo}" if link and link.org and link.repo else None
        branch = link.branch if link else None
        return Pipeline(repository, branch, found.command, found.output, found.node)

    def shown(self, name: str) -> Secret | None:
        """Return the value of a public variable; None for one that is not there, or is kept as sensitive."""
        one = self._variable(name)
        return None if one is None else self._value(one)

    def all_shown(self, prefixes: tuple[str, ...]) -> dict[str, Secret | None]:
        """Return what :meth:`shown` would for each variable of production whose name begins so, listed once."""
        return {one.name: self._value(one) for one in self._variables() if one.name.startswith(prefixes)}

    def close(self) -> None:
        """Close every connection."""
        self._api.close()

    def _variables(self) -> list[shapes.Variable]:
        found = self._api.get(shapes.Variables, "v10", "projects", self.project, "env", query=self._team).envs
        return [one for one in found if "production" in one.contexts]

    def _variable(self, name: str) -> shapes.Variable | None:
        return next((one for one in self._variables() if one.name == name), None)

    def _value(self, one: shapes.Variable) -> Secret | None:
        if one.kind == HIDDEN:
            return None
        found = self._api.get(shapes.Value, "v1", "projects", self.project, "env", one.id, query=self._team)
        return found.value if found.decrypted or found.kind == "plain" else None

    def _owned(self) -> str:
        # The description may name the project by its name; deployments know its id.
        if self.project.startswith("prj_"):
            return self.project
        return self._api.get(shapes.Project, "v9", "projects", self.project, query=self._team).id

    def _read(self, said: shapes.Listed | shapes.One) -> Deployment:
        scheme = urlsplit(self._api.base).scheme
        return Deployment(
            id=said.id,
            state=state_of(STATES, said.word),
            word=said.word,
            production=said.target == "production",
            served=said.target == "production" and said.substate in (None, "PROMOTED"),
            created=_moment(said.created),
            address=said.url if "://" in said.url else f"{scheme}://{said.url}",
            commit=_text(said.meta.get("githubCommitSha")),
            branch=_text(said.meta.get("githubCommitRef")),
            allowed=said.allowed if isinstance(said, shapes.Listed) else None,
            mark=_text(said.meta.get(MARK)),
        )


class Vercel(BuildsCommits, ReadOnlyVercel):
    """Also moves production and sets variables."""

    _api: WritingApi

    def _opened(self, base: str, token: Secret | None) -> WritingApi:
        return WritingApi(VENDOR, base, token)

    def roll_back(self, id: str) -> None:
        """Ask for the instant rollback: production's domains move, later pushes are held back from them."""
        self._api.send("POST", "v1", "projects", self.project, "rollback", id, query=self._team, body={})

    def promote(self, id: str) -> None:
        """Ask that production point at it without a build; later pushes go live again."""
        self._api.send("POST", "v10", "projects", self.project, "promote", id, query=self._team, body={})

    def build(self, repository: str, branch: str, commit: str, mark: str) -> Deployment:
        """Ask for a deployment of a commit; it goes live by itself unless the project holds pushes back."""
        owner, _, name = repository.partition("/")
        body = {
            "name": self.project,
            "project": self._owned(),
            "target": "production",
            "gitSource": {"type": "github", "org": owner, "repo": name, "ref": branch, "sha": commit},
            "meta": {MARK: mark},
        }
        query = {"forceNew": "1", "skipAutoDetectionConfirmation": "1", **self._team}
        answer = self._api.send("POST", "v13", "deployments", query=query, body=body)
        return self._read(self._api.read(shapes.One, "POST deployments", answer))

    def set_variable(self, name: str, value: Secret, secret: bool, mark: Mark) -> None:
        """Set it in place of the one that production has, in the same environments; the mark is its comment.

        A success may name what failed, and is none then.
        """
        known = self._variable(name)
        body = {
            "key": name,
            "value": value.reveal(),
            "type": HIDDEN if secret else "encrypted",
            "target": list(known.contexts if known else ("production",)),
            "comment": mark.text(),
        }
        path = ("v10", "projects", self.project, "env")
        answer = self._api.send("POST", *path, query={"upsert": "true", **self._team}, body=body, hide=value)
        failed = self._api.read(shapes.Set, "POST env", answer).failed
        if failed:
            raise told(VENDOR, "rejected", f"POST {self._api.url(*path)}", failed[0].error.code)

    def remove_variable(self, name: str) -> None:
        """Remove the one that is production's alone."""
        known = self._variable(name)
        if known is None:
            return
        if len(known.contexts) > 1:
            raise shared_with(name, known.contexts)
        self._api.send("DELETE", "v9", "projects", self.project, "env", known.id, query=self._team)


def _move(said: shapes.Request | None) -> Move | None:
    if said is None:
        return None
    return Move(said.target, said.source, STAGES.get(said.status, Stage.UNDER_WAY), _moment(said.at))


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _when(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else _moment(milliseconds)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
