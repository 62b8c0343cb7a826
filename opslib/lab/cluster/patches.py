"""The kinds of patch that the API takes, each applied to a copy of an object.

Sources: RFC 6902 (JSON patch), RFC 7386 (merge patch); Kubernetes, "Update API Objects in Place Using kubectl
patch" (strategic merge: lists of named things are merged by their key).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from opslib.lab.vendors.stand_in import Refusal

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "conditions": "type",
    "imagePullSecrets": "name",
}
"""Lists that a strategic merge joins, and the field by which their entries are told apart."""

REJECTED = "the server rejected our request due to an error in our request"


def merged(target: Any, patch: Any) -> Any:
    """Return ``target`` after a merge patch: null removes, lists are replaced whole."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    made = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made


def strategic(target: Any, patch: Any) -> Any:
    """Return ``target`` after a strategic merge patch."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    made = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        if value is None:
            made.pop(name, None)
        elif isinstance(value, list) and name in MERGE_KEYS and isinstance(made.get(name), list):
            made[name] = _joined(made[name], value, MERGE_KEYS[name])
        else:
            made[name] = strategic(made.get(name), value)
    return made


def _joined(there: list[Any], given: list[Any], key: str) -> list[Any]:
    found = {one.get(key): one for one in there}
    for one in given:
        if one.get("$patch") == "delete":
            found.pop(one.get(key), None)
        else:
            found[one.get(key)] = strategic(found.get(one.get(key)), one)
    return list(found.values())


def json_patch(target: Any, operations: Any) -> Any:
    """Return ``target`` after a JSON patch; raises Refusal (422) as a whole where one operation does not fit."""
    if not isinstance(operations, list):
        raise Refusal(400, "a JSON patch is a list of operations")
    made = copy.deepcopy(target)
    for one in operations:
        try:
            made = _operated(made, one)
        except (KeyError, IndexError, ValueError, TypeError):
            raise Refusal(422, REJECTED) from None
    return made


def _operated(made: Any, one: dict[str, Any]) -> Any:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:]]
    word = one["op"]
    if word in ("copy", "move"):
        source = [part.replace("~1", "/").replace("~0", "~") for part in one["from"].split("/")[1:]]
        value = copy.deepcopy(_at(made, source))
        if word == "move":
            _remove(made, source)
        return _add(made, parts, value)
    if word == "test":
        if _at(made, parts) != one["value"]:
            raise ValueError("test failed")
        return made
    if word == "add":
        return _add(made, parts, copy.deepcopy(one["value"]))
    if word == "replace":
        _at(made, parts)
        _remove(made, parts)
        return _add(made, parts, copy.deepcopy(one["value"]))
    if word == "remove":
        _remove(made, parts)
        return made
    raise ValueError(f"no operation {word}")


def _at(value: Any, parts: list[str]) -> Any:
    for part in parts:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _add(made: Any, parts: list[str], value: Any) -> Any:
    if not parts:
        return value
    parent, last = _at(made, parts[:-1]), parts[-1]
    if isinstance(parent, list):
        at = len(parent) if last == "-" else int(last)
        if not 0 <= at <= len(parent):
            raise IndexError(last)
        parent.insert(at, value)
    else:
        parent[last] = value
    return made


def _remove(made: Any, parts: list[str]) -> None:
    parent, last = _at(made, parts[:-1]), parts[-1]
    if isinstance(parent, list):
        parent.pop(int(last))
    else:
        del parent[last]


PATCHES: dict[str, Callable[[Any, Any], Any]] = {
    "application/json-patch+json": json_patch,
    "application/merge-patch+json": merged,
    "application/strategic-merge-patch+json": strategic,
}
"""What a patch of each media type does."""
