"""OpenAI's stand-in: models and chat for the keys of one project, and the administration of these keys.

Source: OpenAI's API description (organization projects: service accounts, API keys). An administrator's token does
not chat, and a project's key administers nothing. A service account's key goes with its account alone.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.production import dummy
from opslib.lab.providers import refuse
from opslib.lab.vendors.faults import Faults
from opslib.lab.vendors.memory import Memory
from opslib.lab.vendors.provider_keys import Key, Keys, answered, kept, unknown
from opslib.lab.vendors.stand_in import Refusal, StandIn, said

PROJECT = "proj_valuecanvas"
ADMINISTRATION = "/v1/organization/"
AGE = 200 * 86_400


class OpenAi(StandIn):
    """The project :data:`PROJECT`. State: service ``accounts`` and ``keys``, each by id."""

    name = "openai"

    def __init__(self, memory: Memory, faults: Faults, tokens: Mapping[str, str], base: str) -> None:
        super().__init__(memory, faults, tokens, base)
        self.keys = Keys(self.state)

    def first(self) -> dict[str, Any]:
        """Return the account that the product uses, and a person's key that it does not."""
        old = int(time.time()) - AGE
        product = kept(dummy("OPENAI_API_KEY"), name="production", created=old, account="svc_production")
        person = kept("lab-dummy-key-of-a-person-1", name="Ann's", created=old, user="user_ann")
        return {
            "accounts": {"svc_production": {"name": "valuecanvas-production", "created": old}},
            "keys": {"key_production": product, "key_ann": person},
        }

    def routes(self) -> list[Route]:
        """Return what is asked with a key, and what an administrator asks."""
        home = f"{ADMINISTRATION}projects/{{project}}"
        return [
            Route("/v1/models", self.ask),
            Route("/v1/chat/completions", self.ask, methods=["POST"]),
            Route(f"{home}/service_accounts", self.accounts),
            Route(f"{home}/service_accounts", self.make, methods=["POST"]),
            Route(f"{home}/service_accounts/{{id}}", self.remove, methods=["DELETE"]),
            Route(f"{home}/api_keys", self.listed),
            Route(f"{home}/api_keys/{{id}}", self.remove_key, methods=["DELETE"]),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return OpenAI's form of an error."""
        return refuse(status, message, "server_error" if status >= 500 else "invalid_request_error", code or None)

    def _refused(self, request: Request) -> Response | None:
        if ADMINISTRATION not in request.url.path:
            return None if self.keys.of(request) else unknown(request)
        token = request.headers.get("authorization", "").partition(" ")[2]
        known = [one for one in self._tokens if hmac.compare_digest(one.encode(), token.encode())]
        return None if known else unknown(request)

    async def ask(self, request: Request) -> Response:
        """Answer with models or a chat; the headers say whose key it was."""
        answer = await answered(self.name, request, self.state)
        answer.headers["openai-project"] = PROJECT
        return answer

    async def accounts(self, request: Request) -> Response:
        """List the service accounts."""
        self._here(request)
        found = [{"id": key, **_account(one)} for key, one in self.state["accounts"].items()]
        return _page(found, request)

    async def make(self, request: Request) -> Response:
        """Make a service account with a key, whose value is shown this once."""
        self._here(request)
        body = await said(request)
        name = body.get("name")
        if not isinstance(name, str) or not 1 <= len(name) <= 100:
            raise Refusal(400, "Missing required parameter: 'name'.", "missing_required_parameter")
        account, key = (f"{kind}_{secrets.token_hex(9)}" for kind in ("svc_acct", "key"))
        value, now = f"sk-svcacct-{secrets.token_urlsafe(48)}", int(time.time())
        self.state["accounts"][account] = {"name": name, "created": now}
        self.state["keys"][key] = kept(value, name="Secret Key", created=now, account=account)
        kind = "organization.project.service_account.api_key"
        shown = {"object": kind, "id": key, "value": value, "name": "Secret Key", "created_at": now}
        made = {"id": account, **_account(self.state["accounts"][account]), "api_key": shown}
        return JSONResponse(made)

    async def remove(self, request: Request) -> Response:
        """Delete a service account, and its keys with it."""
        self._here(request)
        account = request.path_params["id"]
        if self.state["accounts"].pop(account, None) is None:
            raise Refusal(404, f"No such service account: {account}", "not_found")
        for key in [key for key, one in self.state["keys"].items() if one.get("account") == account]:
            del self.state["keys"][key]
        gone = {"object": "organization.project.service_account.deleted", "id": account, "deleted": True}
        return JSONResponse(gone)

    async def listed(self, request: Request) -> Response:
        """List the project's keys; a value is hidden but for its beginning and end. One of another is not there."""
        self._here(request)
        own = {name: one for name, one in self.state["keys"].items() if one.get("project", PROJECT) == PROJECT}
        return _page([self._key(name, one) for name, one in own.items()], request)

    async def remove_key(self, request: Request) -> Response:
        """Delete a person's key; a service account's goes with its account."""
        self._here(request)
        name = request.path_params["id"]
        one = self.state["keys"].get(name)
        if one is None:
            raise Refusal(404, f"No such API key: {name}", "not_found")
        if "account" in one:
            raise Refusal(400, "API keys of service accounts are deleted with their account.", "invalid_request")
        del self.state["keys"][name]
        return JSONResponse({"object": "organization.project.api_key.deleted", "id": name, "deleted": True})

    def _here(self, request: Request) -> None:
        if request.path_params["project"] != PROJECT:
            raise Refusal(404, "No such project.", "not_found")

    def _key(self, name: str, one: Key) -> dict[str, Any]:
        if "account" in one:
            account = self.state["accounts"][one["account"]]
            who = {"id": one["account"], "name": account["name"], "created_at": account["created"], "role": "member"}
            owner = {"type": "service_account", "service_account": who}
        else:
            who = {"id": one["user"], "name": "Ann", "created_at": one["created"], "role": "member"}
            owner = {"type": "user", "user": {**who, "email": "ann@valuecanvas.example"}}
        return {
            "object": "organization.project.api_key",
            "id": name,
            "name": one["name"],
            "redacted_value": one["redacted"],
            "created_at": one["created"],
            "last_used_at": self.keys.used.get(name),
            "owner_project_access": "active",
            "owner": owner,
        }


def _account(one: Mapping[str, Any]) -> dict[str, Any]:
    kind = "organization.project.service_account"
    return {"object": kind, "name": one["name"], "role": "member", "created_at": one["created"]}


def _page(found: list[dict[str, Any]], request: Request) -> Response:
    after, limit = request.query_params.get("after"), int(request.query_params.get("limit", "20"))
    ids = [one["id"] for one in found]
    begin = ids.index(after) + 1 if after in ids else 0
    page = found[begin : begin + limit]
    ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
    return JSONResponse({"object": "list", "data": page, **ends, "has_more": begin + limit < len(found)})
