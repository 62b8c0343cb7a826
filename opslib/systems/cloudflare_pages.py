"""Cloudflare Pages: a project's deployments, the canonical one, and rollback.

Source: Cloudflare API (Pages: projects, deployments, rollback). Production points at a successful production build from
the moment it is there; a rollback holds nothing back: the next push goes live.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import Field

from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Api, Shape, WritingApi
from opslib.systems.api_errors import Vendor
from opslib.systems.hosting import (
    MOST,
    BuildsCommits,
    Deployment,
    Mark,
    Pipeline,
    Standing,
    State,
    Told,
    Variable,
    named,
)
from opslib.systems.multipart import Part, encode

PUBLIC = "https://api.cloudflare.com/client/v4"
VENDOR = Vendor("Cloudflare", "CLOUDFLARE_API_TOKEN", words=(("errors", 0, "message"), ("message",)))
HIDDEN = "secret_text"
"""The type of a variable whose value nobody can read any more."""
MARK = "OPSLIB_MARK_"
"""How the name begins of the variable that says who set another, and to which version: Cloudflare tells no time."""
STATES = {"success": State.READY, "failure": State.FAILED, "canceled": State.FAILED}

T = TypeVar("T")


class _Envelope(Shape, Generic[T]):
    result: T


class _Stage(Shape):
    name: str
    status: str


class _Metadata(Shape):
    branch: str | None = None
    commit: str | None = Field(None, alias="commit_hash")


class _Trigger(Shape):
    metadata: _Metadata = _Metadata()


class _Deployment(Shape):
    id: str
    environment: str
    url: str
    created: datetime = Field(alias="created_on")
    skipped: bool = Field(False, alias="is_skipped")
    stage: _Stage = Field(alias="latest_stage")
    trigger: _Trigger = Field(_Trigger(), alias="deployment_trigger")


class _Live(Shape):
    id: str


class _Variable(Shape):
    kind: str = Field("plain_text", alias="type")
    value: Told = None


class _Config(Shape):
    variables: dict[str, _Variable | None] | None = Field(None, alias="env_vars")


class _Configs(Shape):
    production: _Config = _Config()


class _Repository(Shape):
    owner: str
    repository: str = Field(alias="repo_name")


class _Source(Shape):
    config: _Repository | None = None


class _Build(Shape):
    command: str | None = Field(None, alias="build_command")
    output: str | None = Field(None, alias="destination_dir")


class _Project(Shape):
    name: str
    branch: str | None = Field(None, alias="production_branch")
    source: _Source | None = None
    build: _Build = Field(_Build(), alias="build_config")
    configs: _Configs = Field(_Configs(), alias="deployment_configs")
    live: _Live | None = Field(None, alias="canonical_deployment")


class ReadOnlyPages:
    """The Pages project of a target description; only GET is sent."""

    hoster = "cloudflare"
    pins = False
    builds = True
    signs = False
    marks = True

    def __init__(self, settings: VendorNames, token: Secret | None) -> None:
        self.project = named(settings.cloudflare_project, "CLOUDFLARE_PAGES_PROJECT")
        account = named(settings.cloudflare_account, "CLOUDFLARE_ACCOUNT_ID")
        self._home = ("accounts", account, "pages", "projects", self.project)
        self._api = self._opened(settings.cloudflare_url or PUBLIC, token)

    def _opened(self, base: str, token: Secret | None) -> Api:
        return Api(VENDOR, base, token)

    def current(self) -> Standing:
        """Return the canonical deployment."""
        live = self._api.get(_Envelope[_Project], *self._home).result.live
        return Standing(live.id if live else None, False)

    def deployments(self, most: int = MOST, production: bool = True) -> list[Deployment]:
        """Return the newest deployments for production, as many as Cloudflare puts on a page."""
        query = {"env": "production" if production else "preview"}
        found = self._api.get(_Envelope[list[_Deployment]], *self._home, "deployments", query=query)
        return [_read(one) for one in found.result[:most]]

    def deployment(self, id: str) -> Deployment:
        """Return one deployment of this project."""
        return _read(self._api.get(_Envelope[_Deployment], *self._home, "deployments", id).result)

    def variables(self) -> list[Variable]:
        """Return the variables of production; Cloudflare does not say when they were set.

        A mark is a variable of its own, set with the other in one call; it is not listed.
        """
        found = self._variables()
        marks = {name: Mark.read(one.value.reveal()) for name, one in found.items() if _is_mark(name) and one.value}
        return [
            Variable(name, one.kind, None, one.kind == HIDDEN, mark=marks.get(f"{MARK}{name}"))
            for name, one in sorted(found.items())
            if not _is_mark(name)
        ]

    def pipeline(self) -> Pipeline:
        """Return how the project's commits are built; Node's version is a variable there."""
        found = self._api.get(_Envelope[_Project], *self._home).result
        source, build = found.source, found.build
        repository = f"{source.config.owner}/{source.config.repository}" if source and source.config else None
        node = (found.configs.production.variables or {}).get("NODE_VERSION")
        version = node.value.reveal() if node and node.value and node.kind != HIDDEN else None
        return Pipeline(repository, found.branch, build.command or None, build.output or None, version)

    def shown(self, name: str) -> Secret | None:
        """Return the value of a public variable; None for one that is not there, or is kept as a secret."""
        one = self._variables().get(name)
        return None if one is None or one.kind == HIDDEN else one.value

    def all_shown(self, prefixes: tuple[str, ...]) -> dict[str, Secret | None]:
        """Return what :meth:`shown` would for each variable of production whose name begins so, asked once."""
        found = {name: one for name, one in self._variables().items() if name.startswith(prefixes)}
        return {name: None if one.kind == HIDDEN else one.value for name, one in found.items()}

    def close(self) -> None:
        """Close every connection."""
        self._api.close()

    def _variables(self) -> dict[str, _Variable]:
        found = self._api.get(_Envelope[_Project], *self._home).result.configs.production.variables or {}
        return {name: one for name, one in found.items() if one is not None}


class Pages(BuildsCommits, ReadOnlyPages):
    """Also moves production and sets variables."""

    _api: WritingApi

    def _opened(self, base: str, token: Secret | None) -> WritingApi:
        return WritingApi(VENDOR, base, token)

    def roll_back(self, id: str) -> None:
        """Ask that production point at a successful production build; the next push goes live after it."""
        self._api.send("POST", *self._home, "deployments", id, "rollback", body={})

    def promote(self, id: str) -> None:
        """Ask for the same: Cloudflare goes forward by the same call."""
        self.roll_back(id)

    def build(self, repository: str, branch: str, commit: str, mark: str) -> Deployment:
        """Ask for a build of the production branch, of whatever it is at then; Cloudflare keeps no mark.

        Source: the API's "Create deployment", for a project with a repository. A build of a folder's files is sent by
        calls that Cloudflare does not describe (docs/decisions/0016).
        """
        kind, content = encode([Part("branch", branch.encode())])
        answer = self._api.send("POST", *self._home, "deployments", body=content, kind=kind)
        return _read(self._api.read(_Envelope[_Deployment], "POST deployments", answer).result)

    def set_variable(self, name: str, value: Secret, secret: bool, mark: Mark) -> None:
        """Set it and its mark, both in one call; other variables stay as they are."""
        kind = HIDDEN if secret else "plain_text"
        new = {"type": kind, "value": value.reveal()}
        self._patch({name: new, f"{MARK}{name}": {"type": "plain_text", "value": mark.text()}}, value)

    def remove_variable(self, name: str) -> None:
        """Remove it with its mark."""
        self._patch({name: None, f"{MARK}{name}": None})

    def _patch(self, variables: dict[str, Any], hide: Secret | None = None) -> None:
        body = {"deployment_configs": {"production": {"env_vars": variables}}}
        self._api.send("PATCH", *self._home, body=body, hide=hide)


def _is_mark(name: str) -> bool:
    return name.startswith(MARK)


def _read(said: _Deployment) -> Deployment:
    production = said.environment == "production"
    over = said.stage.name == "deploy" or said.stage.status in ("failure", "canceled")
    state = STATES.get(said.stage.status, State.BUILDING) if over else State.BUILDING
    state = State.FAILED if said.skipped else state
    return Deployment(
        id=said.id,
        state=state,
        word="skipped" if said.skipped else f"{said.stage.name} {said.stage.status}",
        production=production,
        served=production and state is State.READY,
        created=said.created,
        address=said.url,
        commit=said.trigger.metadata.commit,
        branch=said.trigger.metadata.branch,
    )
