"""What the stand-in's cluster holds at its beginning: the guide's deployments on three nodes that are half full.

Ten replicas of both do not fit; one deployment has no PodDisruptionBudget, and one no autoscaler.
"""

from __future__ import annotations

import base64
from typing import Any

from opslib.lab.cluster.controller import Controller
from opslib.lab.cluster.kinds import KINDS, Object, stamp
from opslib.lab.cluster.store import Store
from opslib.lab.cluster.ways import address, pod_range, system_address, ways
from opslib.lab.production import API_SECRETS, API_SETTINGS, dummy

NAMESPACE, WATCHING = "production", "observability"
DAY = 86_400
AGE = 3 * DAY
TICK_SECONDS = 0.1
STABILISATION_SECONDS = 1.0
"""Of real clusters it is 300 (behaviour scaleDown)."""
NODES = ("node-a", "node-b", "node-c")
ALLOCATABLE = {"cpu": "3920m", "memory": "14Gi", "pods": "58"}
SYSTEM = {"kube-proxy": ("100m", "128Mi"), "metrics-server": ("100m", "200Mi")}
"""What runs on every node before anything of the product does."""

DEPLOYMENTS: dict[str, tuple[int, str, str, dict[str, str] | None]] = {
    "api-server": (2, "500m", "512Mi", {"NODE_ENV": "production", "PG_POOL_MAX": "10"}),
    # Without a list of variables: a JSON patch that adds to it is refused.
    "llm-worker": (2, "1", "1Gi", None),
    "frontend": (2, "100m", "128Mi", {"NODE_ENV": "production"}),
}
WATCHERS = {"prometheus": ("prom/prometheus:v2.48.0", 9090), "grafana": ("grafana/grafana:10.2.2", 3000)}
"""Who watches: image and port; as the product's compose file has them, in the namespace of its manifests."""
BOUNDS = {"api-server": (2, 10), "llm-worker": (1, 5)}
BUDGETS = ("api-server", "frontend")
SECRET = "valuecanvas-secrets"  # noqa: S105 - the secret's name, not the secret
HELD = ("TOGETHER_API_KEY", "OPENAI_API_KEY", "SUPABASE_SERVICE_KEY")
"""Keys that it holds."""
ALSO = {"SUPABASE_SERVICE_ROLE_KEY": "SUPABASE_SERVICE_KEY"}
"""Other names under which the API gets a key of it: one place for one value, so that it can be rotated."""
READERS = ("api-server", "llm-worker")
"""Deployments whose pods get all of it when they start."""
API, API_ENVIRONMENT = "api-server", "api-server-environment"
"""A config map and a secret of this name are the API's own."""


def first(now: float) -> dict[str, Any]:
    """Return the state at the beginning, come to rest."""
    began = now - AGE
    state: dict[str, Any] = {
        "objects": {plural: {} for plural in KINDS},
        "version": 1000,
        "ticked": began,
        "tick_seconds": TICK_SECONDS,
        "stabilisation_seconds": STABILISATION_SECONDS,
        "waits": {},
        "moved": {},
        "load": {"api-server": 450, "llm-worker": 1200, "frontend": 20},
        "ailing": {},
        "metrics": "up",
        "log_seconds": 5.0,
        "log_kept_seconds": 6 * 3600.0,
        # Of deployments: what their log lines say besides, and whose last ends have no log any more.
        "log_says": {},
        "log_lost": [],
    }
    store = Store(state)
    for name in (NAMESPACE, WATCHING, "kube-system"):
        store.create(KINDS["namespaces"], "", {"metadata": {"name": name}, "status": {"phase": "Active"}}, began)
    for node in NODES:
        store.create(KINDS["nodes"], "", _node(node, began), began)
        for name in SYSTEM:
            store.create(KINDS["pods"], "kube-system", _system(name, node, began), began)
    _product(store, began)
    controller = Controller(store)
    while controller.tick(began):
        pass
    state["ticked"] = now
    return state


def _product(store: Store, began: float) -> None:
    for name in DEPLOYMENTS:
        store.create(KINDS["deployments"], NAMESPACE, _deployment(name), began)
    for name in WATCHERS:
        store.create(KINDS["deployments"], WATCHING, _watcher(name), began)
    store.create(KINDS["statefulsets"], NAMESPACE, _cache(), began)
    for name, bounds in BOUNDS.items():
        store.create(KINDS["horizontalpodautoscalers"], NAMESPACE, _autoscaler(name, *bounds), began)
    for name in BUDGETS:
        spec = {"minAvailable": "50%", "selector": {"matchLabels": {"app": name}}}
        store.create(KINDS["poddisruptionbudgets"], NAMESPACE, {"metadata": {"name": name}, "spec": spec}, began)
    hard = {"pods": "40", "requests.cpu": "20", "requests.memory": "40Gi"}
    quota = {"metadata": {"name": "production"}, "spec": {"hard": hard}}
    store.create(KINDS["resourcequotas"], NAMESPACE, quota, began)
    for name, held in ((SECRET, {key: dummy(key) for key in HELD}), (API_ENVIRONMENT, API_SECRETS)):
        values = {key: base64.b64encode(value.encode()).decode() for key, value in held.items()}
        secret = {"metadata": {"name": name}, "type": "Opaque", "data": values}
        store.create(KINDS["secrets"], NAMESPACE, secret, began)
    files = {"log-level": "info", "node-env": "production"}
    for name, said in (("valuecanvas-config", files), (API_ENVIRONMENT, API_SETTINGS)):
        store.create(KINDS["configmaps"], NAMESPACE, {"metadata": {"name": name}, "data": dict(said)}, began)
    for plural, made in ways():
        store.create(KINDS[plural], NAMESPACE, made, began)


