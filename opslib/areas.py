"""The areas, and their modules imported at first use: ``checks.database`` costs what the database's checks cost."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType

AREAS = (
    "triage",
    "environment",
    "application",
    "database",
    "llm",
    "cache",
    "supabase",
    "agents",
    "sdui",
    "authentication",
    "frontend",
    "cluster",
    "observability",
    "costs",
    "delivery",
    "backups",
    "security",
    "dependencies",
)
"""The closed list of areas, used alike in notebooks, probes, checks, actions and tests."""


def lazily(package: str) -> Callable[[str], ModuleType]:
    """Return a package's ``__getattr__`` that imports its module of the area asked for."""

    def area(name: str) -> ModuleType:
        if name in AREAS:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return area
