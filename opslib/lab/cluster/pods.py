"""Pods of the stand-in: made for a ReplicaSet, put on a node that has room, ready one after the other.

Sources: Kubernetes documentation, "Pod Lifecycle" (phases, conditions, container states), "Resource Management for
Pods and Containers", "kube-scheduler".
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Container
from typing import Any

from opslib.lab.cluster import environment
from opslib.lab.cluster.kinds import KINDS, Object, moment, stamp
from opslib.lab.cluster.store import Store
from opslib.lab.cluster.ways import address, pod_address
from opslib.systems.kubernetes_quantities import quantity

HANGS = "hangs"
WAITING = ("CrashLoopBackOff", "ImagePullBackOff", "OOMKilled", HANGS)
"""What can ail pods (``ailing`` in the state); one that hangs runs, and is not ready."""
RESTART_TICKS = 8
MOST_RESTARTS = 40


def requests(pod_spec: Object, what: str) -> float:
    """Return what the containers of a pod ask for, in all."""
    asked = (one.get("resources", {}).get("requests", {}).get(what, 0) for one in pod_spec["containers"])
    return sum(quantity(one) for one in asked)


def make(store: Store, replicas: Object, now: float) -> Object:
    """Make one pod of a ReplicaSet; it waits for a node."""
    meta, template = replicas["metadata"], copy.deepcopy(replicas["spec"]["template"])
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": True, "blockOwnerDeletion": True}
    owner |= {"name": meta["name"], "uid": meta["uid"]}
    made = {
        "metadata": {
            "name": f"{meta['name']}-{uuid.uuid4().hex[:5]}",
            "labels": template["metadata"]["labels"],
            **({"annotations": said} if (said := template["metadata"].get("annotations")) else {}),
            "ownerReferences": [owner],
        },
        "spec": {"restartPolicy": "Always", "schedulerName": "default-scheduler", **template["spec"]},
        "status": {"phase": "Pending", "qosClass": "Burstable", "conditions": []},
    }
    pod = store.create(KINDS["pods"], meta["namespace"], made, now)
    environment.note(store, pod)
    return pod


def active(pod: Object) -> bool:
    """Whether a pod takes room, or waits for some."""
    return pod["status"]["phase"] in ("Pending", "Running")


def ready(pod: Object) -> bool:
    """Whether a pod is ready."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))


def owned(store: Store, deployment: Object) -> list[Object]:
    """Return a deployment's ReplicaSets."""
    meta = deployment["metadata"]
    found = store.all("replicasets", meta["namespace"])
    return [one for one in found if one["metadata"]["ownerReferences"][0]["uid"] == meta["uid"]]


def of(store: Store, replicas: Object) -> list[Object]:
    """Return a ReplicaSet's pods."""
    meta = replicas["metadata"]
    found = store.all("pods", meta["namespace"])
    return [pod for pod in found if pod["metadata"].get("ownerReferences", [{}])[0].get("uid") == meta["uid"]]


def belonging(store: Store, deployment: Object) -> list[Object]:
    """Return all pods of a deployment."""
    return [pod for one in owned(store, deployment) for pod in of(store, one)]


def schedule(store: Store, now: float) -> bool:
    """Give each waiting pod a node that has room for it; tells whether anything changed."""
    changed = False
    for pod in store.all("pods"):
        if pod["spec"].get("nodeName") or not active(pod):
            continue
        made, nodes = copy.deepcopy(pod), store.all("nodes")
        short = {node["metadata"]["name"]: _short(store, node, made) for node in nodes}
        fitting = [node for node in nodes if not short[node["metadata"]["name"]]]
        if fitting:
            best = max(fitting, key=lambda node: _free(store, node, "cpu"))
            made["spec"]["nodeName"] = best["metadata"]["name"]
            made["status"]["conditions"] = [_condition("PodScheduled", "True", now)]
            made["status"]["startTime"] = stamp(now)
        else:
            why = list(short.values())
            counts = ", ".join(f"{why.count(word)} {word}" for word in sorted(set(why)))
            message = f"0/{len(nodes)} nodes are available: {counts}."
            if message in [one.get("message") for one in made["status"]["conditions"]]:
                continue
            condition = {**_condition("PodScheduled", "False", now), "reason": "Unschedulable", "message": message}
            made["status"]["conditions"] = [condition]
            store.event(pod, "FailedScheduling", message, now)
        changed |= store.keep(made)
    return changed


def _short(store: Store, node: Object, pod: Object) -> str:
    """Return what a node lacks for a pod, in the scheduler's words, or nothing."""
    if node["spec"].get("unschedulable"):
        return "node(s) were unschedulable"
    if not any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"]):
        return "node(s) were not ready"
    for taint in node["spec"].get("taints", ()):
        if taint["effect"] != "PreferNoSchedule" and not pod["spec"].get("tolerations"):
            return "node(s) had untolerated taint(s)"
    for what in ("cpu", "memory"):
        if requests(pod["spec"], what) > _free(store, node, what):
            return f"Insufficient {what}"
    return "Too many pods" if _free(store, node, "pods") < 1 else ""


