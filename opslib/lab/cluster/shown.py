"""What the stand-in measures: the figures of metrics.k8s.io.

Source: the metrics API's description (metrics.k8s.io/v1beta1).
"""

from __future__ import annotations

from opslib.lab.cluster import pods
from opslib.lab.cluster.kinds import Object, stamp
from opslib.lab.cluster.store import Store

WINDOW = "20s"
IDLE_MILLICORES = 15
"""What a pod without any load uses."""


def pod_metrics(store: Store, pod: Object, now: float) -> Object:
    """Return what a running pod uses: its share of its deployment's load."""
    meta = pod["metadata"]
    app = meta.get("labels", {}).get("app", "")
    same = [one for one in store.all("pods", meta["namespace"]) if one["metadata"].get("labels", {}).get("app") == app]
    load = store.state["load"].get(app, 0) / max(1, sum(pods.ready(one) for one in same)) or IDLE_MILLICORES
    used = pods.requests(pod["spec"], "memory") * 0.6
    container = {"name": pod["spec"]["containers"][0]["name"], "usage": _usage(load, used)}
    named = {key: meta[key] for key in ("name", "namespace", "labels") if key in meta}
    return {
        "metadata": {**named, "creationTimestamp": stamp(now)},
        "timestamp": stamp(now),
        "window": WINDOW,
        "containers": [container],
    }


def node_metrics(store: Store, node: Object, now: float) -> Object:
    """Return what a node uses: its pods', and its own."""
    name = node["metadata"]["name"]
    here = [
        pod_metrics(store, pod, now)["containers"][0]["usage"]
        for pod in store.all("pods")
        if pod["spec"].get("nodeName") == name and pods.ready(pod)
    ]
    load = 120 + sum(int(one["cpu"][:-1]) / 1e6 for one in here)
    used = 600 * 2**20 + sum(int(one["memory"][:-2]) * 1024 for one in here)
    said = {"timestamp": stamp(now), "window": WINDOW, "usage": _usage(load, used)}
    return {"metadata": {"name": name, "creationTimestamp": stamp(now)}, **said}


def _usage(millicores: float, size: float) -> dict[str, str]:
    return {"cpu": f"{round(millicores * 1e6)}n", "memory": f"{round(size / 1024)}Ki"}
