"""What the pods of the stand-in were started with: a secret or a config map that changes later does not reach them.

Source: Kubernetes documentation, "Distribute Credentials Securely Using Secrets", "Configure a Pod to Use a ConfigMap"
(environment variables are read when a container starts).
"""

from __future__ import annotations

import base64

from opslib.lab.cluster.kinds import Object
from opslib.lab.cluster.store import Store


def note(store: Store, pod: Object) -> None:
    """Keep what a pod that was just made finds in the secrets and config maps that its containers name."""
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
            for kind in ("configMap", "secret"):
                held = _held(store, kind, namespace, one.get(f"{kind}Ref", {}).get("name", ""))
                given |= {f"{one.get('prefix', '')}{key}": value for key, value in held.items()}
        for one in container.get("env", ()):
            if "value" in one:
                given[one["name"]] = one["value"]
            for kind in ("configMap", "secret"):
                if reference := one.get("valueFrom", {}).get(f"{kind}KeyRef"):
                    held = _held(store, kind, namespace, reference["name"])
                    given[one["name"]] = held.get(reference["key"], "")
    return given


def _held(store: Store, kind: str, namespace: str, name: str) -> dict[str, str]:
    found: dict[str, str] = store.of(f"{kind.lower()}s").get(f"{namespace}/{name}", {}).get("data", {})
    if kind == "configMap":
        return found
    return {key: base64.b64decode(value).decode() for key, value in found.items()}


def _ready(pod: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
