"""What goes on in the stand-in by itself, a step at each tick: rollouts, budgets, quotas, and the autoscalers.

Sources: Kubernetes documentation, "Deployments", "Specifying a Disruption Budget", "Resource Quotas".
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

from opslib.lab.cluster import pods, stateful
from opslib.lab.cluster.autoscaling import Autoscaling
from opslib.lab.cluster.hosted import Server
from opslib.lab.cluster.kinds import KINDS, Object, stamp
from opslib.lab.cluster.store import Store, digest_of, matching
from opslib.systems.kubernetes_quantities import quantity

MOST_TICKS = 200
"""Ticks that are made up for at once; a cluster that nobody asked for longer has come to rest."""
REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


class Controller:
    """Moves a store on by the clock; ``servers`` are what really runs in the pods of a label."""

    def __init__(self, store: Store, servers: Mapping[str, Server] | None = None) -> None:
        self._store, self._state, self._servers = store, store.state, servers or {}
        self._autoscaling = Autoscaling(store)

    def catch_up(self, now: float) -> bool:
        """Make up for the time since the last tick; tells whether anything changed."""
        tick, changed = self._state["tick_seconds"], False
        due = int((now - self._state["ticked"]) / tick)
        for _ in range(min(due, MOST_TICKS)):
            moved = self.tick(now)
            changed |= moved
            if not moved and not self._state["waits"]:
                break
        if due > 0:
            self._state["ticked"] = now
        return changed

    def tick(self, now: float) -> bool:
        """Do one step of everything; tells whether anything changed."""
        store, before = self._store, self._state["version"]
        for autoscaler in store.all("horizontalpodautoscalers"):
            self._autoscaling.scale(autoscaler, now)
        for deployment in store.all("deployments"):
            self._roll(deployment, now)
        for one in store.all("statefulsets"):
            stateful.roll(store, one, now)
        pods.schedule(store, now)
        pods.live(store, self._state["ailing"], now, self._state["tick_seconds"], self._servers)
        stateful.serve(store, self._servers, now)
        for one in store.all("statefulsets"):
            stateful.report(store, one)
        for deployment in store.all("deployments"):
            self._report(deployment, now)
        for budget in store.all("poddisruptionbudgets"):
            self._budget(budget)
        for quota in store.all("resourcequotas"):
            self._quota(quota)
        return bool(self._state["version"] != before)

    # Rollouts.

    def _roll(self, deployment: Object, now: float) -> None:
        current = self._replicaset(deployment, now)
        meta, spec = deployment["metadata"], deployment["spec"]
        old = [
            one for one in pods.owned(self._store, deployment) if one["metadata"]["uid"] != current["metadata"]["uid"]
        ]
        left = [pod for one in old for pod in pods.of(self._store, one)]
        wanted = spec["replicas"]
        if left:
            # One at a time: a new pod above the number, then an old one less. Old ones that serve nobody go first.
            here = pods.of(self._store, current)
            available = sum(pods.ready(pod) for pod in [*here, *left])
            self._size(current, min(wanted, len(here) + (len(here) + len(left) <= wanted)), now)
            idle = next((pod for pod in left if not pods.ready(pod)), None)
            if idle or available > wanted or wanted == 0:
                self._store.remove(idle or left[0])
        else:
            self._size(current, wanted, now)
        for one in old:
            self._shrink(one)
        revision = current["metadata"]["annotations"][REVISION]
        if meta.get("annotations", {}).get(REVISION) != revision:
            made = copy.deepcopy(self._store.of("deployments")[f"{meta['namespace']}/{meta['name']}"])
            made["metadata"].setdefault("annotations", {})[REVISION] = revision
            self._store.keep(made)

    def _replicaset(self, deployment: Object, now: float) -> Object:
        """Return the ReplicaSet of the deployment's template, made where there is none."""
        template = deployment["spec"]["template"]
        word = digest_of(template)
        owned = pods.owned(self._store, deployment)
        newest = max((int(one["metadata"]["annotations"][REVISION]) for one in owned), default=0)
        for one in owned:
            if one["metadata"]["labels"][HASH] == word:
                if int(one["metadata"]["annotations"][REVISION]) < newest:
                    one = copy.deepcopy(one)
                    one["metadata"]["annotations"][REVISION] = str(newest + 1)
                    self._store.keep(one)
                return one
        meta, named = deployment["metadata"], copy.deepcopy(template)
        labels = named["metadata"].setdefault("labels", {})
        labels[HASH] = word
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True, "blockOwnerDeletion": True}
        made = {
            "metadata": {
                "name": f"{meta['name']}-{word}",
                "labels": dict(labels),
                "annotations": {REVISION: str(newest + 1)},
                "ownerReferences": [{**owner, "name": meta["name"], "uid": meta["uid"]}],
            },
            "spec": {"replicas": 0, "selector": {"matchLabels": dict(labels)}, "template": named},
            "status": {"replicas": 0},
        }
        return self._store.create(KINDS["replicasets"], meta["namespace"], made, now)

    def _size(self, replicas: Object, wanted: int, now: float) -> None:
        here = pods.of(self._store, replicas)
        for _ in range(wanted - len(here)):
            if short := self._over_quota(replicas):
                self._store.event(replicas, "FailedCreate", short, now)
                break
            pods.make(self._store, replicas, now)
        # The youngest go first, and those that are not ready before the others.
        for pod in sorted(here, key=lambda pod: (pods.ready(pod), pod["metadata"]["creationTimestamp"]))[
            : max(0, len(here) - wanted)
        ]:
            self._store.remove(pod)
        made = copy.deepcopy(replicas)
        made["spec"]["replicas"] = wanted
        self._count(made)

    def _shrink(self, replicas: Object) -> None:
        made = copy.deepcopy(replicas)
        made["spec"]["replicas"] = len(pods.of(self._store, replicas))
        self._count(made)

    def _count(self, made: Object) -> None:
        here = pods.of(self._store, made)
        up = sum(pods.ready(pod) for pod in here)
        made["status"] = {"replicas": len(here), "readyReplicas": up, "availableReplicas": up}
        made["status"]["observedGeneration"] = made["metadata"]["generation"]
        self._store.keep(made)

    def _over_quota(self, replicas: Object) -> str:
        namespace, spec = replicas["metadata"]["namespace"], replicas["spec"]["template"]["spec"]
        for quota in self._store.all("resourcequotas", namespace):
            for what, limit in quota["spec"]["hard"].items():
                used = self._used(namespace, what)
                more = 1.0 if what == "pods" else pods.requests(spec, what.removeprefix("requests."))
                if used + more > quantity(limit):
                    said = f"requested: {what}={more:g}, used: {what}={used:g}, limited: {what}={limit}"
                    return f"pods is forbidden: exceeded quota: {quota['metadata']['name']}, {said}"
        return ""

    def _used(self, namespace: str, what: str) -> float:
        here = [pod for pod in self._store.all("pods", namespace) if pods.active(pod)]
        if what == "pods":
            return float(len(here))
        return sum(pods.requests(pod["spec"], what.removeprefix("requests.")) for pod in here)

    # What is reported.

    def _report(self, deployment: Object, now: float) -> None:
        meta, wanted = deployment["metadata"], deployment["spec"]["replicas"]
        mine = pods.belonging(self._store, deployment)
        word = digest_of(deployment["spec"]["template"])
        up = sum(pods.ready(pod) for pod in mine)
        new = [pod for pod in mine if pod["metadata"]["labels"].get(HASH) == word]
        made = copy.deepcopy(self._store.of("deployments")[f"{meta['namespace']}/{meta['name']}"])
        figures = {
            "replicas": len(mine),
            "updatedReplicas": len(new),
            "readyReplicas": up,
            "availableReplicas": up,
            "unavailableReplicas": max(0, wanted - up),
        }
        done = up == wanted == len(new) == len(mine)
        known = {one["type"]: one for one in made.get("status", {}).get("conditions", ())}
        said = {
            "Available": ("True", "MinimumReplicasAvailable")
            if up >= wanted * 3 / 4
            else ("False", "MinimumReplicasUnavailable"),
            "Progressing": ("True", "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"),
        }
        if (
            not done
            and now - self._state["moved"].setdefault(meta["uid"], now) > deployment["spec"]["progressDeadlineSeconds"]
        ):
            said["Progressing"] = ("False", "ProgressDeadlineExceeded")
        if done:
            self._state["moved"].pop(meta["uid"], None)
        made["status"] = {
            **{name: value for name, value in figures.items() if value},
            "observedGeneration": made["metadata"]["generation"],
            "conditions": [_kept(known.get(kind), kind, *words, now) for kind, words in said.items()],
        }
        self._store.keep(made)

    def _budget(self, budget: Object) -> None:
        made = copy.deepcopy(budget)
        here = [
            pod
            for pod in self._store.all("pods", budget["metadata"]["namespace"])
            if matching(pod, budget["spec"]["selector"])
        ]
        up = sum(pods.ready(pod) for pod in here)
        least = _share(budget["spec"].get("minAvailable", 0), len(here))
        if "maxUnavailable" in budget["spec"]:
            least = len(here) - _share(budget["spec"]["maxUnavailable"], len(here))
        made["status"] = {
            "expectedPods": len(here),
            "currentHealthy": up,
            "desiredHealthy": least,
            "disruptionsAllowed": max(0, up - least),
            "observedGeneration": budget["metadata"]["generation"],
        }
        self._store.keep(made)

    def _quota(self, quota: Object) -> None:
        made = copy.deepcopy(quota)
        namespace, hard = quota["metadata"]["namespace"], quota["spec"]["hard"]
        made["status"] = {"hard": hard, "used": {what: f"{self._used(namespace, what):.15g}" for what in hard}}
        self._store.keep(made)


def _share(value: int | str, whole: int) -> int:
    return math.ceil(whole * int(value[:-1]) / 100) if isinstance(value, str) and value.endswith("%") else int(value)


def _kept(known: Object | None, kind: str, value: str, reason: str, now: float) -> Object:
    """Return a condition; its times stay while its value does."""
    made = {"type": kind, "status": value, "reason": reason, "message": f"Deployment: {reason}."}
    if known and (known["status"], known["reason"]) == (value, reason):
        return known
    return {**made, "lastUpdateTime": stamp(now), "lastTransitionTime": stamp(now)}
