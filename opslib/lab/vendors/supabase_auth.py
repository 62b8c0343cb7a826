"""What the sign-in of a Supabase project answers: the keys it signs with, a token for a password, who a token is of.

Source: GoTrue's official description (token, user, logout, admin/users) and Supabase, "JWT Signing Keys" (the public
keys, at /.well-known/jwks.json, which nobody needs a key for). One account can sign in: the lab's trial account.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from opslib.lab import signing, tokens
from opslib.lab.vendors.supabase_keys import TRUSTED, Keys

USER = "00000000-0000-4000-8000-00000000a11d"
"""The trial account's id; it is in no organization."""
AUDIENCE = "authenticated"


class SignIn:
    """The sign-in. Sessions live in this process; a restart forgets them."""

    def __init__(self, state: Mapping[str, Any], keys: Keys, lab: Mapping[str, Any]) -> None:
        self._state, self._keys, self._lab = state, keys, lab
        self._sessions: set[str] = set()

    def claims(self, token: str) -> dict[str, Any] | None:
        """Return what a token says, where a key signed it that is trusted now; the older secret's has no id."""
        known, said = self._state["signing_keys"], signing.said(token)
        key = said.get("kid") or next((name for name, one in known.items() if one["algorithm"] == "HS256"), "")
        one = known.get(key)
        if one is None or one["status"] not in TRUSTED:
            return None
        if one["algorithm"] == "HS256":
            return tokens.claims(token, self._older())
        return signing.claims(token, self._lab.get("jwt_secret", ""), key)

    async def keys(self, request: Request, claims: dict[str, Any]) -> Response:
        """Return the public keys."""
        return JSONResponse({"keys": self._keys.public()})

    async def token(self, request: Request, claims: dict[str, Any]) -> Response:
        """Sign the trial account in by its password."""
        try:
            given = json.loads(await request.body())
            mine = json.dumps([given["email"], given["password"]])
        except (ValueError, KeyError, TypeError):
            return refused(400, "validation_failed", "missing email or phone")
        if request.query_params.get("grant_type") != "password":
            return refused(400, "validation_failed", "unsupported_grant_type")
        if not hmac.compare_digest(mine, json.dumps([self._lab.get("email"), self._lab.get("password_of_trial")])):
            return refused(400, "invalid_credentials", "Invalid login credentials")
        session, seconds = str(uuid.uuid4()), int(self._state["auth"]["jwt_exp"])
        self._sessions.add(session)
        now = int(time.time())
        made = {"sub": USER, "aud": AUDIENCE, "role": AUDIENCE, "session_id": session, "iat": now, "exp": now + seconds}
        shown = {"token_type": "bearer", "expires_in": seconds, "expires_at": now + seconds}
        return JSONResponse(
            {"access_token": self._signed(made), **shown, "refresh_token": secrets.token_hex(6), "user": self._user()}
        )

    async def user(self, request: Request, claims: dict[str, Any]) -> Response:
        """Return whose the caller's token is."""
        if claims.get("sub") != USER:
            return refused(403, "bad_jwt", "invalid claim: missing sub claim")
        if claims.get("session_id") not in self._sessions:
            return refused(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        return JSONResponse(self._user())

    async def logout(self, request: Request, claims: dict[str, Any]) -> Response:
        """End the caller's session (scope local), all of the account's (global), or all others (others)."""
        mine, scope = str(claims.get("session_id")), request.query_params.get("scope", "global")
        if mine not in self._sessions:
            return refused(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        if scope not in ("global", "local", "others"):
            return refused(400, "validation_failed", f"Unsupported logout scope {scope!r}")
        gone = {"global": set(self._sessions), "local": {mine}, "others": self._sessions - {mine}}[scope]
        self._sessions -= gone
        return Response(status_code=204)

    async def users(self, request: Request, claims: dict[str, Any]) -> Response:
        """List the accounts, for who has the service role."""
        if claims.get("role") != "service_role":
            return refused(403, "not_admin", "User not allowed")
        return JSONResponse({"aud": AUDIENCE, "users": [self._user()]}, headers={"x-total-count": "1"})

    def _signed(self, claims: dict[str, Any]) -> str:
        known = self._state["signing_keys"].items()
        key, one = next((name, one) for name, one in known if one["status"] == "in_use")
        if one["algorithm"] == "HS256":
            return tokens.signed(claims, self._older())
        return signing.signed(claims, self._lab.get("jwt_secret", ""), key)

    def _older(self) -> str:
        return tokens.renewed(self._lab.get("jwt_secret", ""), self._state["jwt_generation"])

    def _user(self) -> dict[str, Any]:
        return {"id": USER, "aud": AUDIENCE, "role": AUDIENCE, "email": self._lab.get("email", "")}


def refused(status: int, code: str, message: str) -> Response:
    """Return GoTrue's form of an error."""
    return JSONResponse({"code": status, "error_code": code, "msg": message}, status, {"x-sb-error-code": code})
