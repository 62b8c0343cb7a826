"""Supabase's stand-in: one project with its services' health, the functions' secrets, and functions that answer.

Source: the Management API's official description; supabase/cli 3 for what is not in it (a body as a form).
Of a secret it keeps the digest, as the API lists it; a function answers 500 where a secret that it reads is not set.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
import time
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.errors import Unreachable
from opslib.lab.production import PROJECT, RENEWED, dummy
from opslib.lab.vendors import supabase_backups, supabase_config, supabase_gateway, supabase_keys
from opslib.lab.vendors.product import DEPLOYED, HELLO, LLM
from opslib.lab.vendors.stand_in import Refusal, StandIn
from opslib.lab.vendors.supabase_backups import Backups
from opslib.lab.vendors.supabase_config import Config
from opslib.lab.vendors.supabase_gateway import Gateway
from opslib.systems.multipart import Part, decode, encode

REF = PROJECT
SERVICES = ("auth", "db", "db_postgres_user", "pooler", "realtime", "rest", "storage", "pg_bouncer")
RESERVED = ("SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_DB_URL")
LONGEST_NAME, LONGEST_VALUE = 256, 24_576
PLAN_LIMIT = 100
"""Functions that the project's plan allows."""

_READS = re.compile(r"""Deno\.env\.get\(["']([A-Z][A-Z0-9_]*)["']\)""")


