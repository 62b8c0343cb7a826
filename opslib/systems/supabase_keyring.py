"""A Supabase project's keyring, by the Management API: its API keys, and the keys that sign its tokens.

Sources: the API's official description (api-keys, config/auth/signing-keys), version of 2026-06; Supabase,
"Understanding API keys" (the older anon and service_role go on and off together) and "JWT Signing Keys" (a standby key
comes into use, the one before it stays trusted until it is revoked, and a revoked one can become standby again).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import Field

from opslib.errors import Unreachable
from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Api, Shape
from opslib.systems.env_variables import key_of
from opslib.systems.supabase import PUBLIC, WRITING, ReadOnlySupabase, Supabase

SECRET, PUBLISHABLE, LEGACY = "secret", "publishable", "legacy"
SERVICE_ROLE = "service_role"
STANDBY: Final = "standby"
IN_USE: Final = "in_use"
BEFORE: Final = "previously_used"
REVOKED: Final = "revoked"
SHARED = "HS256"
"""The algorithm of a secret that who signs and who checks must both have."""
Status = Literal["standby", "in_use", "previously_used", "revoked"]
_LEAST = 12
"""Characters that a listed beginning must have to tell one key from another."""


def form_of(key: Secret) -> str:
    """Return what a key is by its form and what it says: publishable, secret, anon, service_role; nothing: none."""
    text = key.reveal()
    if text.startswith("sb_publishable_"):
        return PUBLISHABLE
    return SECRET if text.startswith("sb_secret_") else str(key_of(text).get("role", ""))


class ApiKey(Shape):
    """An API key as the list shows it: its kind, its name, how its value begins, and what the logs call it."""

    name: str
    id: str | None = None
    kind: str | None = Field(None, alias="type")
    prefix: str | None = Field(None, repr=False)
    hash: str | None = None

    def may_be(self, value: Secret, project: str) -> bool:
        """Tell whether ``value`` begins as this key does; an older key is known by the role that it says."""
        text = value.reveal()
        if self.kind == LEGACY:
            said = key_of(text)
            return said.get("role") == self.name and said.get("ref") == project
        return bool(self.prefix) and len(self.prefix or "") >= _LEAST and text.startswith(self.prefix or "")


class MadeKey(ApiKey):
    """A key that was just made, with its value."""

    value: Secret | None = Field(None, alias="api_key")


class SigningKey(Shape):
    """A key that signs tokens, did so, or will; ``updated`` is when it came into its status."""

    id: str
    algorithm: str
    status: Status
    created: datetime = Field(alias="created_at")
    updated: datetime = Field(alias="updated_at")


class _Legacy(Shape):
    enabled: bool


class _SigningKeys(Shape):
    keys: list[SigningKey]


class ReadOnlyKeyring(ReadOnlySupabase):
    """The keys of a target description's project; only GET is sent, and no value is asked for.

    By the executor's token: whoever may list API keys may also ask for their values, which no notebook's token may.
    """

    def _opened(self, settings: VendorNames, token: Secret | None) -> Api:
        return Api(WRITING, settings.supabase_url or PUBLIC, token)

    def api_keys(self) -> list[ApiKey]:
        """Return the project's API keys, the older ones too."""
        return self._api.get(list[ApiKey], *self._home, "api-keys")

    def legacy_keys(self) -> bool:
        """Tell whether the project still takes its older keys (anon, service_role as JSON web tokens)."""
        return self._api.get(_Legacy, *self._home, "api-keys", LEGACY).enabled

    def signing_keys(self) -> list[SigningKey]:
        """Return the keys that sign; none where the project still signs with its older secret alone."""
        return self._api.get(_SigningKeys, *self._signs).keys

    def older_secret(self) -> SigningKey | None:
        """Return the older JWT secret as the signing key that it was made; None where it was not."""
        try:
            return self._api.get(SigningKey, *self._signs, LEGACY)
        except Unreachable as error:
            if error.kind != "missing":
                raise
            return None

    @property
    def _signs(self) -> tuple[str, ...]:
        return (*self._home, "config", "auth", "signing-keys")


class Keyring(Supabase, ReadOnlyKeyring):
    """Also makes and deletes API keys, and makes signing keys and moves them on."""

    def make_key(self, name: str, about: str) -> MadeKey:
        """Make a secret API key; not repeatable: two calls make two, or the second is refused for its name."""
        body = {"type": SECRET, "name": name, "description": about}
        answer = self._api.send("POST", *self._home, "api-keys", query={"reveal": "true"}, body=body)
        return self._api.read(MadeKey, "POST api-keys", answer)

    def delete_key(self, key: str) -> None:
        """Delete an API key for good; raises Unreachable (missing) where it is gone."""
        self._api.send("DELETE", *self._home, "api-keys", key, query={"reason": "rotated"})

    def take_older_keys(self, taken: bool) -> None:
        """Take the older anon and service_role keys again, or no more; repeatable, and both at once."""
        query = {"enabled": "true" if taken else "false"}
        self._api.send("PUT", *self._home, "api-keys", LEGACY, query=query)

    def make_signing_key(self, algorithm: str) -> SigningKey:
        """Make a standby key, whose private half nobody ever gets; not repeatable."""
        answer = self._api.send("POST", *self._signs, body={"algorithm": algorithm, "status": STANDBY})
        return self._api.read(SigningKey, "POST signing-keys", answer)

    def move_signing_key(self, key: str, status: Status) -> SigningKey:
        """Bring a signing key into a status; raises Unreachable (rejected) where that may not follow its own.

        The key that was in use becomes previously used by itself when another comes into use.
        """
        answer = self._api.send("PATCH", *self._signs, key, body={"status": status})
        return self._api.read(SigningKey, "PATCH signing-keys", answer)
