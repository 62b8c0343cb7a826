"""Cloudflare Pages' stand-in: one project and its deployments. Source: Cloudflare API description (Pages)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.hosting import Hoster
from opslib.lab.vendors.stand_in import Refusal, said
from opslib.systems.multipart import decode

ACCOUNT, PROJECT = "023e105f4ecef8ad9ca31a8372d0c353", "valuecanvas"
API = "/client/v4"
WORDS = {"ready": "success", "failed": "failure", "building": "active"}
PER_PAGE = 25


class Cloudflare(Hoster):
    """The project ``valuecanvas``; a deployment that was deleted is not shown any more."""

    name = "cloudflare"
    ids: ClassVar[dict[str, str]] = {
        "now": "f64788e9-fccd-4d4a-a28a-cb84f88f0007",
        "preview": "f64788e9-fccd-4d4a-a28a-cb84f88f0006",
        "failed": "f64788e9-fccd-4d4a-a28a-cb84f88f0005",
        "before": "f64788e9-fccd-4d4a-a28a-cb84f88f0004",
        "older": "f64788e9-fccd-4d4a-a28a-cb84f88f0002",
        "gone": "f64788e9-fccd-4d4a-a28a-cb84f88f0001",
    }

    def routes(self) -> list[Route]:
        """Return what the runbooks ask."""
        home = f"{API}/accounts/{{account}}/pages/projects/{{project}}"
        return [
            Route(home, self.project),
            Route(home, self.update, methods=["PATCH"]),
            Route(f"{home}/deployments", self.deployments),
            Route(f"{home}/deployments", self.create, methods=["POST"]),
            Route(f"{home}/deployments/{{id}}", self.deployment),
            Route(f"{home}/deployments/{{id}}/rollback", self.rollback, methods=["POST"]),
            *self.sites(),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Cloudflare's form of an error."""
        said = {"success": False, "errors": [{"code": 8_000_000 + status, "message": message}], "messages": []}
        return JSONResponse({**said, "result": None}, status)

    async def project(self, request: Request) -> Response:
        """Return the project with its canonical deployment."""
        self._here(request)
        return _whole(self._project())

    async def update(self, request: Request) -> Response:
        """Set the variables that are named, remove those that are null; all others stay."""
        self._here(request)
        given = (await said(request))["deployment_configs"]["production"]["env_vars"]
        for name, one in given.items():
            if one is not None and one["type"] not in ("plain_text", "secret_text"):
                raise Refusal(400, f"The type of {name} is not known.")
        for name, one in given.items():
            if one is None:
                self.remove_variable(name)
            else:
                self.set_variable(name, one["value"], one["type"] == "secret_text")
        return _whole(self._project())

    def _project(self) -> dict[str, Any]:
        live, newest = self.find(self.live()), self.newest()[0]
        return {
            "id": "7b162ea7-7367-4d67-bcde-1160995d5000",
            "name": PROJECT,
            "subdomain": f"{PROJECT}.pages.dev",
            "domains": [f"{PROJECT}.pages.dev"],
            "production_branch": self.state["pipeline"]["branch"],
            **self._pipeline(),
            "deployment_configs": {"production": {"env_vars": self._variables()}},
            "created_on": _moment(self.newest()[-1]["created"]),
            "canonical_deployment": self._shown(live) if live else None,
            "latest_deployment": self._shown(newest),
        }

    async def deployments(self, request: Request) -> Response:
        """Return the newest deployments, newest first."""
        self._here(request)
        wanted = request.query_params.get("env")
        shown = [self._shown(one) for one in self.newest() if one["state"] != "gone" and wanted in (None, one["kind"])][
            :PER_PAGE
        ]
        page = {"page": 1, "per_page": PER_PAGE, "count": len(shown), "total_count": len(shown), "total_pages": 1}
        return _whole(shown, result_info=page)

    async def create(self, request: Request) -> Response:
        """Begin a build of whatever the branch is at now; each call makes a deployment of its own."""
        self._here(request)
        known = self.state["pipeline"]
        if known["repository"] is None:
            raise Refusal(400, "This project has no repository.")
        parts = decode(request.headers.get("content-type", ""), await request.body())
        branch = next((part.data.decode() for part in parts if part.name == "branch"), known["branch"])
        number = len(self.state["deployments"])
        one = self.build(f"f64788e9-fccd-4d4a-a28a-{number:012x}", self.head(branch), "")
        if branch != known["branch"]:
            one["kind"] = "preview"
        return _whole(self._shown(one))

    async def deployment(self, request: Request) -> Response:
        """Return one deployment."""
        self._here(request)
        return _whole(self._shown(self.kept(request.path_params["id"])))

    async def rollback(self, request: Request) -> Response:
        """Point production at a successful production build."""
        self._here(request)
        id = request.path_params["id"]
        self.move("rollback", id)
        return _whole(self._shown(self.kept(id)))

    def _here(self, request: Request) -> None:
        if (request.path_params["account"], request.path_params["project"]) != (ACCOUNT, PROJECT):
            raise Refusal(404, "Project not found.")

    def _pipeline(self) -> dict[str, Any]:
        known = self.state["pipeline"]
        build = {"build_command": known["command"], "destination_dir": known["output"], "root_dir": ""}
        if known["repository"] is None:
            return {"build_config": build, "source": None}
        owner, _, name = known["repository"].partition("/")
        config = {"owner": owner, "repo_name": name, "production_branch": known["branch"]}
        return {"build_config": build, "source": {"type": "github", "config": config}}

    def _variables(self) -> dict[str, Any]:
        every: list[dict[str, Any]] = self.state["variables"]
        return {
            one["name"]: {"type": "secret_text", "value": ""}
            if one["secret"]
            else {"type": "plain_text", "value": one.get("value", "shown")}
            for one in every
        }

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        made = _moment(one["created"])
        stage = {"name": "deploy" if one["state"] == "ready" else "build", "status": WORDS[one["state"]]}
        production = one["kind"] == "production"
        metadata = {"branch": "main" if production else "work", "commit_hash": one["sha"], "commit_message": "Work"}
        return {
            "id": one["id"],
            "short_id": one["id"][:8],
            "project_id": "7b162ea7-7367-4d67-bcde-1160995d5000",
            "project_name": PROJECT,
            "environment": one["kind"],
            "url": f"{self.base}/sites/{one['id']}",
            "aliases": None,
            "created_on": made,
            "modified_on": made,
            "is_skipped": False,
            "latest_stage": {**stage, "started_on": made, "ended_on": made},
            "deployment_trigger": {"type": "ad_hoc" if "mark" in one else "push", "metadata": metadata},
        }


def _whole(result: Any, **more: Any) -> Response:
    return JSONResponse({"success": True, "errors": [], "messages": [], "result": result, **more})


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