PROBES = {"api-server": {"livenessProbe": "/health/live", "readinessProbe": "/health/startup"}}
"""What is asked of whose pods: routes that depend on nobody else. (The product's manifests ask ``/health``.)"""


def _deployment(name: str) -> Object:
    replicas, cpu, memory, variables = DEPLOYMENTS[name]
    container: Object = {
        "name": name.partition("-")[0],
        "image": f"valuecanvas/{name}:1.4.2",
        "ports": [{"containerPort": 8000, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": "2", "memory": "2Gi"}},
    }
    if name in PROBES:
        container |= {
            kind: {"httpGet": {"path": path, "port": 8000}, "periodSeconds": 10, "failureThreshold": 3}
            for kind, path in PROBES[name].items()
        }
    if name in READERS:
        container["envFrom"] = [{"secretRef": {"name": SECRET}}]
    if name == API:
        own = ({"configMapRef": {"name": API_ENVIRONMENT}}, {"secretRef": {"name": API_ENVIRONMENT}})
        container["envFrom"] = [*own, *container["envFrom"]]
    if variables:
        container["env"] = [{"name": key, "value": value} for key, value in variables.items()]
    if name == API:
        references = {also: {"secretKeyRef": {"name": SECRET, "key": key}} for also, key in ALSO.items()}
        container["env"] += [{"name": also, "valueFrom": said} for also, said in references.items()]
    return _rolled(name, replicas, container)


def _watcher(name: str) -> Object:
    image, port = WATCHERS[name]
    container: Object = {
        "name": name,
        "image": image,
        "ports": [{"containerPort": port, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    }
    return _rolled(name, 1, container)


def _rolled(name: str, replicas: int, container: Object) -> Object:
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "0%"}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
    }


def _cache() -> Object:
    """Return the workload of the cache; what runs in its pod is the lab's own Valkey."""
    container: Object = {
        "name": "redis",
        "image": "valkey/valkey:9.1",
        "args": ["--appendonly", "yes", "--appendfsync", "no"],
        "ports": [{"containerPort": 6379, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    claim: Object = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    claim["spec"]["resources"] = {"requests": {"storage": "1Gi"}}
    return {
        "metadata": {"name": "redis", "labels": {"app": "redis"}},
        "spec": {
            "replicas": 1,
            "serviceName": "redis",
            "selector": {"matchLabels": {"app": "redis"}},
            "template": {"metadata": {"labels": {"app": "redis"}}, "spec": {"containers": [container]}},
            "volumeClaimTemplates": [claim],
        },
    }


def _autoscaler(name: str, low: int, high: int) -> Object:
    target = {"type": "Utilization", "averageUtilization": 70}
    return {
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": low,
            "maxReplicas": high,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }


def _node(name: str, began: float) -> Object:
    words = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
    conditions = [
        {
            "type": word,
            "status": "True" if word == "Ready" else "False",
            "reason": f"Kubelet{word}",
            **dict.fromkeys(("lastHeartbeatTime", "lastTransitionTime"), stamp(began)),
        }
        for word in words
    ]
    ids = dict.fromkeys(("machineID", "systemUUID", "bootID"), name)
    versions = dict.fromkeys(("kubeletVersion", "kubeProxyVersion"), "v1.34.1")
    info = {
        **ids,
        **versions,
        "kernelVersion": "6.1",
        "osImage": "Bottlerocket",
        "containerRuntimeVersion": "containerd://2",
    }
    info |= {"operatingSystem": "linux", "architecture": "amd64"}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"providerID": f"lab:///{name}", "podCIDR": pod_range(name), "podCIDRs": [pod_range(name)]},
        "status": {
            "capacity": {"cpu": "4", "memory": "16Gi", "pods": "58"},
            "allocatable": dict(ALLOCATABLE),
            "conditions": conditions,
            "addresses": [{"type": "InternalIP", "address": address(name)}, {"type": "Hostname", "address": name}],
            "nodeInfo": info,
        },
    }


def _system(name: str, node: str, began: float) -> Object:
    cpu, memory = SYSTEM[name]
    container = {"name": name, "image": f"lab/{name}:1", "resources": {"requests": {"cpu": cpu, "memory": memory}}}
    up = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(began)}]
    running = {"name": name, "image": container["image"], "imageID": "lab", "ready": True, "restartCount": 0}
    return {
        "metadata": {"name": f"{name}-{node[-1]}{'qwert'}", "labels": {"app": name}},
        "spec": {"containers": [container], "nodeName": node},
        "status": {
            "phase": "Running",
            "podIP": system_address(node, list(SYSTEM).index(name)),
            "startTime": stamp(began),
            "conditions": up,
            "containerStatuses": [{**running, "state": {"running": {"startedAt": stamp(began)}}}],
        },
    }
