"""What the stand-in says it offers, as clients that discover an API want it (``kubectl`` among them).

Source: Kubernetes API description (APIVersions, APIGroupList, APIResourceList).
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.cluster.kinds import KINDS, Object

METRICS = "/apis/metrics.k8s.io/v1beta1"
VERBS = ["create", "delete", "get", "list", "patch", "update"]
SHORT = {
    "deployments": ["deploy"],
    "replicasets": ["rs"],
    "statefulsets": ["sts"],
    "pods": ["po"],
    "nodes": ["no"],
    "events": ["ev"],
    "horizontalpodautoscalers": ["hpa"],
    "poddisruptionbudgets": ["pdb"],
    "resourcequotas": ["quota"],
    "networkpolicies": ["netpol"],
    "services": ["svc"],
    "ingresses": ["ing"],
    "configmaps": ["cm"],
    "namespaces": ["ns"],
}


def routes() -> list[Route]:
    """Return the routes of discovery."""
    roots = sorted({kind.root for kind in KINDS.values()})
    return [
        Route("/api", _versions),
        Route("/apis", _groups),
        Route(METRICS, _metrics),
        *(Route(root, _resources) for root in roots),
    ]


async def _versions(request: Request) -> Response:
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": request.url.netloc}
    said = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}
    return JSONResponse(said)


async def _groups(request: Request) -> Response:
    known = sorted({(kind.group, kind.version) for kind in KINDS.values() if kind.group})
    groups = [_group(*one) for one in [*known, ("metrics.k8s.io", "v1beta1")]]
    return JSONResponse({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})


def _group(name: str, version: str) -> Object:
    said = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [said], "preferredVersion": said}


async def _resources(request: Request) -> Response:
    found: list[dict[str, Any]] = []
    for kind in KINDS.values():
        if kind.root != request.url.path:
            continue
        named = {"singularName": kind.kind.lower(), "namespaced": kind.namespaced, "kind": kind.kind}
        found.append({"name": kind.plural, **named, "verbs": VERBS, "shortNames": SHORT.get(kind.plural, [])})
        if kind.plural == "deployments":
            scale = {"group": "autoscaling", "version": "v1", "kind": "Scale", "singularName": ""}
            found.append(
                {"name": "deployments/scale", "namespaced": True, **scale, "verbs": ["get", "patch", "update"]}
            )
        if kind.plural == "pods":
            log = {"kind": "Pod", "singularName": "", "verbs": ["get"]}
            found.append({"name": "pods/log", "namespaced": True, **log})
    group = request.url.path.removeprefix("/apis/").removeprefix("/api/")
    return JSONResponse(_list(group, found))


async def _metrics(request: Request) -> Response:
    found = [
        {"name": name, "singularName": "", "namespaced": name == "pods", "kind": kind, "verbs": ["get", "list"]}
        for name, kind in (("nodes", "NodeMetrics"), ("pods", "PodMetrics"))
    ]
    return JSONResponse(_list("metrics.k8s.io/v1beta1", found))


def _list(group: str, resources: list[dict[str, Any]]) -> Object:
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": resources}
