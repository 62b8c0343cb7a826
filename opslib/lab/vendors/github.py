"""GitHub Actions' stand-in: one repository, its deployment workflow, runs that go on by the clock.

Sources: GitHub REST API description (actions/workflows, workflow-runs, workflow-jobs, repos/contents).
"""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.github_issues import Issues
from opslib.lab.vendors.github_reviews import Reviews
from opslib.lab.vendors.github_runs import jobs_of, standing
from opslib.lab.vendors.github_shapes import commit, job, run, workflow
from opslib.lab.vendors.stand_in import Refusal, StandIn, said

OWNER, NAME = "valuecanvas", "valuecanvas"
FILE = "deploy-production.yml"
PATH = f".github/workflows/{FILE}"
MAIN = "5f0d0f6a7b1c4e3d9a8b7c6d5e4f3a2b1c0d9e8f"
JOB_SECONDS = 0.2

PLAIN = (
    "on:\n  push:\n    branches: [main]\n  workflow_dispatch:\njobs: {}\n"  # without inputs, as the product's (GH-09)
)
WORKFLOW, PRODUCT = (
    files("opslib.lab").joinpath("workflows", name).read_text(encoding="utf-8")
    for name in ("deploy-production.yml", "as-the-product-has-it.yml")
)
EARLIER = (
    # what changed, days ago, seconds a job, the job that failed
    *(("frontend", 12, 19, ""), ("", 11, 17, ""), ("opportunity", 10, 31, ""), ("infrastructure", 9.5, 26, "")),
    *(("frontend", 9, 21, ""), ("target realization", 8, 48, ""), ("", 7, 18, ""), ("expansion", 6, 33, "smoke-tests")),
    *(("expansion", 5.9, 30, ""), ("frontend", 4, 18, ""), ("integrity", 3, 34, ""), ("", 2, 16, "")),
)
"""Pushes of the weeks before, oldest first: what changed decides which jobs were skipped."""


