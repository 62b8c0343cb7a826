"""Where the lab's description says that the stand-ins of what watches it are."""

from __future__ import annotations

from collections.abc import Mapping

TOKENS = {name: f"read_{name}_token" for name in ("prometheus", "alertmanager", "grafana", "jaeger")}
"""Whose token is which of the lab's passwords."""


def target(url: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a target description; ``url`` is the stand-ins' address."""
    said = {f"OPS_{name.upper()}_URL": f"{url}/{name}" for name in TOKENS}
    return said | {f"OPS_READ_{name.upper()}_TOKEN": passwords[password] for name, password in TOKENS.items()}