class Supabase(StandIn):
    """The project :data:`REF`. State: status, health by service, secrets by name (digest, when set), functions."""

    name = "supabase"
    retry_header = "x-ratelimit-reset"
    asking = ("/network-bans/retrieve",)
    secret_fields = ("value", "password", "api_key", "access_token", "refresh_token")

    def first(self) -> dict[str, Any]:
        """Return the project as it is: two functions, a key that was renewed in the vault since, another as it is."""
        old = time.time() - 40 * 86_400
        functions = {
            "hello": _made(1, "hello", HELLO, DEPLOYED["hello"], old),
            "llm-ready": _made(2, "llm-ready", LLM, DEPLOYED["llm-ready"], old),
        }
        secrets = {name: _secret(f"of the platform: {name}", old) for name in RESERVED}
        secrets["TOGETHER_API_KEY"] = _secret(RENEWED["TOGETHER_API_KEY"], old)
        secrets["OPENAI_API_KEY"] = _secret(dummy("OPENAI_API_KEY"), old)
        return {
            "status": "ACTIVE_HEALTHY",
            "health": dict.fromkeys(SERVICES, "ACTIVE_HEALTHY"),
            "secrets": secrets,
            "functions": functions,
            "limit": PLAN_LIMIT,
            **supabase_backups.STATE,
            **supabase_gateway.STATE,
            **supabase_config.STATE,
            **supabase_keys.first(),
            "auth": supabase_config.sign_in(self.base.replace("/supabase", "/vercel/sites/production")),
        }

    def routes(self) -> list[Route]:
        """Return what the runbooks ask, and the functions themselves."""
        home, keys = "/v1/projects/{ref}", supabase_keys.Keys(self.state, REF)
        one = f"{home}/functions/{{slug}}"
        return [
            Route(home, self.project),
            Route(f"{home}/health", self.health),
            Route(f"{home}/secrets", self.secrets),
            Route(f"{home}/secrets", self.set_secrets, methods=["POST"]),
            Route(f"{home}/secrets", self.delete_secrets, methods=["DELETE"]),
            Route(f"{home}/functions", self.functions),
            Route(f"{home}/functions", self.update_functions, methods=["PUT"]),
            Route(f"{home}/functions/deploy", self.deploy, methods=["POST"]),
            Route(one, self.function),
            Route(one, self.delete_function, methods=["DELETE"]),
            Route(f"{one}/body", self.body),
            Route("/sites/{ref}/functions/v1/{slug}", self.call, methods=["GET", "POST"]),
            *Backups(self.state, REF, self._memory.keep).routes(),
            *Config(self.state, REF, keys).routes(),
            *keys.routes(),
            *Gateway(self.state, REF, keys).routes(),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Supabase's form of an error."""
        return JSONResponse({"message": message}, status)

    async def project(self, request: Request) -> Response:
        """Return the project."""
        self._here(request)
        return JSONResponse(
            {
                "id": REF,
                "ref": REF,
                "organization_id": "tsrqponmlkjihgfedcba",
                "organization_slug": "valuecanvas",
                "name": "ValueCanvas (lab)",
                "region": "us-east-1",
                "created_at": "2025-12-01T09:00:00.000000Z",
                "status": self.state["status"],
                "database": {
                    "host": f"db.{REF}.supabase.co",
                    "version": "17.6.1.063",
                    "postgres_engine": "17",
                    "release_channel": "ga",
                },
            }
        )

    async def health(self, request: Request) -> Response:
        """Return the health of the services that are asked for; 400 without any, or for an unknown one."""
        self._here(request)
        asked = request.query_params.getlist("services")
        if not asked or set(asked) - set(SERVICES):
            raise Refusal(400, f"services: Invalid option: expected one of {'|'.join(SERVICES)}")
        states = {name: self.state["health"][name] for name in asked}
        shown = [{"name": n, "healthy": s == "ACTIVE_HEALTHY", "status": s} for n, s in states.items()]
        return JSONResponse([one if one["healthy"] else {**one, "error": "connection refused"} for one in shown])

    async def secrets(self, request: Request) -> Response:
        """Return names, digests, and when each was set."""
        self._here(request)
        return JSONResponse([{"name": name, **one} for name, one in sorted(self.state["secrets"].items())])

    async def set_secrets(self, request: Request) -> Response:
        """Set secrets, all or none; 201 without a body."""
        self._here(request)
        given = await _list(request)
        for one in given:
            name, value = one["name"], one["value"]
            if not isinstance(name, str) or not isinstance(value, str) or not name:
                raise Refusal(400, "name and value: Invalid input: expected string")
            if name.startswith("SUPABASE_"):
                raise Refusal(400, "Secret name must not start with the SUPABASE_ prefix.")
            if len(name) > LONGEST_NAME or len(value) > LONGEST_VALUE:
                raise Refusal(400, f"{name[:40]}: Too big")
        self.state["secrets"].update({one["name"]: _secret(one["value"], time.time()) for one in given})
        return Response(status_code=201)

    async def delete_secrets(self, request: Request) -> Response:
        """Delete secrets by name; one that is not there is none the less gone."""
        self._here(request)
        for name in await _list(request):
            self.state["secrets"].pop(str(name), None)
        return Response(status_code=200)

    async def functions(self, request: Request) -> Response:
        """Return all functions."""
        self._here(request)
        return JSONResponse([_shown(one) for one in self.state["functions"].values()])

    async def function(self, request: Request) -> Response:
        """Return one function."""
        return JSONResponse(_shown(self._function(request)))

    async def body(self, request: Request) -> Response:
        """Return a function's source files as a form, as is asked for; else one bundle."""
        one = self._function(request)
        files = {path: base64.b64decode(data) for path, data in one["files"].items()}
        if "multipart/form-data" not in request.headers.get("accept", ""):
            return Response(b"EZBR" + b"".join(files.values()), media_type="application/octet-stream")
        about = Part("metadata", json.dumps({"entrypoint_path": one["entrypoint_path"]}).encode())
        kind, content = encode([about, *(Part("file", data, path) for path, data in sorted(files.items()))])
        return Response(content, media_type=kind)

    async def deploy(self, request: Request) -> Response:
        """Make the next version of a function out of its source files; 402 beyond the plan's limit."""
        self._here(request)
        try:
            parts = decode(request.headers.get("content-type", ""), await request.body())
        except Unreachable as error:
            raise Refusal(400, error.message) from None
        said = json.loads(next(part.data for part in parts if part.name == "metadata"))
        files = {part.file: part.data for part in parts if part.file}
        entry, slug = said["entrypoint_path"], request.query_params.get("slug") or str(said.get("name"))
        if entry not in files:
            raise Refusal(400, f"Entrypoint path does not exist - {entry}")
        if missing := _unresolved(files):
            raise Refusal(400, f'Failed to bundle the function (reason: Module not found "{missing}").')
        functions = self.state["functions"]
        known = functions.get(slug)
        if known is None and len(functions) >= self.state["limit"]:
            raise Refusal(402, "Max number of functions reached for project")
        made = _made(len(functions) + 1, slug, entry, files, time.time(), bool(said.get("verify_jwt", True)))
        made["import_map_path"] = said.get("import_map_path")
        if known is not None:
            made |= {key: known[key] for key in ("id", "created_at")} | {"version": known["version"] + 1}
        if request.query_params.get("bundleOnly") == "true":
            self.state["bundles"] = {**self.state.get("bundles", {}), slug: made}
        elif self.state.get("loses") != slug:
            functions[slug] = made
        return JSONResponse(_shown(made), 201)

    async def update_functions(self, request: Request) -> Response:
        """Put bundles that were made before into use, all at once, as the command line client does for several."""
        self._here(request)
        bundles = self.state.get("bundles", {})
        slugs = [str(one["slug"]) for one in await _list(request)]
        if unknown := set(slugs) - bundles.keys():
            raise Refusal(400, f"Function not found: {sorted(unknown)[0]}")
        self.state["functions"].update({slug: bundles.pop(slug) for slug in slugs})
        return JSONResponse({"functions": [_shown(self.state["functions"][slug]) for slug in slugs]})

    async def delete_function(self, request: Request) -> Response:
        """Delete a function."""
        self._function(request)
        del self.state["functions"][request.path_params["slug"]]
        return Response(status_code=200)

    async def call(self, request: Request) -> Response:
        """Answer as the function does: 401 where it wants a token, 500 where a secret that it reads is not set."""
        one = self._function(request)
        if one["status"] != "ACTIVE":
            return JSONResponse({"code": "WORKER_LIMIT", "message": "Function is not active"}, 546)
        if one["verify_jwt"] and "authorization" not in request.headers:
            return JSONResponse({"code": 401, "message": "Missing authorization header"}, 401)
        text = b"\n".join(base64.b64decode(data) for data in one["files"].values()).decode("utf-8", "replace")
        if lacking := sorted(set(_READS.findall(text)) - self.state["secrets"].keys()):
            return JSONResponse({"error": f"{lacking[0]} is not set"}, 500)
        return JSONResponse({"function": one["slug"], "version": one["version"]})

    def _here(self, request: Request) -> None:
        if request.path_params["ref"] != REF:
            raise Refusal(404, "Project not found")

    def _function(self, request: Request) -> dict[str, Any]:
        self._here(request)
        found: dict[str, Any] | None = self.state["functions"].get(request.path_params["slug"])
        if found is None:
            raise Refusal(404, "Function not found")
        return found


def _secret(value: str, moment: float) -> dict[str, str]:
    shown = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"value": hashlib.sha256(value.encode()).hexdigest(), "updated_at": shown}


