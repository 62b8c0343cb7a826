"""The Kubernetes API of the stand-in: objects read, listed, made, patched and removed, as the server does it.

Sources: Kubernetes API description (swagger) and "Kubernetes API Concepts" (verbs, resourceVersion, limit and
continue, dryRun, patches).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from opslib.lab.cluster import discovery, logs, shown
from opslib.lab.cluster.controller import Controller
from opslib.lab.cluster.discovery import METRICS
from opslib.lab.cluster.hosted import Server
from opslib.lab.cluster.kinds import KINDS, REASONS, Kind, Object, status
from opslib.lab.cluster.patches import PATCHES
from opslib.lab.cluster.planted import first
from opslib.lab.cluster.rules import validate
from opslib.lab.cluster.store import Store, selected
from opslib.lab.vendors.faults import Fault
from opslib.lab.vendors.stand_in import Endpoint, Refusal, StandIn, said

VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.1-lab", "platform": "linux/amd64"}
VERSION |= dict.fromkeys(("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler"), "lab")
UNREADABLE = frozenset({"secrets"})
"""What the role ``view`` may not read."""


class Kubernetes(StandIn):
    """One cluster. ``metrics`` in its state is up, missing (404) or down (503)."""

    name = "kubernetes"
    servers: Mapping[str, Server] = MappingProxyType({})
    """What really runs in the pods of a label."""

    def first(self) -> dict[str, Any]:
        """Return the cluster as it is planted."""
        return first(time.time())

    def catch_up(self) -> None:
        """Let happen what is due by the clock."""
        Controller(Store(self.state), self.servers).catch_up(time.time())

    def routes(self) -> list[Route]:
        """Return the routes of every kind, with scale, log, version, metrics and discovery."""
        found = [
            Route("/version", self.version),
            *discovery.routes(),
            Route(f"{METRICS}/nodes", self.node_metrics),
            Route(f"{METRICS}/namespaces/{{namespace}}/pods", self.pod_metrics),
            Route("/api/v1/namespaces/{namespace}/pods/{name}/log", self.log),
            Route(
                "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale",
                self.scale,
                methods=["GET", "PUT", "PATCH"],
            ),
        ]
        for kind in KINDS.values():
            home = f"{kind.root}/namespaces/{{namespace}}" if kind.namespaced else kind.root
            everywhere, one = f"{kind.root}/{kind.plural}", f"{home}/{kind.plural}/{{name}}"
            found.append(Route(f"{home}/{kind.plural}", self._list_or_make(kind), methods=["GET", "POST"]))
            if kind.namespaced:
                found.append(Route(everywhere, self._list_or_make(kind)))
            found.append(Route(one, self._one(kind), methods=["GET", "PUT", "PATCH", "DELETE"]))
        return found

    def error(self, status_: int, message: str, code: str = "") -> Response:
        """Return a Status object."""
        reason = code if code in {*REASONS.values(), "AlreadyExists"} else ""
        return JSONResponse(status(status_, message, reason), status_)

    async def version(self, request: Request) -> Response:
        """Return who answers."""
        return JSONResponse(VERSION)

    async def node_metrics(self, request: Request) -> Response:
        """Return what the nodes use."""
        self._measured()
        store, now = Store(self.state), time.time()
        return _metrics("NodeMetricsList", [shown.node_metrics(store, node, now) for node in store.all("nodes")])

    async def pod_metrics(self, request: Request) -> Response:
        """Return what the running pods of a namespace use."""
        self._measured()
        store, now, selector = Store(self.state), time.time(), request.query_params.get("labelSelector", "")
        found = [
            shown.pod_metrics(store, pod, now)
            for pod in store.all("pods", request.path_params["namespace"])
            if pod["status"]["phase"] == "Running" and selected(pod["metadata"].get("labels", {}), selector)
        ]
        return _metrics("PodMetricsList", found)

    async def log(self, request: Request) -> Response:
        """Return a container's lines."""
        pod = self._found(KINDS["pods"], request)
        return PlainTextResponse(logs.log(self.state, pod, request.query_params, time.time()))

    async def scale(self, request: Request) -> Response:
        """Show or set a deployment's number of replicas alone."""
        kind = KINDS["deployments"]
        known = self._found(kind, request)
        if request.method == "GET":
            return JSONResponse(_scale(known))
        wanted = await self._given(request, _scale(known))
        made = Store(self.state).replaced(
            kind,
            known,
            {
                **known,
                "metadata": {**known["metadata"], "resourceVersion": wanted["metadata"].get("resourceVersion")},
                "spec": {**known["spec"], "replicas": wanted["spec"].get("replicas", 0)},
            },
        )
        return JSONResponse(_scale(self._kept(request, kind, made)))

    def _list_or_make(self, kind: Kind) -> Endpoint:
        async def list_or_make(request: Request) -> Response:
            if request.method == "GET":
                return self._listed(request, kind)
            given = await said(request)
            validate(kind, given)
            store = Store(self.state if not _dry(request) else json.loads(json.dumps(self.state)))
            made = store.create(kind, request.path_params.get("namespace", ""), given, time.time())
            return JSONResponse(made, 201)

        return list_or_make

    def _one(self, kind: Kind) -> Endpoint:
        async def one(request: Request) -> Response:
            known = self._found(kind, request)
            if request.method == "GET":
                return JSONResponse(known)
            if request.method == "DELETE":
                _expected(kind, known, (await said(request)).get("preconditions") or {})
                if not _dry(request):
                    self._remove(known)
                details = {"name": known["metadata"]["name"], "kind": kind.plural, "uid": known["metadata"]["uid"]}
                gone = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
                return JSONResponse(gone if kind.plural != "pods" else known)
            wanted = await self._given(request, known)
            return JSONResponse(self._kept(request, kind, Store(self.state).replaced(kind, known, wanted)))

        return one

    def _listed(self, request: Request, kind: Kind) -> Response:
        asked = request.query_params
        store = Store(self.state)
        found = [
            one
            for one in store.all(kind.plural, request.path_params.get("namespace"))
            if selected(one["metadata"].get("labels", {}), asked.get("labelSelector", ""))
            and _fits(one, asked.get("fieldSelector", ""))
        ]
        meta: dict[str, Any] = {"resourceVersion": store.version}
        if token := asked.get("continue"):
            after = base64.urlsafe_b64decode(token.encode()).decode()
            found = [one for one in found if _key(one) > after]
        limit = int(asked.get("limit", 0)) or len(found)
        if len(found) > limit:
            meta["continue"] = base64.urlsafe_b64encode(_key(found[limit - 1]).encode()).decode()
            meta["remainingItemCount"] = len(found) - limit
        items = [{k: v for k, v in one.items() if k not in ("kind", "apiVersion")} for one in found[:limit]]
        said = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": items}
        return JSONResponse(said)

    def _found(self, kind: Kind, request: Request) -> Object:
        return Store(self.state).get(kind, request.path_params.get("namespace", ""), request.path_params["name"])

    async def _given(self, request: Request, known: Object) -> Object:
        """Return the object that a PUT or PATCH wants in place of ``known``."""
        if request.method == "PUT":
            return await said(request)
        kind = request.headers.get("content-type", "").partition(";")[0]
        if kind not in PATCHES:
            raise Refusal(415, f"the body of the request was in an unknown format - {kind[:60]}")
        try:
            patch = json.loads(await request.body())
        except ValueError:
            raise Refusal(400, "the body of the request is no JSON") from None
        made = PATCHES[kind](known, patch)
        if "resourceVersion" not in (patch.get("metadata") or {} if isinstance(patch, dict) else {}):
            # Only who names a version is held to it.
            made = {**made, "metadata": {k: v for k, v in made["metadata"].items() if k != "resourceVersion"}}
        return dict(made)

    def _kept(self, request: Request, kind: Kind, made: Object) -> Object:
        validate(kind, made)
        if not _dry(request):
            Store(self.state).keep(made)
        return made

    def _remove(self, known: Object) -> None:
        store, gone = Store(self.state), {known["metadata"]["uid"]}
        store.remove(known)
        for plural in ("replicasets", "pods"):
            for one in store.all(plural):
                if {owner["uid"] for owner in one["metadata"].get("ownerReferences", ())} & gone:
                    gone.add(one["metadata"]["uid"])
                    store.remove(one)

    def _measured(self) -> None:
        if self.state["metrics"] == "missing":
            raise Refusal(404, "the server could not find the requested resource")
        if self.state["metrics"] == "down":
            raise Refusal(503, "the server is currently unable to handle the request")

    async def _answer(self, request: Request, endpoint: Endpoint, fault: Fault | None) -> Response:
        self.catch_up()
        return await super()._answer(request, endpoint, fault)

    def _refused(self, request: Request) -> Response | None:
        refused = super()._refused(request)
        if refused is None and UNREADABLE & set(request.url.path.split("/")):
            _, _, token = request.headers.get("authorization", "").partition(" ")
            if self._tokens.get(token) == "read":
                return self.error(403, "secrets is forbidden: the token has the role view")
        return refused


