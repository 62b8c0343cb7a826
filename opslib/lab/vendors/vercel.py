"""Vercel's stand-in: one project of one team; promote and rollback are jobs that end by the clock.

Sources: Vercel REST API description; the answers to promote and rollback have no body and no content type, since the
vendor's own command line fails on an empty body that is called JSON.
"""

from __future__ import annotations

from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.hosting import Hoster
from opslib.lab.vendors.stand_in import Refusal, said

PROJECT, TEAM, NAME = "prj_valuecanvas", "team_valuecanvas", "valuecanvas"
WORDS = {"ready": "READY", "failed": "ERROR", "gone": "DELETED", "building": "BUILDING"}
TARGETS = ("production", "preview")
"""Environments of the variables that were there from the beginning."""
USER = {"uid": "usr_1", "username": "deployer"}


class Vercel(Hoster):
    """The project ``prj_valuecanvas`` of the team ``team_valuecanvas``."""

    name = "vercel"
    pins = True
    ids: ClassVar[dict[str, str]] = {
        "now": "dpl_Now8YkT4vQ2nWzR1xBc7",
        "preview": "dpl_Preview5Lm3KsP9dHq2",
        "failed": "dpl_Failed7Gt6JwX1yVn4",
        "before": "dpl_Before2Rk9ZuC5mEa8",
        "staged": "dpl_Staged4Nb8QpT6sLf3",
        "older": "dpl_Older1Vx7DhY3gWj5",
        "gone": "dpl_Gone9Ec2MoU4kRz6",
    }

    def routes(self) -> list[Route]:
        """Return what the runbooks ask."""
        return [
            Route("/v9/projects/{project}", self.project),
            Route("/v6/deployments", self.deployments),
            Route("/v13/deployments", self.create, methods=["POST"]),
            Route("/v13/deployments/{id}", self.deployment),
            Route("/v10/projects/{project}/env", self.variables),
            Route("/v10/projects/{project}/env", self.set_variables, methods=["POST"]),
            Route("/v1/projects/{project}/env/{id}", self.one_variable),
            Route("/v9/projects/{project}/env/{id}", self.delete_variable, methods=["DELETE"]),
            Route("/v1/projects/{project}/rollback/{id}", self.rollback, methods=["POST"]),
            Route("/v10/projects/{project}/promote/{id}", self.promote, methods=["POST"]),
            *self.sites(),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Vercel's form of an error."""
        return JSONResponse({"error": {"code": code or "error", "message": message}}, status)

    async def project(self, request: Request) -> Response:
        """Return the project with where production points and the last request."""
        self._here(request)
        asked = self.state["request"]
        live = self.find(self.live())
        said: dict[str, Any] = {
            "accountId": TEAM,
            "id": PROJECT,
            "name": NAME,
            "directoryListing": False,
            "nodeVersion": self.state["pipeline"]["node"],
            "buildCommand": self.state["pipeline"]["command"],
            "outputDirectory": self.state["pipeline"]["output"],
            **self._link(),
            "resourceConfig": {"functionDefaultRegions": ["iad1"]},
            "defaultResourceConfig": {"functionDefaultRegions": ["iad1"]},
            "autoAssignCustomDomains": self.state["automatic"],
            "targets": {"production": self._pointed_at(live)} if live else {},
            "lastAliasRequest": asked and self._request(asked),
        }
        return JSONResponse(said)

    async def deployments(self, request: Request) -> Response:
        """Return the newest deployments, newest first."""
        self._team(request)
        if request.query_params.get("projectId", PROJECT) != PROJECT:
            raise Refusal(404, "Project not found.", "not_found")
        shown = [self._listed(one) for one in self.newest()]
        if (wanted := request.query_params.get("target")) is not None:
            shown = [one for one in shown if one["target"] == wanted]
        shown = shown[: int(request.query_params.get("limit", 20))]
        return JSONResponse({"pagination": {"count": len(shown), "next": None, "prev": None}, "deployments": shown})

    async def deployment(self, request: Request) -> Response:
        """Return one deployment; one that retention deleted is not found."""
        self._team(request)
        return JSONResponse(self._one(self.kept(request.path_params["id"])))

    async def variables(self, request: Request) -> Response:
        """Return the environment variables; values are encrypted, sensitive ones have none."""
        self._here(request)
        shown = [_variable(one) for one in self.state["variables"]]
        development = {"key": "VITE_DEBUG", "type": "plain", "value": "1", "target": ["development"], "id": "env9"}
        return JSONResponse({"envs": [*shown, development]})

    async def one_variable(self, request: Request) -> Response:
        """Return one variable decrypted; a sensitive one has no value."""
        one = self._variable(request)
        shown = _variable(one) | {"decrypted": True}
        return JSONResponse(shown | ({"value": one.get("value", "shown")} if not one["secret"] else {}))

    async def set_variables(self, request: Request) -> Response:
        """Set one variable; what could not be set stands beside what could, and the answer is 201 all the same."""
        self._here(request)
        given = await said(request)
        name, value, target = given["key"], given["value"], given["target"]
        known = self.variable(name)
        if known is not None and request.query_params.get("upsert") != "true":
            raise Refusal(403, f"{name} exists already.", "ENV_ALREADY_EXISTS")
        if given["type"] not in ("encrypted", "sensitive") or "development" in target:
            raise Refusal(400, "The type does not fit these environments.", "bad_request")
        other = known is not None and set(known.get("contexts", TARGETS)) != set(target)
        if other or name in self.state.get("refuses", ()):
            error = {"code": "ENV_CONFLICT", "message": f"{name} is set for other environments.", "envVarKey": name}
            return JSONResponse({"created": [], "failed": [{"error": error}]}, 201)
        more = {"contexts": target, "comment": given.get("comment")}
        one = self.set_variable(name, value, given["type"] == "sensitive", **more)
        return JSONResponse({"created": _variable(one), "failed": []}, 201)

    async def delete_variable(self, request: Request) -> Response:
        """Delete one variable by its id, and return it."""
        one = self._variable(request)
        self.remove_variable(one["name"])
        return JSONResponse(_variable(one))

    async def create(self, request: Request) -> Response:
        """Begin a build of a commit for production; each call makes a deployment of its own."""
        self._team(request)
        given = await said(request)
        source = given["gitSource"]
        if given.get("project") not in (PROJECT, NAME) or given.get("target") != "production":
            raise Refusal(400, "Only production of this project is built here.", "bad_request")
        number = len(self.state["deployments"])
        one = self.build(f"dpl_Built{number}Qw7Er2Ty9Ui4", source["sha"], str(given.get("meta", {}).get("opslib", "")))
        settings = {"framework": "vite", "buildCommand": None, "devCommand": None}
        more: dict[str, Any] = {
            "build": {"env": []},
            "env": [],
            "inspectorUrl": None,
            "isInConcurrentBuildsQueue": False,
            "isInSystemBuildsQueue": False,
            "projectSettings": settings,
            "projectId": PROJECT,
            "plan": "hobby" if self.state["hobby"] else "pro",
            "createdIn": "iad1",
            "ownerId": TEAM,
            "routes": None,
        }
        return JSONResponse({**self._one(one), **more})

    async def rollback(self, request: Request) -> Response:
        """Begin a rollback."""
        self._here(request)
        one = self.kept(request.path_params["id"])
        if not one["served"]:
            raise Refusal(422, "Production never pointed at this deployment.", "not_rollback_candidate")
        self.move("rollback", one["id"])
        return Response(status_code=201)

    async def promote(self, request: Request) -> Response:
        """Begin a promotion; later pushes go live again."""
        self._here(request)
        self.move("promote", request.path_params["id"])
        return Response(status_code=201)

    def _here(self, request: Request) -> None:
        self._team(request)
        if request.path_params["project"] not in (PROJECT, NAME):
            raise Refusal(404, "Project not found.", "not_found")

    def _team(self, request: Request) -> None:
        # Without its team a token looks at its owner's own account.
        if request.query_params.get("teamId") != TEAM:
            raise Refusal(403, "Not authorized", "forbidden")

    def _link(self) -> dict[str, Any]:
        known = self.state["pipeline"]
        if known["repository"] is None:
            return {}
        owner, _, name = known["repository"].partition("/")
        link = {"type": "github", "org": owner, "repo": name, "productionBranch": known["branch"]}
        return {"link": {**link, "gitCredentialId": "cred_1", "deployHooks": []}}

    def _variable(self, request: Request) -> dict[str, Any]:
        self._here(request)
        found = self.variable(request.path_params["id"].removeprefix("env_"))
        if found is None:
            raise Refusal(404, "The environment variable was not found.", "not_found")
        return found

    def _request(self, asked: dict[str, Any]) -> dict[str, Any]:
        ended = "failed" if asked["fails"] else "succeeded"
        return {
            "fromDeploymentId": asked["from"],
            "toDeploymentId": asked["to"],
            "jobStatus": ended if self.over(asked) else "pending",
            "requestedAt": int(asked["at"] * 1000),
            "type": asked["kind"],
        }

    def _common(self, one: dict[str, Any]) -> dict[str, Any]:
        made = int(one["created"] * 1000)
        branch = "main" if one["kind"] == "production" else "work"
        said: dict[str, Any] = {
            "name": NAME,
            "url": f"{self.base.partition('://')[2]}/sites/{one['id']}",
            "type": "LAMBDAS",
            "target": "production" if one["kind"] == "production" else None,
            "readyState": WORDS[one["state"]],
            "createdAt": made,
            "buildingAt": made + 2_000,
            "creator": USER,
            "meta": {
                "githubCommitSha": one["sha"],
                "githubCommitRef": branch,
                **({"opslib": one["mark"]} if one.get("mark") else {}),
            },
        }
        if one["state"] == "ready":
            said["ready"] = made + 60_000
            said["readySubstate"] = "PROMOTED" if one["served"] else "STAGED"
        return said

    def _listed(self, one: dict[str, Any]) -> dict[str, Any]:
        common = self._common(one)
        live = self.live()
        back = one["served"] and one["state"] == "ready" and one["id"] != live
        if self.state["hobby"]:
            back = back and one["id"] == self.previous()
        return {
            **common,
            "uid": one["id"],
            "projectId": PROJECT,
            "created": common["createdAt"],
            "state": common["readyState"],
            "source": "git",
            "inspectorUrl": None,
            "aliasAssigned": common.get("ready") if one["served"] else None,
            "isRollbackCandidate": back,
        }

    def _pointed_at(self, one: dict[str, Any]) -> dict[str, Any]:
        common = self._common(one)
        host = common["url"].partition("/")[0]
        creator = {**USER, "email": "deployer@example.com"}
        plan = "hobby" if self.state["hobby"] else "pro"
        more = {"createdIn": "iad1", "deploymentHostname": host, "plan": plan, "private": True, "userId": USER["uid"]}
        return {**common, **more, "id": one["id"], "creator": creator}

    def _one(self, one: dict[str, Any]) -> dict[str, Any]:
        common = self._common(one)
        return {
            **common,
            "id": one["id"],
            "status": common["readyState"],
            "bootedAt": common["buildingAt"],
            "buildSkipped": False,
            "aliasAssigned": one["served"],
            "public": False,
            "regions": ["iad1"],
            "version": 2,
            "project": {"id": PROJECT, "name": NAME, "framework": "vite"},
        }


def _variable(one: dict[str, Any]) -> dict[str, Any]:
    moment = int(one["updated"] * 1000)
    kind, value = ("sensitive", "") if one["secret"] else ("encrypted", "eyJ2IjoidjIifQ==")
    shown = {"key": one["name"], "type": kind, "value": value, "target": list(one.get("contexts", TARGETS))}
    shown |= {"id": f"env_{one['name']}", "createdAt": moment, "updatedAt": moment}
    return shown | ({"comment": one["comment"]} if one.get("comment") else {})