class GitHub(StandIn):
    """The repository ``valuecanvas/valuecanvas``. State: files of the branch ``main``, and runs.

    A run's jobs come one after the other, ``job_seconds`` each; ``changed``, if it is there, are the services and areas
    that its change touched, and jobs of others were skipped. ``fails`` names the job that fails in new runs,
    ``waits`` the one that waits for an environment's approval; ``sha_of_runs`` the commit that a push slips in under
    new runs.
    """

    name = "github"

    def first(self) -> dict[str, Any]:
        """Return the repository with a good workflow, and some weeks of pushes, the newest of which went well."""
        done = {
            "id": 7_000_001,
            "event": "push",
            "created": time.time() - 86_400,
            "inputs": {},
            "conclusion": "success",
        }
        return {
            **Issues.first(),
            **Reviews.first(MAIN),
            "files": {PATH: WORKFLOW},
            "heads": {"main": MAIN},
            "runs": [
                *(_earlier(number, *said) for number, said in enumerate(EARLIER)),
                {**done, "branch": "main", "sha": MAIN, "job_seconds": JOB_SECONDS, "fails": "", "waits": ""},
            ],
            "job_seconds": JOB_SECONDS,
            "fails": "",
            "waits": "",
        }

    def routes(self) -> list[Route]:
        """Return what the runbooks ask."""
        home = "/repos/{owner}/{repo}"
        flow = f"{home}/actions/workflows/{{workflow}}"
        return [
            *(route for part in (Issues(self), Reviews(self)) for route in part.routes(home)),
            Route(f"{home}/commits/{{ref}}", self.commit),
            Route(f"{home}/contents/{{path:path}}", self.contents),
            Route(flow, self.workflow),
            Route(f"{flow}/runs", self.runs),
            Route(f"{flow}/dispatches", self.dispatch, methods=["POST"]),
            Route(f"{home}/actions/runs/{{run:int}}", self.run),
            Route(f"{home}/actions/runs/{{run:int}}/jobs", self.jobs),
            Route(f"{home}/actions/runs/{{run:int}}/cancel", self.cancel, methods=["POST"]),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return GitHub's form of an error."""
        return JSONResponse({"message": message, "documentation_url": "https://docs.github.com/rest"}, status)

    async def commit(self, request: Request) -> Response:
        """Return the newest commit of a branch, or the commit of that name."""
        self._here(request)
        return JSONResponse(commit(self.base, OWNER, NAME, self._sha(request.path_params["ref"])))

    async def contents(self, request: Request) -> Response:
        """Return a file of ``main``."""
        self._here(request)
        path = request.path_params["path"]
        sha = self._sha(request.query_params.get("ref", "main"))
        # What the files were at a commit that is no branch's any more, nobody has planted.
        if path not in self.state["files"] or sha not in self.state["heads"].values():
            raise Refusal(404, "Not Found")
        data = self.state["files"][path].encode()
        address = f"{self.base}/repos/{OWNER}/{NAME}/contents/{path}"
        return JSONResponse(
            {
                "type": "file",
                "encoding": "base64",
                "size": len(data),
                "name": path.rpartition("/")[2],
                "path": path,
                "content": base64.b64encode(data).decode(),
                "sha": "3d21ec53a331a6f037a91c368710b99387d012c1",
                "url": address,
                "git_url": None,
                "html_url": None,
                "download_url": None,
                "_links": {"self": address, "git": None, "html": None},
            }
        )

    async def workflow(self, request: Request) -> Response:
        """Return the workflow."""
        self._workflow(request)
        return JSONResponse(workflow(self.base, OWNER, NAME, PATH))

    async def runs(self, request: Request) -> Response:
        """Return the workflow's runs, newest first."""
        self._workflow(request)
        wanted = request.query_params
        found = [self._shown(one) for one in reversed(self.state["runs"])]
        for key, field in (
            ("event", "event"),
            ("branch", "head_branch"),
            ("status", "status"),
            ("head_sha", "head_sha"),
        ):
            if key in wanted:
                found = [one for one in found if wanted[key] in (one[field], one["conclusion"])]
        first = (int(wanted.get("page", 1)) - 1) * (size := int(wanted.get("per_page", 30)))
        return JSONResponse({"total_count": len(found), "workflow_runs": found[first : first + size]})

    async def dispatch(self, request: Request) -> Response:
        """Start a run; refuses inputs that the workflow's file does not declare, as GitHub does."""
        self._workflow(request)
        given = await said(request)
        sha, inputs = self._sha(str(given["ref"]), 422), dict(given.get("inputs") or {})
        head = self.state["files"][PATH].partition("\njobs:")[0]
        if unknown := sorted(name for name in inputs if f"      {name}:" not in head):
            raise Refusal(422, f"Unexpected inputs provided: {unknown}".replace("'", '"'))
        if "workflow_dispatch" not in head:
            raise Refusal(422, "Workflow does not have 'workflow_dispatch' trigger")
        made = {
            "id": max((one["id"] for one in self.state["runs"]), default=7_000_000) + 1,
            "event": "workflow_dispatch",
            "created": time.time(),
            "inputs": inputs,
            "conclusion": None,
            "branch": given["ref"],
            "sha": self.state.get("sha_of_runs") or sha,
            **{key: self.state[key] for key in ("job_seconds", "fails", "waits")},
        }
        self.state["runs"].append(made)
        if not given.get("return_run_details"):
            return Response(status_code=204)
        address = f"/repos/{OWNER}/{NAME}/actions/runs/{made['id']}"
        web = f"https://github.com/{OWNER}/{NAME}/actions/runs/{made['id']}"
        return JSONResponse({"workflow_run_id": made["id"], "run_url": self.base + address, "html_url": web})

    async def run(self, request: Request) -> Response:
        """Return one run as it stands now."""
        return JSONResponse(self._shown(self._run(request)))

    async def jobs(self, request: Request) -> Response:
        """Return a run's jobs as they stand now."""
        one = self._run(request)
        shown = [job(self.base, OWNER, NAME, one, number, *each) for number, each in enumerate(jobs_of(one))]
        return JSONResponse({"total_count": len(shown), "jobs": shown})

    async def cancel(self, request: Request) -> Response:
        """Cancel a run that is under way; 409 where it is over."""
        one = self._run(request)
        if self._shown(one)["status"] == "completed":
            raise Refusal(409, "Cannot cancel a workflow run that is completed.")
        one["conclusion"], one["cancelled"] = "cancelled", time.time()
        return JSONResponse({}, 202)

    def _here(self, request: Request) -> None:
        if (request.path_params["owner"], request.path_params["repo"]) != (OWNER, NAME):
            raise Refusal(404, "Not Found")

    def _workflow(self, request: Request) -> None:
        self._here(request)
        if request.path_params["workflow"] != FILE or PATH not in self.state["files"]:
            raise Refusal(404, "Not Found")

    def _sha(self, ref: str, status: int = 404) -> str:
        heads: dict[str, str] = self.state["heads"]
        if ref in {*heads.values(), *(one["sha"] for one in self.state["runs"])}:
            return ref
        if ref.removeprefix("refs/heads/") not in heads:
            raise Refusal(status, f"No ref found for: {ref}")
        return heads[ref.removeprefix("refs/heads/")]

    def _run(self, request: Request) -> dict[str, Any]:
        self._here(request)
        for one in self.state["runs"]:
            if one["id"] == request.path_params["run"]:
                found: dict[str, Any] = one
                return found
        raise Refusal(404, "Not Found")

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        status, conclusion, ended = standing(one)
        moment = datetime.fromtimestamp(ended, UTC)
        return run(self.base, OWNER, NAME, PATH, one, status, conclusion, moment)


def _earlier(number: int, changed: str, days: float, seconds: float, fails: str) -> dict[str, Any]:
    return {
        "id": 7_000_001 - len(EARLIER) + number,
        "event": "push",
        "created": time.time() - days * 86_400,
        "inputs": {},
        "conclusion": "failure" if fails else "success",
        "branch": "main",
        "sha": hashlib.sha256(f"{number} {changed}".encode()).hexdigest()[:40],
        "job_seconds": seconds,
        "fails": fails,
        "waits": "",
        "changed": changed.split(),
    }
