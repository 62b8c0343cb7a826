"""StatefulSets of the stand-in: pods whose names stay, each only once the one before is ready, and what runs in them.

Source: Kubernetes documentation, "StatefulSets" (deployment and scaling guarantees, rolling updates, forced rollback).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from opslib.lab.cluster import pods
from opslib.lab.cluster.hosted import Server
from opslib.lab.cluster.kinds import KINDS, Object, stamp
from opslib.lab.cluster.store import Store, digest_of

HASH = "controller-revision-hash"


def roll(store: Store, one: Object, now: float) -> None:
    """Make the next pod that is missing, or remove the last one that is too many or of an older template."""
    wanted, template = one["spec"]["replicas"], digest_of(one["spec"]["template"])
    here = {pod["metadata"]["name"]: pod for pod in pods.of(store, one)}
    names = [f"{one['metadata']['name']}-{number}" for number in range(wanted)]
    if over := sorted(here.keys() - set(names)):
        store.remove(here[over[-1]])
        return
    for name in names:
        if name not in here:
            _make(store, one, name, now)
            return
        if not pods.ready(here[name]):
            # In order: a pod that is not ready holds up those after it, and an update as well.
            return
    if old := [name for name in names if here[name]["metadata"]["labels"][HASH] != template]:
        store.remove(here[old[-1]])


def _make(store: Store, one: Object, name: str, now: float) -> None:
    meta, template = one["metadata"], copy.deepcopy(one["spec"]["template"])
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "controller": True, "blockOwnerDeletion": True}
    labels = {**template["metadata"].get("labels", {}), HASH: digest_of(one["spec"]["template"])}
    made = {
        "metadata": {"name": name, "labels": labels, "ownerReferences": [{**owner, **_named(meta)}]},
        "spec": {"restartPolicy": "Always", "schedulerName": "default-scheduler", **template["spec"]},
        "status": {"phase": "Pending", "qosClass": "Burstable", "conditions": []},
    }
    store.create(KINDS["pods"], meta["namespace"], made, now)


def _named(meta: Object) -> Object:
    return {"name": meta["name"], "uid": meta["uid"]}


def serve(store: Store, servers: Mapping[str, Server], now: float) -> None:
    """Start a server for each new pod that has one, and let the pod be as its server is.

    Who died stays down until its pod is replaced: a real node would try again, later each time, up to five minutes.
    """
    known: dict[str, str] = store.state.setdefault("served", {})
    for pod in store.all("pods"):
        server = servers.get(pod["metadata"].get("labels", {}).get("app", ""))
        if server is None or not pod["spec"].get("nodeName"):
            continue
        if pod["metadata"]["uid"] not in known:
            known[pod["metadata"]["uid"]] = pod["metadata"]["name"]
            if not pods.ready(pod):
                server.renew()
        made, up = copy.deepcopy(pod), server.up()
        if up and not pods.ready(pod):
            pods.run(store, made, now)
        elif not up and pods.ready(pod):
            _died(made, now)
            store.event(pod, "Unhealthy", "Readiness probe failed: connection refused", now)
        store.keep(made)


def _died(pod: Object, now: float) -> None:
    conditions = [one for one in pod["status"]["conditions"] if one["type"] not in ("Ready", "ContainersReady")]
    why = {"status": "False", "reason": "ContainersNotReady", "lastTransitionTime": stamp(now)}
    pod["status"]["conditions"] = [*conditions, *({"type": word, **why} for word in ("ContainersReady", "Ready"))]
    for one in pod["status"]["containerStatuses"]:
        began = one["state"]["running"]["startedAt"]
        ended = {"exitCode": 137, "reason": "Error", "startedAt": began, "finishedAt": stamp(now)}
        one |= {"ready": False, "started": False, "state": {"terminated": ended}, "lastState": {"terminated": ended}}


def report(store: Store, one: Object) -> None:
    """Say how many pods there are, and how many of them are ready."""
    made, here = copy.deepcopy(one), pods.of(store, one)
    up, template = sum(pods.ready(pod) for pod in here), digest_of(one["spec"]["template"])
    new = sum(pod["metadata"]["labels"][HASH] == template for pod in here)
    made["status"] = {
        "observedGeneration": made["metadata"]["generation"],
        **dict.fromkeys(("currentRevision", "updateRevision"), f"{made['metadata']['name']}-{template}"),
        "replicas": len(here),
        **{name: value for name, value in (("readyReplicas", up), ("availableReplicas", up)) if value},
        **({"updatedReplicas": new} if new else {}),
    }
    store.keep(made)
