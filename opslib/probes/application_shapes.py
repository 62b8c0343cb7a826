"""The shapes in which the product's sources describe its health, read tolerantly and named.

Three are documented: the health router's (``dependencies``), the interface description's (``checks``), the
predecessor's (``/healthz`` and ``/ready``, a word per system). The shipped server has a fourth, which looks at nothing.
"""

from __future__ import annotations

import json
from typing import Any, Literal

Shape = Literal["router", "description", "predecessor", "static", "other"]

WELL = ("healthy", "degraded", "connected", "ok", "up", "pass")
"""Words for a dependency that serves."""
_WORDS = {401: "not allowed", 403: "not allowed", 404: "absent", 405: "absent", 426: "not allowed", 429: "limited"}


def document(text: str) -> dict[str, Any]:
    """Return the JSON object that ``text`` is; an empty one for anything else, such as a page."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def word(said: dict[str, Any]) -> str | None:
    """Return the word that an answer has for its own state."""
    found = said.get("status")
    return found if isinstance(found, str) else None


def parts(said: dict[str, Any]) -> dict[str, str]:
    """Return each dependency's state, in whichever of the shapes it is told."""
    told = said.get("dependencies")
    if isinstance(told, dict):
        return {str(name): _state(one) for name, one in told.items()}
    told = said.get("checks")
    if isinstance(told, list):
        named = (one for one in told if isinstance(one, dict))
        return {str(one.get("name", "?")): _state(one) for one in named}
    return {name: str(said[name]) for name in ("database", "redis") if isinstance(said.get(name), str)}


def shape(said: dict[str, Any]) -> Shape:
    """Return which of the documented shapes an answer has."""
    if isinstance(said.get("dependencies"), dict):
        return "router"
    if isinstance(said.get("checks"), list):
        return "description"
    if "database" in said or "redis" in said or "environment" in said:
        return "predecessor"
    if "service" in said:
        return "static"
    # The router's liveness and readiness without parts, and what an unready predecessor says of its error.
    return "predecessor" if word(said) in ("not ready",) else "router" if "timestamp" in said else "other"


def route(status: int, said: dict[str, Any]) -> str:
    """Return what became of a route: there, absent, not allowed, limited, unhealthy (what stands before it), odd."""
    if status in (200, 503) and word(said) is not None:
        return "there"
    return _WORDS.get(status, "unhealthy" if status >= 500 else "odd")


def _state(one: Any) -> str:
    found = one.get("status") if isinstance(one, dict) else one
    return found if isinstance(found, str) else "?"
