"""Netlify: a site's deploys, the one that is published, and restore.

Source: Netlify API 2.60 (sites, deploys, restoreSiteDeploy, account env). The address of a deploy is its permalink;
``deploy_ssl_url`` may be that of a branch, which moves. A restore holds nothing back: the next deploy is published.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Api, Shape, WritingApi
from opslib.systems.api_errors import Vendor
from opslib.systems.hosting import MOST, Deployment, Standing, State, Variable, built_elsewhere, named, state_of

PUBLIC = "https://api.netlify.com/api/v1"
PER_PAGE, MOST_PAGES = 100, 10
VENDOR = Vendor("Netlify", "NETLIFY_AUTH_TOKEN")
STATES = {"ready": State.READY, "error": State.FAILED, "rejected": State.FAILED, "deleted": State.GONE}


class _Links(Shape):
    permalink: str | None = None


class _Deploy(Shape):
    id: str
    word: str = Field(alias="state")
    name: str
    context: str
    created: datetime = Field(alias="created_at")
    published: datetime | None = Field(None, alias="published_at")
    commit: str | None = Field(None, alias="commit_ref")
    branch: str | None = None
    links: _Links = _Links()


class _Published(Shape):
    id: str
    locked: bool | None = None


class _Site(Shape):
    id: str
    account: str = Field(alias="account_id")
    published: _Published | None = Field(None, alias="published_deploy")


class _Value(Shape):
    context: str


class _Variable(Shape):
    name: str = Field(alias="key")
    values: list[_Value]
    secret: bool = Field(False, alias="is_secret")
    updated: datetime | None = Field(None, alias="updated_at")


class ReadOnlyNetlify:
    """The site of a target description; only GET is sent."""

    hoster = "netlify"
    pins = False
    builds = False

    def __init__(self, settings: VendorNames, token: Secret | None) -> None:
        self.project = named(settings.netlify_site, "NETLIFY_SITE_ID")
        self._api = self._opened(settings.netlify_url or PUBLIC, token)

    def _opened(self, base: str, token: Secret | None) -> Api:
        return Api(VENDOR, base, token)

    def current(self) -> Standing:
        """Return the published deploy; ``pinned`` while it is locked."""
        live = self._api.get(_Site, "sites", self.project).published
        return Standing(live.id if live else None, live.locked if live else None)

    def deployments(self, most: int = MOST) -> list[Deployment]:
        """Return the newest deploys for production; previews among them are passed over, page by page."""
        found: list[Deployment] = []
        for page in range(1, MOST_PAGES + 1):
            query = {"page": page, "per_page": PER_PAGE}
            listed = self._api.get(list[_Deploy], "sites", self.project, "deploys", query=query)
            found += [one for one in map(_read, listed) if one.production]
            if len(found) >= most or len(listed) < PER_PAGE:
                break
        return found[:most]

    def deployment(self, id: str) -> Deployment:
        """Return one deploy of this site."""
        return _read(self._api.get(_Deploy, "sites", self.project, "deploys", id))

    def variables(self) -> list[Variable]:
        """Return the variables of the production context; their values are not kept."""
        account = self._api.get(_Site, "sites", self.project).account
        query = {"site_id": self.project}
        found = self._api.get(list[_Variable], "accounts", account, "env", query=query)
        mine = [one for one in found if {value.context for value in one.values} & {"all", "production"}]
        every = [Variable(one.name, "secret" if one.secret else "plain", one.updated) for one in mine]
        return sorted(every, key=lambda one: one.name)

    def close(self) -> None:
        """Close every connection."""
        self._api.close()


class Netlify(ReadOnlyNetlify):
    """Also publishes an older or a newer deploy."""

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
        """Refuse: what is pushed is built there, and nothing else."""
        raise built_elsewhere("Netlify")


def _read(said: _Deploy) -> Deployment:
    production = said.context == "production"
    return Deployment(
        id=said.id,
        state=state_of(STATES, said.word),
        word=said.word,
        production=production,
        served=production and said.published is not None,
        created=said.created,
        address=said.links.permalink or f"https://{said.id}--{said.name}.netlify.app",
        commit=said.commit,
        branch=said.branch,
    )
