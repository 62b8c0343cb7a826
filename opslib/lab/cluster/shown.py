"""What the stand-in measures and logs: the figures of metrics.k8s.io, and the lines of a container.

Sources: the metrics API's description (metrics.k8s.io/v1beta1); Kubernetes API reference, "read log of the
specified Pod".
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from opslib.lab.cluster import pods
from opslib.lab.cluster.kinds import Object, moment, stamp
from opslib.lab.cluster.store import Store
from opslib.lab.vendors.stand_in import Refusal

WINDOW = "20s"
MOST_LINES = 20_000
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


def log(state: dict[str, object], pod: Object, asked: Mapping[str, str], now: float) -> str:
    """Return the lines of one container, as far as the node has kept them; raises Refusal as the API does."""
    names = [one["name"] for one in pod["spec"]["containers"]]
    container, name = asked.get("container", names[0]), pod["metadata"]["name"]
    if container not in names:
        raise Refusal(400, f"container {container} is not valid for pod {name}")
    (known,) = [one for one in pod["status"].get("containerStatuses", [{}]) if one.get("name") in (container, None)]
    previous = asked.get("previous") == "true"
    if previous and not known.get("restartCount"):
        raise Refusal(400, f'previous terminated container "{container}" in pod "{name}" not found')
    if not known:
        raise Refusal(400, f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating')
    every = float(str(state["log_seconds"]))
    end = now - every if previous else now
    # The node keeps the newest lines only, whatever is asked for.
    begin = max(moment(pod["status"]["startTime"]), now - float(str(state["log_kept_seconds"])))
    if "sinceSeconds" in asked:
        begin = max(begin, now - int(asked["sinceSeconds"]))
    first, last = -int(-begin // every), int(end // every)
    if "tailLines" in asked:
        first = max(first, last + 1 - int(asked["tailLines"]))
    numbers = range(max(first, last + 1 - MOST_LINES), last + 1)
    lines = [_line(number, number * every, name, asked.get("timestamps") == "true") for number in numbers]
    text = "".join(f"{line}\n" for line in lines)
    return text[: int(asked["limitBytes"])] if "limitBytes" in asked else text


def _line(number: int, at: float, pod: str, timestamps: bool) -> str:
    path = ("/health", "/api/llm/chat", "/api/billing")[number % 3]
    said = {"level": "warn" if number % 60 == 0 else "info", "pod": pod, "path": path, "status": 200, "n": number}
    text = json.dumps(said)
    return f"{stamp(at)[:-1]}.000000000Z {text}" if timestamps else text
