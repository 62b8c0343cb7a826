"""The vendors' official machine-readable descriptions, held against what our clients send and the stand-ins answer.

They are not part of this repository (some may not be passed on): where the folder is absent, or OPS_SPECS names none,
those tests are skipped and say so.
"""

from __future__ import annotations

import json
import lzma
import os
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

FOLDER = Path(os.environ.get("OPS_SPECS") or Path(__file__).resolve().parents[2] / "shared" / "specs")
SAID_OF_ALL = {"type", "properties", "items", "allOf", "anyOf", "oneOf", "additionalProperties", "enum", "$ref"}


class Spec:
    """One description, OpenAPI 3 or Swagger 2. ``prefix`` is what stands before its paths in a call's own path."""

    def __init__(self, document: dict[str, Any], prefix: str) -> None:
        self._root = _plain(document)
        self._prefix = prefix
        resource = DRAFT202012.create_resource(self._root)
        self._registry = Registry().with_resource("urn:spec", resource)
        self._paths = [
            (re.compile("/".join(_pattern(part) for part in path.split("/"))), path)
            for path in sorted(document["paths"], key=lambda path: path.count("{"))
        ]

    def faults(self, call: dict[str, Any]) -> list[str]:
        """Return what of a recorded call (method, path, query, body, status, answer) is not as described."""
        operation, path = self._operation(call)
        if operation is None:
            return [f"{call['method']} {call['path']}: not described"]
        here = f"{call['method']} {path}"
        said = [*self._query(operation, path, call), *self._body(operation, call), *self._answer(operation, call)]
        return [f"{here}: {one}" for one in said]

    def _operation(self, call: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
        path = call["path"].removeprefix(self._prefix)
        for pattern, known in self._paths:
            found = self._root["paths"][known].get(call["method"].lower())
            if found is not None and pattern.fullmatch(path):
                return found, known
        return None, unquote(path)

    def _parameters(self, operation: dict[str, Any], path: str) -> list[dict[str, Any]]:
        every = [*self._root["paths"][path].get("parameters", []), *operation.get("parameters", [])]
        return [self._at(one["$ref"]) if "$ref" in one else one for one in every]

    def _query(self, operation: dict[str, Any], path: str, call: dict[str, Any]) -> list[str]:
        known = {one["name"]: one for one in self._parameters(operation, path) if one["in"] == "query"}
        given = {name for name, _ in call["query"]}
        missing = {name for name, one in known.items() if one.get("required")} - given
        return [f"no query parameter {name}" for name in sorted(given - known.keys())] + [
            f"the query lacks {name}" for name in sorted(missing)
        ]

    def _body(self, operation: dict[str, Any], call: dict[str, Any]) -> list[str]:
        described = operation.get("requestBody", {})
        described = self._at(described["$ref"]) if "$ref" in described else described
        schema = _schema(described)
        for one in operation.get("parameters", []):
            one = self._at(one["$ref"]) if "$ref" in one else one
            schema = one["schema"] if one.get("in") == "body" else schema
        if not call["body"]:
            return ["the body is missing"] if described.get("required") else []
        return [] if schema is None else self._against(schema, json.loads(call["body"]), "body")

    def _answer(self, operation: dict[str, Any], call: dict[str, Any]) -> list[str]:
        answers = operation["responses"]
        described = answers.get(str(call["status"])) or answers.get("default")
        if described is None:
            return [] if call["status"] >= 400 else [f"status {call['status']} is not described"]
        described = self._at(described["$ref"]) if "$ref" in described else described
        schema = _schema(described) or described.get("schema")
        if schema is None or not call["answer"]:
            return []
        return self._against(schema, json.loads(call["answer"]), f"answer {call['status']}")

    def _against(self, schema: dict[str, Any], value: Any, what: str) -> list[str]:
        wrapped = _referring(schema)
        errors = Draft202012Validator(wrapped, registry=self._registry).iter_errors(value)
        return [f"{what} {'.'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in list(errors)[:5]]

    def _at(self, reference: str) -> Any:
        found: Any = self._root
        for key in reference.removeprefix("#/").split("/"):
            found = found[key.replace("~1", "/").replace("~0", "~")]
        return found


def _pattern(part: str) -> str:
    # A path within a repository is one parameter of several parts.
    return ".+" if part == "{path}" else re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(part))


def _schema(described: dict[str, Any]) -> dict[str, Any] | None:
    content = described.get("content", {})
    kinds = [kind for kind in content if "json" in kind]
    return content[kinds[0]].get("schema") if kinds else None


def _plain(value: Any) -> Any:
    """Return a description in which ``nullable``, and what is a number or a text, is said as JSON Schema says it."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    # YAML reads a status as a number.
    made = {str(key): _plain(one) for key, one in value.items()}
    if made.get("format") == "int-or-string":
        # Swagger 2 has no word for either of both.
        made["type"] = ["string", "integer"]
    if made.pop("nullable", None) is True and SAID_OF_ALL & made.keys():
        return {"anyOf": [made, {"type": "null"}]}
    return made


def _referring(value: Any) -> Any:
    if isinstance(value, list):
        return [_referring(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: f"urn:spec{one}" if key == "$ref" and isinstance(one, str) and one.startswith("#") else _referring(one)
        for key, one in value.items()
    }


@cache
def load(name: str, prefix: str = "") -> Spec:
    """Return the description in the file ``<name>.xz``; skips the test where it is absent."""
    text = _text(name)
    return Spec(json.loads(text) if ".json" in name else yaml.safe_load(text), prefix)


def against(name: str, said: Any) -> list[str]:
    """Return what of ``said`` is not as the JSON schema in ``<name>.xz`` has it; skips where that is absent."""
    errors = Draft202012Validator(json.loads(_text(name))).iter_errors(said)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in errors]


def _text(name: str) -> str:
    file = FOLDER / f"{name}.xz"
    if not file.is_file():
        pytest.skip(f"the vendors' descriptions are not here ({FOLDER.name}); OPS_SPECS says where they are")
    return lzma.decompress(file.read_bytes()).decode()
