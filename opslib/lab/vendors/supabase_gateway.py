"""What a Supabase project's own address answers: PostgREST over the lab's real database, and the sign-in's two probes.

Sources: PostgREST's reference (errors: PGRST205, PGRST301, PGRST303, 42501 as 401 or 403, 503 without a database),
Supabase's gateway ("No API key found in request", "Invalid API key", 540 for a paused project), GoTrue's description
(health, settings). A table is asked as PostgREST asks: ``set local role``, the token's claims, a read-only transaction.
An API key opens the gateway; who calls is said by the bearer token, else by the key's own role.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.errors import OpsError
from opslib.lab import tokens
from opslib.lab.vendors.stand_in import Endpoint
from opslib.lab.vendors.supabase_auth import SignIn
from opslib.lab.vendors.supabase_keys import Keys
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres import connect

if TYPE_CHECKING:
    import psycopg

EXPOSED = (
    *("billing_plans", "organizations", "organization_members", "roles", "teams", "users", "cases", "workflows"),
    *("messages", "agents", "agent_sessions", "llm_usage", "webhook_events"),
)
"""Tables that the API serves, if they are there; PostgREST serves every one of an exposed schema."""
ROLES = ("anon", "authenticated", "service_role")
OPEN = ("/.well-known/jwks.json",)
"""What is answered without a key."""
PAUSED = ("INACTIVE", "PAUSING", "PAUSE_FAILED", "GOING_DOWN", "REMOVED")
LIMIT_SECONDS = "3s"
STATE: dict[str, Any] = {"clock_skew": 0, "origins": "*", "jwt_generation": 0, "open": False}


class Gateway:
    """The project's address. State: ``clock_skew`` (seconds that its clock is ahead), ``origins`` (``*`` or a list),
    ``jwt_generation`` (how often the secret that signs was rotated), ``open`` (asks nobody for a key).
    """

    def __init__(self, state: Mapping[str, Any], project: str, keys: Keys) -> None:
        self._state, self._project, self._keys = state, project, keys
        self._lab: dict[str, str] = json.loads(os.environ.get("LAB_GATEWAY", "{}"))
        self._sign_in = SignIn(state, keys, self._lab)

    def routes(self) -> list[Route]:
        """Return the routes below the project's address."""
        home, methods = "/sites/{ref}", ["GET", "OPTIONS"]
        auth, sign_in = f"{home}/auth/v1", self._sign_in
        return [
            Route(f"{home}/rest/v1/", self._behind(self.root), methods=methods),
            Route(f"{home}/rest/v1/{{table}}", self._behind(self.table), methods=methods),
            Route(f"{auth}/health", self._behind(self.health), methods=methods),
            Route(f"{auth}/settings", self._behind(self.settings), methods=methods),
            Route(f"{auth}{OPEN[0]}", self._behind(sign_in.keys), methods=methods),
            Route(f"{auth}/token", self._behind(sign_in.token), methods=["POST", "OPTIONS"]),
            Route(f"{auth}/logout", self._behind(sign_in.logout), methods=["POST", "OPTIONS"]),
            Route(f"{auth}/user", self._behind(sign_in.user), methods=methods),
            Route(f"{auth}/admin/users", self._behind(sign_in.users), methods=methods),
        ]

    async def root(self, request: Request, claims: dict[str, Any]) -> Response:
        """Return what the API serves, as PostgREST describes it."""
        paths: dict[str, Any] = {f"/{table}": {} for table in EXPOSED}
        said = {"swagger": "2.0", "info": {"title": "standard public schema"}, "paths": {"/": {}, **paths}}
        return JSONResponse(said, media_type="application/openapi+json")

    async def table(self, request: Request, claims: dict[str, Any]) -> Response:
        """Return rows of one table, as the token's role sees them."""
        table = request.path_params["table"]
        if table not in EXPOSED:
            said = f"Could not find the table 'public.{table}' in the schema cache"
            return _error(404, "PGRST205", said)
        limit = int(request.query_params.get("limit", "1000"))
        return await run_in_threadpool(self._rows, table, limit, claims)

    async def health(self, request: Request, claims: dict[str, Any]) -> Response:
        """Return the sign-in's word on itself."""
        said = {"version": "v2.180.0", "name": "GoTrue", "description": "GoTrue is a user registration API"}
        return JSONResponse(said)

    async def settings(self, request: Request, claims: dict[str, Any]) -> Response:
        """Return which ways to sign in are on."""
        external = {"email": True, "phone": False, "google": False}
        return JSONResponse({"external": external, "disable_signup": False, "mailer_autoconfirm": False})

    def _behind(self, endpoint: Any) -> Endpoint:
        """Return ``endpoint`` as the gateway lets it be asked: preflights, paused projects and keys come first."""

        async def asked(request: Request) -> Response:
            answer = await self._answer(request, endpoint)
            moment = datetime.fromtimestamp(time.time() + self._state["clock_skew"], UTC)
            answer.headers["date"] = format_datetime(moment, usegmt=True)
            self._allow(request, answer)
            return answer

        return asked

    async def _answer(self, request: Request, endpoint: Any) -> Response:
        if request.path_params["ref"] != self._project:
            return JSONResponse({"message": "Project not found"}, 404)
        if self._state["status"] in PAUSED:
            return JSONResponse({"message": "Project paused"}, 540)
        if request.method == "OPTIONS":
            return Response(status_code=200)
        service = request.url.path.split("/sites/")[1].split("/")[1]
        if self._state["health"].get(service) == "UNHEALTHY":
            return JSONResponse({"message": "name resolution failed"}, 503)
        claims = self._claims(request)
        return claims if isinstance(claims, Response) else await endpoint(request, claims)

    def _claims(self, request: Request) -> dict[str, Any] | Response:
        """Return what the caller's token says, or the gateway's refusal."""
        key = request.headers.get("apikey") or request.query_params.get("apikey") or ""
        if request.url.path.endswith(OPEN):
            return {}
        if not key and not self._state["open"]:
            hint = "No `apikey` request header or url param was found."
            return JSONResponse({"message": "No API key found in request", "hint": hint}, 401)
        known = self._of(request, key)
        if known is None or isinstance(known, Response):
            hint = "Double check your Supabase `anon` or `service_role` API key."
            return known or JSONResponse({"message": "Invalid API key", "hint": hint}, 401)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        said = self._sign_in.claims(bearer) if bearer and bearer != key else known
        if said is None:
            return _error(401, "PGRST301", "No suitable key or wrong key type")
        if said.get("exp", tokens.EXPIRES) < time.time():
            return _error(401, "PGRST303", "JWT expired")
        return said

    def _of(self, request: Request, key: str) -> dict[str, Any] | Response | None:
        """Return whose ``key`` is: a key of today's form, or one of the older ones, while those are taken."""
        if (found := self._keys.use(key)) is not None:
            # A secret key answers to no browser, wherever it is.
            browser = found["type"] == "secret" and "Mozilla" in request.headers.get("user-agent", "")
            return None if browser else {"role": "service_role" if found["type"] == "secret" else "anon"}
        if key and not key.startswith("sb_") and not self._state["legacy_keys"]:
            return JSONResponse({"message": "Legacy API keys are disabled", "hint": "Use a publishable key."}, 401)
        known = self._sign_in.claims(key) or ({"role": "anon"} if self._state["open"] else None)
        if known is None or known.get("role") not in ROLES:
            return None
        self._keys.used[str(known["role"])] = int(time.time() * 1000)
        return known

    def _allow(self, request: Request, answer: Response) -> None:
        origin, origins = request.headers.get("origin"), self._state["origins"]
        if origin is None or (origins != "*" and origin not in origins):
            return
        answer.headers["access-control-allow-origin"] = "*" if origins == "*" else origin
        if request.method == "OPTIONS":
            answer.headers["access-control-allow-methods"] = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT"
            asked = request.headers.get("access-control-request-headers", "")
            answer.headers["access-control-allow-headers"] = asked

    def _rows(self, table: str, limit: int, claims: dict[str, Any]) -> Response:
        import psycopg
        from psycopg import sql

        role = claims["role"]
        statement = sql.SQL(
            "select coalesce(json_agg(t), '[]')::text as found from (select * from public.{} limit {}) t"
        ).format(sql.Identifier(table), sql.Literal(limit))
        try:
            with self._session() as session, session.transaction():
                session.execute("set transaction read only")
                session.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
                session.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
                session.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(LIMIT_SECONDS)))
                row = session.execute(statement).fetchone()
        except psycopg.Error as error:
            return _refused(error, role)
        except OpsError:
            said = "Could not query the database for the schema cache. Retrying."
            return _error(503, "PGRST002", said)
        assert row is not None
        return Response(row["found"], media_type="application/json", headers={"content-range": "0-0/*"})

    def _session(self) -> psycopg.Connection[dict[str, Any]]:
        services = json.loads(Path(self._lab["state"]).read_text(encoding="utf-8"))["services"]
        where = f"127.0.0.1:{services['postgres']['port']}/{self._lab['database']}"
        return connect(DatabaseUrl(f"postgresql://authenticator:{self._lab['password']}@{where}"), "postgrest")


def _refused(error: psycopg.Error, role: str) -> Response:
    """Return PostgREST's form of the server's word: a missing right is 401 for who is nobody, else 403."""
    import psycopg

    code = error.sqlstate or "08006"
    forbidden = isinstance(error, psycopg.errors.InsufficientPrivilege)
    status = (401 if role == "anon" else 403) if forbidden else 404 if code == "42P01" else 503
    return _error(status, code, str(error.diag.message_primary or error))


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "details": None, "hint": None, "message": message}, status)