def _made(
    number: int, slug: str, entry: str, files: dict[str, bytes], moment: float, verify_jwt: bool = False
) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "slug": slug,
        "name": slug,
        "status": "ACTIVE",
        "version": 1,
        "created_at": int(moment * 1000),
        "updated_at": int(moment * 1000),
        "verify_jwt": verify_jwt,
        "entrypoint_path": entry,
        "import_map_path": None,
        "files": {path: base64.b64encode(data).decode() for path, data in files.items()},
    }


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    """Return a function as the API lists it; the entry point as the place where the platform built it."""
    bundle = hashlib.sha256("".join(f"{path} {data}\n" for path, data in sorted(one["files"].items())).encode())
    built = f"file:///tmp/user_fn_{REF}_{one['id']}_{one['version']}/source/"
    shown = {key: value for key, value in one.items() if key not in ("files", "import_map_path")}
    if one["import_map_path"]:
        shown["import_map_path"] = built + one["import_map_path"]
    shown |= {"entrypoint_path": built + one["entrypoint_path"], "import_map": bool(one["import_map_path"])}
    return {**shown, "ezbr_sha256": bundle.hexdigest()}


def _unresolved(files: dict[str, bytes]) -> str:
    """Return the first relative import that leads to no file of the deployment, or nothing."""
    for path, data in files.items():
        for name in re.findall(r"""from\s+["'](\.[^"']+)["']""", data.decode("utf-8", "replace")):
            if posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) not in files:
                return str(name)
    return ""


async def _list(request: Request) -> list[Any]:
    try:
        given = json.loads(await request.body())
    except ValueError:
        given = None
    if not isinstance(given, list):
        raise Refusal(400, "Invalid input: expected array")
    return given
