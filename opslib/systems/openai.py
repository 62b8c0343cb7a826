"""OpenAI's administration of one project's keys: service accounts and keys listed, made, deleted.

Source: OpenAI's API description (organization projects). A key's value is in one answer only, that to its making;
afterwards the list shows its beginning and its end. A service account's key is deleted with its account.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import Field

from opslib.errors import SettingsError
from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Api, Shape, WritingApi
from opslib.systems.api_errors import Vendor
from opslib.systems.llm_keys import CODES, PROVIDERS

VENDOR = Vendor("OpenAI", "OPENAI_ADMIN_KEY", words=CODES)
PER_PAGE, MOST_PAGES = 100, 20
_HIDDEN = re.compile(r"(?P<begin>[^.*…•]+)[.*…•]+(?P<end>[^.*…•]{3,})")

S = TypeVar("S", bound=Shape)


class Account(Shape):
    """A service account; ``created`` in seconds since the epoch."""

    id: str
    name: str
    created: int = Field(alias="created_at")


class _Owner(Shape):
    type: str
    account: Account | None = Field(None, alias="service_account")


class Listed(Shape):
    """A key as the list shows it. ``used`` is when it was used last (seconds since the epoch), None: never."""

    id: str
    redacted: str = Field(alias="redacted_value", repr=False)
    created: int = Field(alias="created_at")
    used: int | None = Field(alias="last_used_at")
    owner: _Owner

    def may_be(self, value: Secret) -> bool:
        """Tell whether what is shown of it is the beginning and the end of ``value``."""
        found, text = _HIDDEN.fullmatch(self.redacted), value.reveal()
        return found is not None and text.startswith(found["begin"]) and text.endswith(found["end"])


class _Page(Shape, Generic[S]):
    data: list[S]
    more: bool = Field(False, alias="has_more")
    last: str | None = Field(None, alias="last_id")


class _MadeKey(Shape):
    id: str
    value: Secret


class _MadeAccount(Shape):
    id: str
    key: _MadeKey = Field(alias="api_key")


@dataclass(frozen=True)
class Made:
    """A service account that was just made, with the id and the value of its key."""

    account: str
    key: str
    value: Secret


class ReadOnlyProject:
    """The project of a target description; only GET is sent."""

    def __init__(self, settings: VendorNames, token: Secret | None) -> None:
        if settings.openai_project is None:
            raise SettingsError("OPENAI_PROJECT_ID is not in the target description.", "It begins with proj_.")
        self.id = settings.openai_project
        self._home = ("organization", "projects", self.id)
        self._api = self._opened(settings, token)

    def _opened(self, settings: VendorNames, token: Secret | None) -> Api:
        return Api(VENDOR, settings.openai_url or PROVIDERS["openai"].public, token)

    def accounts(self) -> list[Account]:
        """Return the project's service accounts."""
        return self._all(Account, "service_accounts")

    def listed(self) -> list[Listed]:
        """Return the project's keys."""
        return self._all(Listed, "api_keys")

    def close(self) -> None:
        """Close every connection."""
        self._api.close()

    def _all(self, shape: type[S], what: str) -> list[S]:
        found: list[S] = []
        after: str | None = None
        for _ in range(MOST_PAGES):
            query: dict[str, str | int | None] = {"limit": PER_PAGE, "after": after}
            page = self._api.get(_Page[shape], *self._home, what, query=query)  # type: ignore[valid-type]
            found += page.data
            after = page.last
            if not page.more or after is None:
                break
        return found


class Project(ReadOnlyProject):
    """Also makes and deletes service accounts."""

    _api: WritingApi

    def _opened(self, settings: VendorNames, token: Secret | None) -> WritingApi:
        return WritingApi(VENDOR, settings.openai_url or PROVIDERS["openai"].public, token)

    def make(self, name: str) -> Made:
        """Make a service account with a key; not repeatable: two calls make two. Raises Unreachable."""
        answer = self._api.send("POST", *self._home, "service_accounts", body={"name": name})
        made = self._api.read(_MadeAccount, "POST service_accounts", answer)
        return Made(made.id, made.key.id, made.key.value)

    def remove(self, account: str) -> None:
        """Delete a service account with all its keys; raises Unreachable (missing) where it is gone."""
        self._api.send("DELETE", *self._home, "service_accounts", account)

    def remove_key(self, key: str) -> None:
        """Delete a person's key; raises Unreachable (rejected) for a service account's, which goes with its account."""
        self._api.send("DELETE", *self._home, "api_keys", key)