def _expected(kind: Kind, known: Object, conditions: dict[str, str]) -> None:
    """Raise Refusal (409) where an object is another than who removes it thinks."""
    for name, wanted in conditions.items():
        if known["metadata"].get(name) != wanted:
            said = (
                f"Precondition failed: {name} in precondition: {wanted}, in object meta: {known['metadata'].get(name)}"
            )
            raise Refusal(
                409, f'Operation cannot be fulfilled on {kind.resource} "{known["metadata"]["name"]}": {said}'
            )


def _dry(request: Request) -> bool:
    asked = request.query_params.get("dryRun")
    if asked not in (None, "All"):
        raise Refusal(422, f"dryRun: Unsupported value: {asked[:40]!r}: supported values: All")
    return asked is not None


def _key(one: Object) -> str:
    return f"{one['metadata'].get('namespace', '')}/{one['metadata']['name']}"


def _fits(one: Object, selector: str) -> bool:
    for part in filter(None, selector.split(",")):
        path, _, wanted = part.partition("=")
        found: Any = one
        for key in path.rstrip("!").split("."):
            found = found.get(key, "") if isinstance(found, dict) else ""
        if (found == wanted.lstrip("=")) is path.endswith("!"):
            return False
    return True


def _metrics(kind: str, items: list[Object]) -> Response:
    said = {"kind": kind, "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": items}
    return JSONResponse(said)


def _scale(deployment: Object) -> Object:
    meta = deployment["metadata"]
    kept = {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    labels = deployment["spec"]["selector"]["matchLabels"].items()
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": kept,
        "spec": {"replicas": deployment["spec"]["replicas"]},
        "status": {
            "replicas": deployment.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in labels),
        },
    }
