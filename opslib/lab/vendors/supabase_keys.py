"""More of the stand-in of Supabase's Management API: the project's API keys, and the keys that sign its tokens.

Sources: the API's official description (api-keys, config/auth/signing-keys); Supabase, "JWT Signing Keys" for which
status follows which, and that the older secret is not revoked while the older API keys are taken. An API key's value
is in the answer to its making alone; of it a digest is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab import signing
from opslib.lab.production import dummy
from opslib.lab.vendors.stand_in import Refusal, said

AGE = 100 * 86_400
PREFIX = 16
"""Characters of a value that the list shows."""
CURRENT, OLDER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
"""The ids of the key that signs in a new lab, and of the secret that signed before it."""
FOLLOWS = {
    "standby": ("in_use", "previously_used"),
    "in_use": (),
    "previously_used": ("standby", "revoked"),
    "revoked": ("standby",),
}
"""What may become of a signing key in each status."""
TRUSTED = ("in_use", "previously_used", "standby")
_NAME = re.compile(r"(?=.{4,64}\Z)[a-z_][a-z0-9_]+")


def first() -> dict[str, Any]:
    """Return the keys of a new lab: one of each kind, a key that signs, and the secret that signed before it."""
    old = time.time() - AGE
    keys = {
        "publishable": _kept("publishable", "default", "sb_publishable_of_the_lab", old),
        "secret": _kept("secret", "default", dummy("SUPABASE_SERVICE_KEY"), old),
    }
    return {
        "api_keys": {str(uuid.uuid5(uuid.NAMESPACE_URL, name)): one for name, one in keys.items()},
        "signing_keys": {
            OLDER: _signing("HS256", "previously_used", old),
            CURRENT: _signing("ES256", "in_use", old + 86_400),
        },
        "legacy_keys": True,
    }


class Keys:
    """Answers for the project. State: ``api_keys`` and ``signing_keys``, each by id; ``legacy_keys``: the older
    ones are taken.

    When a key was used last is kept beside the state (``used``, by hash, in milliseconds since the epoch).
    """

    def __init__(self, state: dict[str, Any], project: str) -> None:
        self._state, self._project = state, project
        self._secret = str(json.loads(os.environ.get("LAB_GATEWAY", "{}")).get("jwt_secret", ""))
        self.used: dict[str, int] = {}

    def routes(self) -> list[Route]:
        """Return what the runbooks ask."""
        home = "/v1/projects/{ref}"
        api, signs = f"{home}/api-keys", f"{home}/config/auth/signing-keys"
        return [
            Route(api, self.listed),
            Route(api, self.make, methods=["POST"]),
            Route(f"{api}/legacy", self.legacy),
            Route(f"{api}/legacy", self.set_legacy, methods=["PUT"]),
            Route(f"{api}/{{id}}", self.remove, methods=["DELETE"]),
            Route(signs, self.signing_keys),
            Route(signs, self.make_signing, methods=["POST"]),
            Route(f"{signs}/legacy", self.older),
            Route(f"{signs}/{{id}}", self.move, methods=["PATCH"]),
        ]

    def use(self, value: str) -> dict[str, Any] | None:
        """Return the API key with this value, and note its use; None where there is none."""
        mine = digest(value)
        found: dict[str, Any] | None = next((k for k in self._state["api_keys"].values() if k["hash"] == mine), None)
        if found is not None:
            self.used[mine] = int(time.time() * 1000)
        return found

    def uses(self, sql: str) -> list[dict[str, Any]]:
        """Return what the gateway's log has of keys: by hash, or by role for the older ones."""
        older = "payload.role" in sql
        return [
            {"used": at, "hash": name} for name, at in self.used.items() if older is (name in ("anon", "service_role"))
        ]

    async def listed(self, request: Request) -> Response:
        """List the API keys, the older ones first; values are hidden but for their beginning."""
        self._here(request)
        older = [
            {"name": role, "id": role, "type": "legacy", "hash": digest(role), "prefix": role[:5]}
            | {"api_key": "·" * 26, "description": f"Legacy {role} API key"}
            for role in ("anon", "service_role")
        ]
        return JSONResponse([*older, *(_shown(name, one) for name, one in self._state["api_keys"].items())])

    async def make(self, request: Request) -> Response:
        """Make a key, whose value is shown this once where that is asked for."""
        self._here(request)
        body = await said(request)
        kind, name = body.get("type"), body.get("name")
        if kind not in ("publishable", "secret") or not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Refusal(400, "type and name: Invalid input")
        if any((one["type"], one["name"]) == (kind, name) for one in self._state["api_keys"].values()):
            raise Refusal(409, "An API key with this name exists already.")
        value, key = f"sb_{kind}_{secrets.token_urlsafe(24)}", str(uuid.uuid4())
        self._state["api_keys"][key] = _kept(kind, name, value, time.time(), body.get("description"))
        shown = _shown(key, self._state["api_keys"][key])
        return JSONResponse(shown | ({"api_key": value} if request.query_params.get("reveal") == "true" else {}), 201)

    async def remove(self, request: Request) -> Response:
        """Delete a key for good."""
        self._here(request)
        key = request.path_params["id"]
        if (one := self._state["api_keys"].pop(key, None)) is None:
            raise Refusal(404, "API key not found")
        return JSONResponse(_shown(key, one))

    async def legacy(self, request: Request) -> Response:
        """Return whether the older keys are taken."""
        self._here(request)
        return JSONResponse({"enabled": self._state["legacy_keys"]})

    async def set_legacy(self, request: Request) -> Response:
        """Take the older keys again, or no more; both at once."""
        self._here(request)
        enabled = request.query_params["enabled"]
        if enabled not in ("true", "false"):
            raise Refusal(400, "enabled: Invalid input: expected boolean")
        self._state["legacy_keys"] = enabled == "true"
        return JSONResponse({"enabled": self._state["legacy_keys"]})

    async def signing_keys(self, request: Request) -> Response:
        """List the signing keys."""
        self._here(request)
        return JSONResponse({"keys": [self._signing(name, one) for name, one in self._state["signing_keys"].items()]})

    async def make_signing(self, request: Request) -> Response:
        """Make a standby key; one at a time. The lab makes no RSA key and takes nobody's own."""
        self._here(request)
        body = await said(request)
        if body.get("algorithm") != "ES256" or body.get("status", "standby") != "standby" or "private_jwk" in body:
            raise Refusal(400, "The lab makes standby keys of ES256 alone.")
        if any(one["status"] == "standby" for one in self._state["signing_keys"].values()):
            raise Refusal(400, "There is a standby key already.")
        key = str(uuid.uuid4())
        self._state["signing_keys"][key] = _signing("ES256", "standby", time.time())
        return JSONResponse(self._signing(key, self._state["signing_keys"][key]), 201)

    async def older(self, request: Request) -> Response:
        """Return the secret of before as a signing key; 404 where it was not made one."""
        self._here(request)
        found = self._older()
        if found is None:
            raise Refusal(404, "The JWT secret was not imported as a signing key.")
        return JSONResponse(self._signing(found, self._state["signing_keys"][found]))

    async def move(self, request: Request) -> Response:
        """Change a signing key's status, where that may follow; a key that comes into use moves the other one on."""
        self._here(request)
        key, keys = request.path_params["id"], self._state["signing_keys"]
        one, status = keys.get(key), (await said(request)).get("status")
        if one is None:
            raise Refusal(404, "Signing key not found")
        if status not in FOLLOWS[one["status"]]:
            raise Refusal(400, f"A key that is {one['status']} cannot become {status}.")
        if status == "revoked" and key == self._older() and self._state["legacy_keys"]:
            raise Refusal(400, "Disable the anon and service_role API keys before the JWT secret is revoked.")
        if status == "standby" and any(other["status"] == "standby" for other in keys.values()):
            raise Refusal(400, "There is a standby key already.")
        moment = time.time()
        for other in keys.values():
            if status == "in_use" and other["status"] == "in_use":
                other |= {"status": "previously_used", "updated": moment}
        one |= {"status": status, "updated": moment}
        return JSONResponse(self._signing(key, one))

    def public(self) -> list[dict[str, Any]]:
        """Return the public keys that anybody may check tokens with."""
        trusted = {name: one for name, one in self._state["signing_keys"].items() if one["status"] in TRUSTED}
        return [signing.public_jwk(self._secret, name) for name, one in trusted.items() if one["algorithm"] == "ES256"]

    def _older(self) -> str | None:
        return next((name for name, one in self._state["signing_keys"].items() if one["algorithm"] == "HS256"), None)

    def _signing(self, key: str, one: Mapping[str, Any]) -> dict[str, Any]:
        moments = {f"{name}_at": _moment(one[name]) for name in ("created", "updated")}
        jwk = signing.public_jwk(self._secret, key) if one["algorithm"] == "ES256" else None
        return {"id": key, "algorithm": one["algorithm"], "status": one["status"], "public_jwk": jwk, **moments}

    def _here(self, request: Request) -> None:
        if request.path_params["ref"] != self._project:
            raise Refusal(404, "Project not found")


def digest(value: str) -> str:
    """Return the hash by which the API and its logs name a key."""
    return signing.text(hashlib.sha256(value.encode()).digest())


def _kept(kind: str, name: str, value: str, moment: float, about: str | None = None) -> dict[str, Any]:
    known = {"hash": digest(value), "prefix": value[:PREFIX]}
    return {"type": kind, "name": name, **known, "made": moment, "description": about}


def _shown(key: str, one: Mapping[str, Any]) -> dict[str, Any]:
    moment, secret = _moment(one["made"]), one["type"] == "secret"
    return {
        "id": key,
        **{name: one[name] for name in ("name", "type", "hash", "prefix", "description")},
        "api_key": one["prefix"] + "·" * 26,
        "secret_jwt_template": {"role": "service_role"} if secret else None,
        "inserted_at": moment,
        "updated_at": moment,
    }


def _signing(algorithm: str, status: str, moment: float) -> dict[str, Any]:
    return {"algorithm": algorithm, "status": status, "created": moment, "updated": moment}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
