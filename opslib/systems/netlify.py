"""Netlify: a site's deploys, the one that is published, and restore.

Source: Netlify API 2.60 (sites, deploys by file digest, restoreSiteDeploy, account env). The address of a deploy is its
permalink; ``deploy_ssl_url`` may be that of a branch, which moves. A restore holds nothing back: the
next deploy is published.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from opslib.errors import Refused
from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems import netlify_shapes as shapes
from opslib.systems.api import Api, WritingApi
from opslib.systems.api_errors import Vendor, told
from opslib.systems.hosting import (
    MOST,
    Deployment,
    Mark,
    Pipeline,
    Standing,
    State,
    Variable,
    built_here,
    named,
    shared_with,
    state_of,
)

PUBLIC = "https://api.netlify.com/api/v1"
PER_PAGE, MOST_PAGES = 100, 10
VENDOR = Vendor("Netlify", "NETLIFY_AUTH_TOKEN")
KEPT = {True: "secret", False: "plain"}
SECRET_SCOPES = ["builds", "functions", "runtime"]
"""Where a secret may be used: nowhere in what is done to the files after a build."""
MARK = "opslib"
_TITLE = re.compile(rf"{MARK} ([\w-]+) ([0-9a-f]{{40,64}})", re.ASCII)
STATES = {"ready": State.READY, "error": State.FAILED, "rejected": State.FAILED, "deleted": State.GONE}


class ReadOnlyNetlify:
    """The site of a target description; only GET is sent."""

    hoster = "netlify"
    pins = False
    builds = False
    signs = True
    marks = False

    def __init__(self, settings: VendorNames, token: Secret | None) -> None:
        self.project = named(settings.netlify_site, "NETLIFY_SITE_ID")
        self._api = self._opened(settings.netlify_url or PUBLIC, token)

    def _opened(self, base: str, token: Secret | None) -> Api:
        return Api(VENDOR, base, token)

    def current(self) -> Standing:
        """Return the published deploy; ``pinned`` while it is locked."""
        live = self._api.get(shapes.Site, "sites", self.project).published
        return Standing(live.id if live else None, live.locked if live else None)

    def deployments(self, most: int = MOST, production: bool = True) -> list[Deployment]:
        """Return the newest deploys for production, or the others; the rest is passed over, page by page."""
        found: list[Deployment] = []
        for page in range(1, MOST_PAGES + 1):
            query = {"page": page, "per_page": PER_PAGE}
            listed = self._api.get(list[shapes.Deploy], "sites", self.project, "deploys", query=query)
            found += [one for one in map(_read, listed) if one.production is production]
            if len(found) >= most or len(listed) < PER_PAGE:
                break
        return found[:most]

    def deployment(self, id: str) -> Deployment:
        """Return one deploy of this site."""
        return _read(self._api.get(shapes.Deploy, "sites", self.project, "deploys", id))

    def variables(self) -> list[Variable]:
        """Return the variables of the production context; their values are not kept."""
        every = [
            Variable(one.name, KEPT[one.secret], one.updated, one.secret, (one.production.context,))
            for one in self._variables()
            if one.production is not None
        ]
        return sorted(every, key=lambda one: one.name)

    def pipeline(self) -> Pipeline:
        """Return how the site's commits would be built there; without a repository nothing is."""
        found = self._api.get(shapes.Site, "sites", self.project).build
        if found is None or not found.path:
            return Pipeline(None, None, None, None, None)
        return Pipeline(found.path, found.branch, found.command, found.output, None)

    def shown(self, name: str) -> Secret | None:
        """Return the value of a public variable; None for one that is not there, or is kept as secret."""
        one = self._variable(name)
        return None if one is None or one.secret or one.production is None else one.production.value

    def all_shown(self, prefixes: tuple[str, ...]) -> dict[str, Secret | None]:
        """Return what :meth:`shown` would for each variable of production whose name begins so, asked once."""
        found = [one for one in self._variables() if one.name.startswith(prefixes)]
        return {one.name: None if one.secret else one.production.value for one in found if one.production is not None}

    def close(self) -> None:
        """Close every connection."""
        self._api.close()

    @cached_property
    def _env(self) -> tuple[str, ...]:
        return "accounts", self._api.get(shapes.Site, "sites", self.project).account, "env"

    def _variables(self) -> list[shapes.Variable]:
        return self._api.get(list[shapes.Variable], *self._env, query={"site_id": self.project})

    def _variable(self, name: str) -> shapes.Variable | None:
        return next((one for one in self._variables() if one.name == name), None)


