"""A Supabase project at its own address, asked with a key that passes every policy, or with an account's token.

Sources: Supabase, "Understanding API keys" (a secret key goes as ``apikey`` alone; an older one also as bearer token),
GoTrue's description (token, user, logout, admin/users), RFC 7515 for a token's header, RFC 7517 for a set of keys.
Tokens and keys are decoded and compared; none is shown or kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from opslib.errors import SettingsError, Unreachable
from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Api, Shape, WritingApi
from opslib.systems.api_errors import Vendor
from opslib.systems.supabase_keyring import form_of

REST, AUTH = "rest/v1", "auth/v1"
JWKS = (".well-known", "jwks.json")
WORDS = (("msg",), ("message",), ("error_code",))


class _Jwk(Shape):
    kid: str


class _Jwks(Shape):
    keys: list[_Jwk]


class _Users(Shape):
    users: list[dict[str, Any]] = Field(repr=False)


class _User(Shape):
    id: str


class _Signed(Shape):
    token: Secret = Field(alias="access_token")
    seconds: int = Field(alias="expires_in")


@dataclass(frozen=True)
class Token:
    """An account's token: the key that signed it, how, and for how many seconds it counts."""

    key: str
    algorithm: str
    seconds: int
    value: Secret = field(repr=False)


class ReadOnlyDoor:
    """The project's address; only GET is sent, each time with what is handed in."""

    def __init__(self, settings: VendorNames) -> None:
        if settings.supabase_site is None:
            raise SettingsError("VITE_SUPABASE_URL is not in the target description.", "Name the project's address.")
        self._base, self._public = settings.supabase_site.rstrip("/"), settings.supabase_anon_key

    def takes(self, key: Secret) -> bool:
        """Tell whether REST interface and sign-in take a key of the service role (False: one says 401 or 403).

        Raises Unreachable for every other answer.
        """
        return self._taken(lambda: self._rest(key)) and self._taken(lambda: self._users(key))

    def passes(self, token: Secret, key: Secret) -> bool:
        """Tell whether the REST interface takes a token beside the API key ``key``; raises Unreachable."""
        return self._taken(lambda: self._rest(key, token))

    def public_keys(self) -> list[str]:
        """Return the ids of the keys that anybody may check tokens with; raises Unreachable."""
        with_none = Vendor("Supabase", "VITE_SUPABASE_URL", scheme="", words=WORDS)
        return [one.kid for one in self._got(Api(with_none, f"{self._base}/{AUTH}", None), _Jwks, *JWKS).keys]

    def close(self) -> None:
        """Nothing stays open between two questions."""

    def _rest(self, key: Secret, token: Secret | None = None) -> None:
        self._got(self._opened(REST, key, token), dict[str, Any])

    def _users(self, key: Secret) -> None:
        self._got(self._opened(AUTH, key), _Users, "admin", "users", page=1, per_page=1)

    def _opened(self, service: str, key: Secret, token: Secret | None = None) -> Api:
        vendor, bearer = _vendor(key, token)
        return Api(vendor, f"{self._base}/{service}", bearer, headers={"apikey": key})

    def _got(self, api: Api, shape: Any, *path: str, **query: int) -> Any:
        try:
            return api.get(shape, *path, query=query)
        finally:
            api.close()

    def _taken(self, ask: Callable[[], None]) -> bool:
        try:
            ask()
        except Unreachable as error:
            if error.kind in ("unauthorized", "forbidden"):
                return False
            raise
        return True


class Door(ReadOnlyDoor):
    """Also signs an account in and out: a session is made and ended."""

    def __init__(self, settings: VendorNames, password: Secret | None) -> None:
        super().__init__(settings)
        self._email, self._password = settings.trial_email, password

    def sign_in(self) -> Token:
        """Sign the trial account in; raises SettingsError without one, Unreachable."""
        if self._email is None or self._password is None:
            said = "OPS_TRIAL_EMAIL and OPS_TRIAL_PASSWORD are not in the target description."
            raise SettingsError(said, "Make an account without rights for it, and name it there.")
        api, body = self._writing(None), {"email": self._email, "password": self._password.reveal()}
        try:
            answer = api.send("POST", "token", query={"grant_type": "password"}, body=body, hide=self._password)
            made = api.read(_Signed, "POST token", answer)
        finally:
            api.close()
        said_by = _header(made.token)
        return Token(str(said_by.get("kid", "")), str(said_by.get("alg", "")), made.seconds, made.token)

    def known(self, token: Token) -> bool:
        """Tell whether sign-in and REST interface take the account's token; raises Unreachable."""
        key = self._key()

        def ask() -> None:
            self._got(self._opened(AUTH, key, token.value), _User, "user")

        return self._taken(ask) and self.passes(token.value, key)

    def sign_out(self, token: Token) -> None:
        """End the session of the token, and no other; raises Unreachable."""
        api = self._writing(token.value)
        try:
            api.send("POST", "logout", query={"scope": "local"})
        finally:
            api.close()

    def _writing(self, token: Secret | None) -> WritingApi:
        key = self._key()
        vendor, bearer = _vendor(key, token)
        return WritingApi(vendor, f"{self._base}/{AUTH}", bearer, headers={"apikey": key})

    def _key(self) -> Secret:
        if self._public is None:
            said = "VITE_SUPABASE_ANON_KEY is not in the target description."
            raise SettingsError(said, "Put there what the front end is built with.")
        return self._public


def _vendor(key: Secret, token: Secret | None) -> tuple[Vendor, Secret | None]:
    """Return the project as messages name it, and what goes as bearer token: only what is one."""
    bearer = token or (key if form_of(key) in ("anon", "service_role") else None)
    return Vendor("Supabase's project", "its key", scheme="Bearer" if bearer else "", words=WORDS), bearer


def _header(token: Secret) -> dict[str, Any]:
    first = token.reveal().partition(".")[0]
    try:
        said = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
