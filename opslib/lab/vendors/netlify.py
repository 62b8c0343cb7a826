"""Netlify's stand-in: one site and its deploys. Source: Netlify API description (Swagger 2)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from datetime import UTC, datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.hosting import PIPELINE, Hoster
from opslib.lab.vendors.stand_in import Refusal, said

ACCOUNT = "6500000000000000000000aa"
SITE, NAME = "3f8e9c1a-5b2d-4e7f-9a60-1c2d3e4f5a6b", "valuecanvas"
API = "/api/v1"
WORDS = {"ready": "ready", "failed": "error", "building": "processing", "uploading": "uploading"}
_SHA1 = re.compile(r"[0-9a-f]{40}")


class Netlify(Hoster):
    """The site ``valuecanvas``, without a repository; a deploy that retention deleted is not shown any more."""

    name = "netlify"
    ids: ClassVar[dict[str, str]] = {
        "now": "6928f0a1c3d4e5f600000007",
        "preview": "6928f0a1c3d4e5f600000006",
        "failed": "6928f0a1c3d4e5f600000005",
        "before": "6928f0a1c3d4e5f600000004",
        "older": "6928f0a1c3d4e5f600000002",
        "gone": "6928f0a1c3d4e5f600000001",
    }

    def first(self) -> dict[str, Any]:
        """Return a site to which files are uploaded: no repository is connected."""
        return super().first() | {"pipeline": dict.fromkeys(PIPELINE)}

    def routes(self) -> list[Route]:
        """Return what the runbooks ask."""
        home = f"{API}/sites/{{project}}"
        return [
            Route(home, self.project),
            Route(f"{API}/accounts/{{account}}/env", self.variables),
            Route(f"{API}/accounts/{{account}}/env", self.create_variables, methods=["POST"]),
            Route(f"{API}/accounts/{{account}}/env/{{key}}", self.set_value, methods=["PATCH"]),
            Route(f"{API}/accounts/{{account}}/env/{{key}}", self.delete_variable, methods=["DELETE"]),
            Route(f"{API}/accounts/{{account}}/env/{{key}}/value/{{id}}", self.delete_value, methods=["DELETE"]),
            Route(f"{home}/deploys", self.deploys),
            Route(f"{home}/deploys", self.create, methods=["POST"]),
            Route(f"{home}/deploys/{{id}}", self.delete, methods=["DELETE"]),
            Route(f"{API}/deploys/{{id}}/files/{{path:path}}", self.file, methods=["PUT"]),
            Route(f"{home}/deploys/{{id}}", self.deploy),
            Route(f"{home}/deploys/{{id}}/restore", self.restore, methods=["POST"]),
            *self.sites(),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Netlify's form of an error."""
        return JSONResponse({"code": status, "message": message}, status)

    async def project(self, request: Request) -> Response:
        """Return the site with its published deploy."""
        self._here(request)
        live = self.find(self.live())
        made = datetime.fromtimestamp(self.newest()[-1]["created"], UTC).isoformat()
        return JSONResponse(
            {
                "id": SITE,
                "state": "current",
                "name": NAME,
                "account_id": ACCOUNT,
                "url": f"{self.base}/sites/production",
                "ssl_url": f"{self.base}/sites/production",
                "created_at": made,
                **({"build_settings": self._settings()} if self.state["pipeline"]["repository"] else {}),
                **({"published_deploy": self._shown(live)} if live else {}),
            }
        )

    async def variables(self, request: Request) -> Response:
        """Return the account's variables for the site."""
        self._account(request)
        development = {"key": "VITE_DEBUG", "values": [{"id": "2", "value": "1", "context": "dev"}]}
        return JSONResponse([*map(_variable, self.state["variables"]), development])

    async def create_variables(self, request: Request) -> Response:
        """Create variables; one that exists is refused."""
        self._account(request)
        given = json.loads(await request.body())
        if known := [one["key"] for one in given if self.variable(one["key"])]:
            raise Refusal(422, f"{known[0]} is already set on this site.")
        for one in given:
            if one["is_secret"] and "post-processing" in one.get("scopes", ["post-processing"]):
                raise Refusal(422, "A secret cannot have the scope post-processing.")
        made = []
        for one in given:
            (value,) = one["values"]
            made.append(self.set_variable(one["key"], value["value"], one["is_secret"], context=value["context"]))
        return JSONResponse([_variable(one) for one in made], 201)

    async def set_value(self, request: Request) -> Response:
        """Set the value of one context of a variable that exists; it keeps its kind, and its other values."""
        one, given = self._variable(request), await said(request)
        if one.get("context", "production") != given["context"]:
            one["others"] = [*one.get("others", []), one.get("context", "production")]
        self.set_variable(one["name"], given["value"], one["secret"], context=given["context"])
        return JSONResponse(_variable(one), 201)

    async def delete_variable(self, request: Request) -> Response:
        """Delete a variable with all its values."""
        self.remove_variable(self._variable(request)["name"])
        return Response(status_code=204)

    async def delete_value(self, request: Request) -> Response:
        """Delete the newest of a variable's values; the others stay."""
        one = self._variable(request)
        if request.path_params["id"] != "1" or not one.get("others"):
            raise Refusal(404, "Not Found")
        one["context"], one["others"] = one["others"][0], one["others"][1:]
        return Response(status_code=204)

    async def deploys(self, request: Request) -> Response:
        """Return the newest deploys, newest first."""
        self._here(request)
        size = int(request.query_params.get("per_page", 100))
        first = (int(request.query_params.get("page", 1)) - 1) * size
        shown = [self._shown(one) for one in self.newest() if one["state"] != "gone"]
        return JSONResponse(shown[first : first + size])

    async def deploy(self, request: Request) -> Response:
        """Return one deploy."""
        self._here(request)
        return JSONResponse(self._shown(self.kept(request.path_params["id"])))

    async def create(self, request: Request) -> Response:
        """Begin a deploy of files by their SHA-1; those that the site has never been sent are required."""
        self._here(request)
        given = await said(request)
        files: dict[str, str] = given["files"]
        if not files or any(not path.startswith("/") or not _SHA1.fullmatch(one) for path, one in files.items()):
            raise Refusal(422, "files: each path begins with a slash, and has a SHA-1.")
        self.state["made"] = self.state.get("made", 0) + 1
        one = self.build(f"6a28f0a1c3d4e5f6{self.state['made']:08x}", "", request.query_params.get("title", ""))
        one |= {"kind": "draft" if given.get("draft") else "production", "files": files, "branch": given.get("branch")}
        one |= {"state": "uploading"}
        self._uploaded(one)
        return JSONResponse(self._shown(one))

    async def file(self, request: Request) -> Response:
        """Take one file of a deploy; one whose SHA-1 is another is refused."""
        one, path = self.kept(request.path_params["id"]), f"/{request.path_params['path']}"
        data = await request.body()
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        if one.get("files", {}).get(path) != digest:
            raise Refusal(422, f"{path} is no file of this deploy, or another.")
        self.state.setdefault("blobs", {})[digest] = base64.b64encode(data).decode()
        self._uploaded(one)
        return JSONResponse({"id": path, "path": path, "sha": digest, "size": len(data)})

    async def delete(self, request: Request) -> Response:
        """Delete a deploy that is not published."""
        self._here(request)
        one = self.kept(request.path_params["id"])
        if one["id"] == self.live():
            raise Refusal(422, "The published deploy cannot be deleted.")
        self.state["deployments"].remove(one)
        return Response(status_code=204)

    async def restore(self, request: Request) -> Response:
        """Publish an older or a newer deploy."""
        self._here(request)
        id = request.path_params["id"]
        self.move("rollback", id)
        return JSONResponse(self._shown(self.kept(id)), 201)

    def _lacking(self, one: dict[str, Any]) -> list[str]:
        return sorted(set(one.get("files", {}).values()) - self.state.get("blobs", {}).keys())

    def _uploaded(self, one: dict[str, Any]) -> None:
        if one["state"] == "uploading" and not self._lacking(one):
            one |= {"state": "building", "until": time.time() + self.state["build_seconds"]}

    def _account(self, request: Request) -> None:
        if request.path_params["account"] != ACCOUNT or request.query_params.get("site_id") != SITE:
            raise Refusal(404, "Not Found")

    def _variable(self, request: Request) -> dict[str, Any]:
        self._account(request)
        found = self.variable(request.path_params["key"])
        if found is None:
            raise Refusal(404, "Not Found")
        return found

    def _settings(self) -> dict[str, Any]:
        known = self.state["pipeline"]
        said = {"provider": "github", "repo_path": known["repository"], "repo_branch": known["branch"]}
        return {**said, "cmd": known["command"], "dir": known["output"]}

    def _here(self, request: Request) -> None:
        if request.path_params["project"] != SITE:
            raise Refusal(404, "Not Found")

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        made = datetime.fromtimestamp(one["created"], UTC).isoformat()
        own = f"{self.base}/sites/{one['id']}"
        production = one["kind"] == "production"
        shown: dict[str, Any] = {
            "id": one["id"],
            "site_id": SITE,
            "state": WORDS[one["state"]],
            "name": NAME,
            "url": f"{self.base}/sites/production",
            "deploy_url": own,
            "deploy_ssl_url": own,
            "branch": one.get("branch") or ("main" if production else "work"),
            **({"commit_ref": one["sha"]} if one["sha"] else {}),
            "created_at": made,
            "updated_at": made,
            "context": "production" if production else "deploy-preview",
            "draft": one["kind"] == "draft",
            **({"title": one["mark"]} if one.get("mark") else {}),
            "required": self._lacking(one) if one["state"] == "uploading" else [],
            "locked": not self.state["automatic"],
            "skipped": False,
            "framework": "vite",
            "links": {"permalink": own},
        }
        return {**shown, "published_at": made} if one["served"] else shown


def _variable(one: dict[str, Any]) -> dict[str, Any]:
    value = "" if one["secret"] else one.get("value", "shown")
    values = [{"id": "1", "value": value, "context": one.get("context", "production")}]
    values += [{"id": str(n), "value": value, "context": each} for n, each in enumerate(one.get("others", ()), 3)]
    return {
        "key": one["name"],
        "scopes": ["builds", "functions"],
        "values": values,
        "is_secret": one["secret"],
        "updated_at": datetime.fromtimestamp(one["updated"], UTC).isoformat(),
    }
