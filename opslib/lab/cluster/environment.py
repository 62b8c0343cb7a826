"""What the pods of the stand-in were started with: a secret that changes later does not reach them.

Source: Kubernetes documentation, "Distribute Credentials Securely Using Secrets" (environment variables are read when
a container starts).
"""

from __future__ import annotations

import base64
from typing import Any

from opslib.lab.cluster.kinds import Object
from opslib.lab.cluster.store import Store


def note(store: Store, pod: Object) -> None:
    """Keep what a pod that was just made finds in the secrets that its containers name."""
    kept: dict[str, dict[str, str]] = store.state.setdefault("environment", {})
    here = {one["metadata"]["uid"] for one in store.all("pods")}
    for gone in kept.keys() - here:
        del kept[gone]
    kept[pod["metadata"]["uid"]] = _given(store, pod)


def of(store: Store, app: str) -> list[dict[str, str]]:
    """Return the variables of each pod of ``app`` that takes traffic."""
    kept: dict[str, dict[str, str]] = store.state.get("environment", {})
    found = [pod for pod in store.all("pods") if pod["metadata"].get("labels", {}).get("app") == app]
    return [kept.get(pod["metadata"]["uid"], {}) for pod in found if _ready(pod)]


def _given(store: Store, pod: Object) -> dict[str, str]:
    namespace = pod["metadata"]["namespace"]
    given: dict[str, str] = {}
    for container in pod["spec"]["containers"]:
        for one in container.get("envFrom", ()):
            given |= _secret(store, namespace, one.get("secretRef", {}).get("name", ""))
        for one in container.get("env", ()):
            reference: dict[str, Any] = one.get("valueFrom", {}).get("secretKeyRef", {})
            if "value" in one:
                given[one["name"]] = one["value"]
            elif reference:
                given[one["name"]] = _secret(store, namespace, reference["name"]).get(reference["key"], "")
    return given


def _secret(store: Store, namespace: str, name: str) -> dict[str, str]:
    found = store.of("secrets").get(f"{namespace}/{name}", {})
    return {key: base64.b64decode(value).decode() for key, value in found.get("data", {}).items()}


def _ready(pod: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
