"""The stand-in's objects: each change has a resourceVersion of its own, and a spec's change a generation."""

from __future__ import annotations

import copy
import json
import re
import uuid
from typing import Any

from opslib.lab.cluster.kinds import KINDS, Kind, Object, stamp
from opslib.lab.vendors.stand_in import Refusal

MOST_EVENTS = 200
COUNTED = frozenset({"deployments", "replicasets", "statefulsets", "poddisruptionbudgets", "networkpolicies"})
"""Kinds whose objects count the changes of their spec."""


class Store:
    """All objects of one cluster, within the state that the stand-in keeps."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def of(self, plural: str) -> dict[str, Object]:
        """Return the objects of a kind by ``namespace/name``."""
        found: dict[str, Object] = self.state["objects"].setdefault(plural, {})
        return found

    def all(self, plural: str, namespace: str | None = None) -> list[Object]:
        """Return the objects of a kind in the order of their names."""
        found = sorted(self.of(plural).items())
        return [one for key, one in found if namespace is None or key.startswith(f"{namespace}/")]

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return one; raises Refusal (404)."""
        found = self.of(kind.plural).get(f"{namespace}/{name}")
        if found is None:
            raise Refusal(404, f'{kind.resource} "{name}" not found')
        return found

    def create(self, kind: Kind, namespace: str, given: Object, now: float) -> Object:
        """Keep a new object; raises Refusal (409) where its name is taken."""
        made = copy.deepcopy(given)
        meta = made.setdefault("metadata", {})
        if "name" not in meta and "generateName" in meta:
            meta["name"] = f"{meta['generateName']}{uuid.uuid4().hex[:5]}"
        name = str(meta["name"])
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name):
            raise Refusal(422, f'{kind.kind}.{kind.group} "{name[:40]}" is invalid: metadata.name')
        if f"{namespace}/{name}" in self.of(kind.plural):
            raise Refusal(409, f'{kind.resource} "{name}" already exists', "AlreadyExists")
        made = {"apiVersion": kind.api_version, "kind": kind.kind, **made}
        if kind.namespaced:
            meta["namespace"] = namespace
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": stamp(now), "resourceVersion": self._next()}
        if kind.plural in COUNTED:
            meta["generation"] = 1
        self.of(kind.plural)[f"{namespace}/{name}"] = made
        return made

    def replaced(self, kind: Kind, known: Object, wanted: Object) -> Object:
        """Return ``known`` as ``wanted``, not kept yet; what the server owns stays, and a stale version is a 409."""
        meta, given = known["metadata"], wanted.get("metadata", {})
        if given.get("resourceVersion") not in (None, "", meta["resourceVersion"]):
            raise Refusal(
                409,
                f'Operation cannot be fulfilled on {kind.resource} "{meta["name"]}": the object has been modified; '
                "please apply your changes to the latest version and try again",
            )
        owned = {
            key: meta[key] for key in ("name", "namespace", "uid", "creationTimestamp", "generation") if key in meta
        }
        made = {**copy.deepcopy(wanted), "apiVersion": known["apiVersion"], "kind": known["kind"]}
        made["metadata"] = {**made.get("metadata", {}), **owned, "resourceVersion": meta["resourceVersion"]}
        if "status" in known:
            made["status"] = copy.deepcopy(known["status"])
        if kind.plural in COUNTED and made.get("spec") != known.get("spec"):
            made["metadata"]["generation"] = meta["generation"] + 1
        return made

    def keep(self, made: Object) -> bool:
        """Keep a changed object with a new version; tells whether it is another than before."""
        kind, meta = _kind(made), made["metadata"]
        key = f"{meta.get('namespace', '')}/{meta['name']}"
        if self.of(kind.plural).get(key) == made:
            return False
        meta["resourceVersion"] = self._next()
        self.of(kind.plural)[key] = made
        return True

    def remove(self, one: Object) -> None:
        """Forget an object."""
        meta = one["metadata"]
        self.of(_kind(one).plural).pop(f"{meta.get('namespace', '')}/{meta['name']}", None)

    def event(self, about: Object, reason: str, message: str, now: float, kind: str = "Warning") -> None:
        """Note an event; the same one again is counted, as the API does."""
        meta = about["metadata"]
        namespace = meta.get("namespace", "default")
        for one in self.of("events").values():
            if (one["involvedObject"]["uid"], one["reason"], one["message"]) == (meta["uid"], reason, message):
                one["count"] += 1
                one["lastTimestamp"] = stamp(now)
                return
        said = {key: meta.get(key, "") for key in ("name", "uid")}
        self.create(
            KINDS["events"],
            namespace,
            {
                "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex[:16]}"},
                "involvedObject": {
                    "apiVersion": about["apiVersion"],
                    "kind": about["kind"],
                    "namespace": namespace,
                    **said,
                },
                "reason": reason,
                "message": message,
                "type": kind,
                "count": 1,
                "source": {"component": "stand-in"},
                **dict.fromkeys(("firstTimestamp", "lastTimestamp"), stamp(now)),
            },
            now,
        )
        for key in list(self.of("events"))[:-MOST_EVENTS]:
            del self.of("events")[key]

    @property
    def version(self) -> str:
        """The newest resourceVersion."""
        return str(self.state["version"])

    def _next(self) -> str:
        self.state["version"] += 1
        return str(self.state["version"])


def _kind(one: Object) -> Kind:
    return next(kind for kind in KINDS.values() if kind.kind == one["kind"])


def selected(labels: dict[str, str], selector: str) -> bool:
    """Tell whether ``labels`` fit a labelSelector (``a=b,c!=d,e in (f,g),h,!i``); raises Refusal (400)."""
    for part in re.findall(r"[^,(]+(?:\([^)]*\))?", selector):
        word = part.strip()
        if found := re.fullmatch(r"([\w./-]+)\s+(in|notin)\s+\(([^)]*)\)", word):
            inside = labels.get(found[1]) in [one.strip() for one in found[3].split(",")]
            fits = inside if found[2] == "in" else not inside
        elif found := re.fullmatch(r"([\w./-]+)\s*(!=|==|=)\s*([\w.-]*)", word):
            fits = (labels.get(found[1]) == found[3]) is (found[2] != "!=")
        elif found := re.fullmatch(r"(!?)([\w./-]+)", word):
            fits = (found[2] in labels) is (found[1] == "")
        else:
            raise Refusal(400, f"unable to parse requirement: {word[:60]}")
        if not fits:
            return False
    return True


def matching(one: Object, selector: Object) -> bool:
    """Tell whether an object's labels fit a LabelSelector's matchLabels."""
    labels = one["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def digest_of(template: Object) -> str:
    """Return a hash of a pod template that may stand in names."""
    import hashlib

    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