def _free(store: Store, node: Object, what: str) -> float:
    here = [pod for pod in store.all("pods") if pod["spec"].get("nodeName") == node["metadata"]["name"] and active(pod)]
    used = float(len(here)) if what == "pods" else sum(requests(pod["spec"], what) for pod in here)
    return round(quantity(node["status"]["allocatable"][what]) - used, 9)


def live(store: Store, ailing: dict[str, str], now: float, tick: float, served: Container[str] = ()) -> bool:
    """Let one pod of each owner that has a node become ready, or ail; tells whether anything changed.

    Who is in ``ailing`` by label, image or a pod's name ails. Whose label is in ``served`` is left alone.
    """
    changed, begun = False, set()
    for pod in store.all("pods"):
        label = pod["metadata"].get("labels", {}).get("app", "")
        if not pod["spec"].get("nodeName") or not active(pod) or label in served:
            continue
        made = copy.deepcopy(pod)
        names = (label, pod["metadata"]["name"], *(one["image"] for one in pod["spec"]["containers"]))
        if ill := next((ailing[name] for name in names if name in ailing), None):
            if ill == HANGS:
                changed |= _hang(store, made, now)
                continue
            if not ready(pod):
                _ail(made, ill, now, tick)
                changed |= _told(store, made, ill, now)
        elif not ready(pod) and label not in begun:
            begun.add(label)
            run(store, made, now)
            changed |= store.keep(made)
    return changed


def _hang(store: Store, pod: Object, now: float) -> bool:
    if not ready(pod):
        return False
    conditions = [one for one in pod["status"]["conditions"] if one["type"] not in ("Ready", "ContainersReady")]
    why = {"reason": "ContainersNotReady", "message": "readiness probe failed"}
    conditions += [{**_condition(word, "False", now), **why} for word in ("ContainersReady", "Ready")]
    pod["status"]["conditions"] = conditions
    pod["status"]["containerStatuses"] = [{**one, "ready": False} for one in pod["status"]["containerStatuses"]]
    store.event(pod, "Unhealthy", "Readiness probe failed: context deadline exceeded", now)
    return store.keep(pod)


def _told(store: Store, made: Object, ill: str, now: float) -> bool:
    changed = store.keep(made)
    if changed:
        reason = "Failed" if ill == "ImagePullBackOff" else "BackOff"
        store.event(made, reason, f"{reason}: {ill} of container {made['spec']['containers'][0]['name']}", now)
    return changed


def run(store: Store, pod: Object, now: float) -> None:
    """Let a pod that has a node be ready, with the address that it had."""
    known = {one["name"]: one for one in pod["status"].get("containerStatuses", ())}
    node, taken = pod["spec"]["nodeName"], {one["status"].get("podIP", "") for one in store.all("pods")}
    ip = pod["status"].get("podIP") or pod_address(node, taken)
    pod["status"] |= {
        "phase": "Running",
        "hostIP": address(node),
        "hostIPs": [{"ip": address(node)}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "conditions": [
            _condition(word, "True", now) for word in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ],
        "containerStatuses": [
            {**_container(one, known.get(one["name"], {}).get("restartCount", 0)), "ready": True, "started": True}
            | {"state": {"running": {"startedAt": stamp(now)}}, "lastState": _last(known.get(one["name"]))}
            for one in pod["spec"]["containers"]
        ],
    }


def _last(known: Object | None) -> Object:
    """Return how a container ended before it runs again."""
    found: Object = (known or {}).get("lastState") or {}
    return found


def _ail(pod: Object, ill: str, now: float, tick: float) -> None:
    began = moment(pod["status"]["startTime"])
    restarts = 0 if ill == "ImagePullBackOff" else min(MOST_RESTARTS, 1 + int((now - began) / (RESTART_TICKS * tick)))
    word = "CrashLoopBackOff" if ill == "OOMKilled" else ill
    last: dict[str, Any] = {}
    if restarts:
        code, reason = (137, "OOMKilled") if ill == "OOMKilled" else (1, "Error")
        ended = stamp(began + max(1.0, restarts * RESTART_TICKS * tick))
        last = {"terminated": {"exitCode": code, "reason": reason, "startedAt": stamp(began), "finishedAt": ended}}
    pod["status"] |= {
        "phase": "Pending" if ill == "ImagePullBackOff" else "Running",
        "conditions": [
            _condition("PodScheduled", "True", began),
            {
                **_condition("Ready", "False", began),
                "reason": "ContainersNotReady",
                "message": f"containers wait: {word}",
            },
        ],
        "containerStatuses": [
            {**_container(one, restarts), "ready": False, "started": False}
            | {"state": {"waiting": {"reason": word, "message": f"back-off of container {one['name']}"}}}
            | {"lastState": last}
            for one in pod["spec"]["containers"]
        ],
    }


def _container(one: Object, restarts: int) -> Object:
    return {
        "name": one["name"],
        "image": one["image"],
        "imageID": f"lab/{one['image']}@sha256:0",
        "restartCount": restarts,
    }


def _condition(word: str, value: str, now: float) -> Object:
    return {"type": word, "status": value, "lastTransitionTime": stamp(now)}
