"""What the hosters' stand-ins have in common: deployments with documents of their own, and production that moves.

Below ``/sites`` is what the world sees: ``/sites/<id>/`` is a deployment for ever, ``/sites/production/`` the one that
production points at by the clock.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import time
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from opslib.lab.production import hosted
from opslib.lab.vendors import pages
from opslib.lab.vendors.stand_in import Refusal, StandIn

DAY = 86_400.0
MOVE_SECONDS = 0.3
BUILD_SECONDS = 0.5
HISTORY = (
    # name, kind, state, age in days, whether production pointed at it
    ("now", "production", "ready", 1.0, True),
    ("preview", "preview", "ready", 1.5, False),
    ("failed", "production", "failed", 2.0, False),
    ("before", "production", "ready", 3.0, True),
    ("staged", "production", "ready", 4.0, False),
    ("older", "production", "ready", 9.0, True),
    ("gone", "production", "gone", 400.0, True),
)
PIPELINE = {
    "repository": "valuecanvas/valuecanvas",
    "branch": "main",
    "command": "npm run build",
    "output": "dist",
    "node": "22.x",
}
"""What commits are built from, and with what."""


class Hoster(StandIn):
    """State: deployments, variables, the one that production points at, the last request to move it.

    ``move_seconds`` is how long a request takes; ``fails``: it ends without having moved anything; ``build_seconds``
    is how long a build takes, ``build_fails``: it ends without a deployment that could be used; ``hobby``:
    production goes back one step only; ``headers`` of what is served, ``bundle`` what its files also hold, ``login``
    (well, loop); ``protected``: who opens a deployment's own address must log in; ``site``: what is served otherwise
    than :data:`opslib.lab.vendors.pages.GOOD` says, whatever is live; ``built`` of a deployment: the same of it alone.
    """

    secret_fields = ("value",)
    ids: ClassVar[dict[str, str]]
    """The deployments' ids by the names of :data:`HISTORY`."""
    pins: ClassVar[bool] = False
    """Whether a rollback keeps later pushes from production."""

    def first(self) -> dict[str, Any]:
        """Return some weeks of deployments, the newest live."""
        return {
            "deployments": [
                {
                    "id": self.ids[name],
                    "kind": kind,
                    "state": state,
                    "created": time.time() - age * DAY,
                    "sha": hashlib.sha256(name.encode()).hexdigest()[:40],
                    "served": served,
                }
                for name, kind, state, age, served in HISTORY
                if name in self.ids
            ],
            "variables": hosted(f"{self.base.removesuffix(self.name)}supabase", time.time() - 30 * DAY),
            "pipeline": dict(PIPELINE),
            "production": self.ids["now"],
            "automatic": True,
            "request": None,
            "move_seconds": MOVE_SECONDS,
            "build_seconds": BUILD_SECONDS,
            "build_fails": False,
            "fails": False,
            "hobby": False,
            "protected": False,
            "headers": dict(pages.HEADERS),
            "bundle": "",
            "login": "well",
            "site": {},
        }

    def sites(self) -> list[Route]:
        """Return the routes that the world uses."""
        paths = ("/sites/{site}", "/sites/{site}/", "/sites/{site}/login", "/sites/{site}/assets/{name}")
        return [Route(path, self.site) for path in paths]

    async def site(self, request: Request) -> Response:
        """Return a deployment's document, or a file of its build, with the headers of its configuration."""
        if self.state["login"] == "loop" and request.url.path.endswith("/login"):
            other = "login" if request.query_params else "login?again=1"
            return RedirectResponse(other, 307)
        if request.headers.get("sec-fetch-dest") == "script":
            # For browsers alone: whoever else fetches it only reads it.
            one, name = self._meant(request.path_params["site"]), request.path_params["name"]
            await asyncio.sleep(self._ways(one)["late"] if one is not None and name.startswith("index-") else 0)
        answer = self._served(request)
        for name, value in self.state["headers"].items():
            answer.headers.setdefault(name, value)
        return answer

    def _served(self, request: Request) -> Response:
        site = request.path_params["site"]
        if self.state["protected"] and site != "production":
            return HTMLResponse("<title>Authentication Required</title>", 401)
        one = self._meant(site)
        if one is None or one["state"] != "ready":
            return HTMLResponse("<title>404: deployment not found</title>", 404)
        name = request.path_params.get("name")
        if "files" in one:
            return self._file(one, "" if name is None else f"assets/{name}")
        served = self._ways(one)
        data = self._document(one) if name is None else self._asset(one, name, site, served)
        if data is None:
            if not served["fallback"]:
                return HTMLResponse("<title>404</title>", 404)
            data, name = self._document(one), None
        kind = "text/html" if name is None else pages.KINDS.get(name.rpartition(".")[2], "application/octet-stream")
        headers = {"cache-control": served["page_cache"] if name is None else served["file_cache"]}
        headers |= {"content-security-policy": served["policy"]} if served["policy"] else {}
        return _packed(request, Response(data, media_type=kind, headers=headers), served["gzip"])

    def _meant(self, site: str) -> dict[str, Any] | None:
        return self.find(self.live() if site == "production" else site)

    def _ways(self, one: dict[str, Any]) -> dict[str, Any]:
        return {**pages.GOOD, **self.state.get("site", {}), **one.get("built", {})}

    def _document(self, one: dict[str, Any]) -> bytes:
        return pages.document(one["sha"], *self._changed(one)).encode()

    def _asset(self, one: dict[str, Any], name: str, site: str, served: dict[str, Any]) -> bytes | None:
        """Return a file of a deployment; at production also of those that were live before, where they are kept."""
        if name.partition("-")[0] in served["missing"]:
            return None
        known = [one]
        if site == "production" and served["keeps_old"]:
            known += [each for each in self.state["deployments"] if each["served"] and "files" not in each]
        made = (pages.files(each["sha"], *self._changed(each)) for each in known)
        found = next((files[name] for files in made if name in files), None)
        # What ``bundle`` names besides is there as well: pieces that are loaded later, maps.
        more = f"{self.state['bundle']}{served['bundle']}".encode()
        return (found or b"") + more if found is not None or more else None

    def _changed(self, one: dict[str, Any]) -> tuple[int, bool]:
        """Return what is amiss with a deployment's scripts: by its own build, or because it is live."""
        said = self._ways(one) if one["id"] == self.live() else {**pages.GOOD, **one.get("built", {})}
        return said["heavy"], said["throws"]

    def _file(self, one: dict[str, Any], path: str) -> Response:
        """Return a file of a deployment that was sent as files."""
        digest = one["files"].get(f"/{path or 'index.html'}")
        if digest is None:
            return HTMLResponse("<title>404</title>", 404)
        data = base64.b64decode(self.state["blobs"][digest])
        return Response(data, media_type=pages.KINDS.get(path.rpartition(".")[2], "text/html"))

    def find(self, id: str) -> dict[str, Any] | None:
        """Return a deployment by its id."""
        self.tick()
        found: dict[str, Any] | None = next((one for one in self.state["deployments"] if one["id"] == id), None)
        return found

    def build(self, id: str, sha: str, mark: str) -> dict[str, Any]:
        """Begin a build for production; returns the deployment."""
        one = {
            "id": id,
            "kind": "production",
            "state": "building",
            "created": time.time(),
            "sha": sha,
            "served": False,
            "mark": mark,
            "until": time.time() + self.state["build_seconds"],
            "fails": self.state["build_fails"],
        }
        self.state["deployments"].append(one)
        return one

    def head(self, branch: str) -> str:
        """Return the commit that the repository's branch is at, as GitHub's stand-in has it; raises Refusal."""
        found = self._memory.shown().get("github", {}).get("heads", {}).get(branch)
        if found is None:
            raise Refusal(400, f"The branch {branch} could not be fetched.", "no_branch")
        return str(found)

    def tick(self) -> None:
        """Let builds end whose time has come; what was built for production goes live unless it is held back."""
        for one in self.state["deployments"]:
            if one["state"] != "building" or time.time() < one.get("until", 0):
                continue
            one["state"] = "failed" if one["fails"] else "ready"
            if one["state"] == "ready" and self.state["automatic"] and one["kind"] == "production":
                self.state["production"], self.state["request"] = one["id"], None
                one["served"] = True

    def kept(self, id: str) -> dict[str, Any]:
        """Return a deployment that still exists; raises Refusal."""
        one = self.find(id)
        if one is None or one["state"] == "gone":
            raise Refusal(404, "The deployment could not be found.", "not_found")
        return one

    def live(self) -> str:
        """Return the id that production points at now."""
        self.tick()
        asked = self.state["request"]
        moved = asked is not None and not asked["fails"] and self.over(asked)
        found: str = asked["to"] if moved else self.state["production"]
        return found

    def over(self, asked: dict[str, Any]) -> bool:
        """Tell whether a request has come to its end."""
        return bool(time.time() >= asked["at"] + asked["seconds"])

    def move(self, kind: str, id: str) -> None:
        """Ask that production point at ``id``; raises Refusal as the hosters do."""
        asked = self.state["request"]
        if asked is not None and not self.over(asked):
            raise Refusal(409, "Another request is being carried out.", "conflict")
        one = self.kept(id)
        if one["state"] != "ready":
            raise Refusal(422, "The deployment is not ready.", "not_ready")
        if one["kind"] != "production":
            raise Refusal(422, "The deployment was not built for production.", "not_production")
        before = self.live()
        if kind == "rollback" and self.state["hobby"] and id != self.previous():
            raise Refusal(402, "On the hobby plan only the previous deployment can be rolled back to.", "hobby")
        self.state["production"] = before
        self.state["request"] = {
            "from": before,
            "to": id,
            "kind": kind,
            "at": time.time(),
            "seconds": self.state["move_seconds"],
            "fails": self.state["fails"],
        }
        if not self.state["fails"]:
            one["served"] = True
            self.state["automatic"] = not (self.pins and kind == "rollback")

    def previous(self) -> str:
        """Return the deployment that production pointed at before the one that is live."""
        here = self.find(self.live())
        older = [
            one
            for one in self.state["deployments"]
            if one["served"] and one["state"] == "ready" and here is not None and one["created"] < here["created"]
        ]
        return max(older, key=lambda one: one["created"])["id"] if older else ""

    def variable(self, name: str) -> dict[str, Any] | None:
        """Return a variable by its name."""
        found: dict[str, Any] | None = next((one for one in self.state["variables"] if one["name"] == name), None)
        return found

    def set_variable(self, name: str, value: str, secret: bool, **more: Any) -> dict[str, Any]:
        """Set a variable, new or not; returns it."""
        known = self.variable(name)
        if known is None:
            known = {"name": name}
            self.state["variables"].append(known)
        digest = hashlib.sha256(value.encode()).hexdigest()
        known |= {"secret": secret, "updated": time.time(), "digest": digest, **more}
        known.pop("value", None)
        if not secret:
            known["value"] = value
        return known

    def remove_variable(self, name: str) -> None:
        """Remove a variable."""
        self.state["variables"] = [one for one in self.state["variables"] if one["name"] != name]

    def newest(self) -> list[dict[str, Any]]:
        """Return all deployments, newest first."""
        self.tick()
        found: list[dict[str, Any]] = self.state["deployments"]
        return sorted(found, key=lambda one: -one["created"])


def _packed(request: Request, answer: Response, may: bool) -> Response:
    """Return an answer compressed, where it may be, is large enough, and who asks takes it."""
    if may and "gzip" in request.headers.get("accept-encoding", "") and len(answer.body) >= pages.SMALLEST:
        answer.body = gzip.compress(answer.body, 6, mtime=0)
        answer.headers["content-length"] = str(len(answer.body))
        answer.headers["content-encoding"] = "gzip"
    answer.headers["vary"] = "accept-encoding"
    return answer