class Netlify(ReadOnlyNetlify):
    """Also publishes an older or a newer deploy, and sets variables."""

    _api: WritingApi

    def _opened(self, base: str, token: Secret | None) -> WritingApi:
        return WritingApi(VENDOR, base, token)

    def roll_back(self, id: str) -> None:
        """Ask that this deploy be published; the next one that is built will be published after it."""
        self._api.send("POST", "sites", self.project, "deploys", id, "restore")

    def promote(self, id: str) -> None:
        """Ask that this deploy be published: the same call, Netlify knows no other."""
        self.roll_back(id)

    def build(self, repository: str, branch: str, commit: str, mark: str) -> Deployment:
        """Refuse: files are sent there."""
        raise built_here("Netlify")

    def begin(self, files: Mapping[str, bytes], branch: str, commit: str, mark: str, draft: bool) -> Deployment:
        """Begin a deploy by the SHA-1 of its files; its title says who made it, from which commit."""
        digests = {f"/{path}": _sha1(data) for path, data in sorted(files.items())}
        body = {"files": digests, "draft": draft, "branch": branch}
        query = {"title": f"{MARK} {mark} {commit}"}
        answer = self._api.send("POST", "sites", self.project, "deploys", query=query, body=body)
        return _read(self._api.read(shapes.Deploy, "POST deploys", answer))

    def send(self, id: str, files: Mapping[str, bytes]) -> None:
        """Send the files that the deploy says it lacks; those that Netlify has already are not sent again."""
        lacking = set(self._api.get(shapes.Deploy, "sites", self.project, "deploys", id).required)
        mine = {_sha1(data): (path, data) for path, data in sorted(files.items())}
        if lacking - mine.keys():
            said = f"{id} was begun with other files than were built now"
            raise told(VENDOR, "conflict", f"GET {self._api.url('sites', self.project, 'deploys', id)}", said)
        for digest in sorted(lacking):
            path, data = mine[digest]
            kind = "application/octet-stream"
            self._api.send("PUT", "deploys", id, "files", *path.split("/"), body=data, kind=kind)

    def discard(self, id: str) -> None:
        """Delete a deploy."""
        self._api.send("DELETE", "sites", self.project, "deploys", id)

    def set_variable(self, name: str, value: Secret, secret: bool, mark: Mark) -> None:
        """Set the value that production gets, in the context that it has it from; Netlify keeps no mark.

        One that exists keeps its kind: that can only be changed for all its values at once.
        """
        site, known = {"site_id": self.project}, self._variable(name)
        if known is None:
            one: dict[str, Any] = {
                "key": name,
                "is_secret": secret,
                "values": [{"context": "production", "value": value.reveal()}],
            }
            if secret:
                one["scopes"] = SECRET_SCOPES
            self._api.send("POST", *self._env, query=site, body=[one], hide=value)
            return
        if secret and not known.secret:
            raise Refused(
                f"Netlify keeps {name} readable, and would keep the new value so.",
                "Make it a secret there (Contains secret values), or remove it; then plan again.",
            )
        context = known.production.context if known.production else "production"
        body = {"context": context, "value": value.reveal()}
        self._api.send("PATCH", *self._env, name, query=site, body=body, hide=value)

    def remove_variable(self, name: str) -> None:
        """Remove production's own value, and the variable with its last."""
        site, known = {"site_id": self.project}, self._variable(name)
        if known is None or known.production is None:
            return
        if known.production.context == "all":
            raise shared_with(name, ("all contexts",))
        if len(known.values) == 1:
            self._api.send("DELETE", *self._env, name, query=site)
        else:
            self._api.send("DELETE", *self._env, name, "value", str(known.production.id), query=site)


def _sha1(data: bytes) -> str:
    # The digest by which Netlify knows files; nothing is trusted for it.
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _read(said: shapes.Deploy) -> Deployment:
    production = said.context == "production" and not said.draft
    made = _TITLE.fullmatch(said.title or "")
    return Deployment(
        id=said.id,
        state=state_of(STATES, said.word),
        word=said.word,
        production=production,
        served=production and said.published is not None,
        created=said.created,
        address=said.links.permalink or f"https://{said.id}--{said.name}.netlify.app",
        commit=said.commit or (made[2] if made else None),
        branch=said.branch,
        mark=made[1] if made else None,
    )
