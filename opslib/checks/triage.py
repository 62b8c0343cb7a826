"""Triage: the checks of every area that tell most, and the trees from what somebody sees to the check that explains it.

Each area says itself which of its checks are decisive (``DECISIVE``) and which symptoms and error codes they explain
(``TREES``). Source: the guide's "Quick diagnostics", "Common issues" and "Error codes".
"""

from __future__ import annotations

import importlib

from opslib.checks.tree import Tree
from opslib.errors import UsageError
from opslib.model import Check

ORDER = ("dependencies", "cluster", "database", "cache", "application", "environment", "backups", "observability")
"""The areas from causes to effects: what is below rests on what is above. Only this order decides between equals."""


def decisive() -> dict[str, tuple[Check, ...]]:
    """Return the decisive checks of every area, causes before effects."""
    return {area: importlib.import_module(f"opslib.checks.{area}").DECISIVE for area in ORDER}


def trees() -> tuple[Tree, ...]:
    """Return the trees of all areas."""
    modules = [importlib.import_module(f"opslib.checks.{area}") for area in ORDER]
    return tuple(tree for module in modules for tree in getattr(module, "TREES", ()))


def tree(said: str) -> Tree:
    """Return the tree for a symptom's name or an error code; raises UsageError for another word, with all of them."""
    known = {word: one for one in trees() for word in (one.name, *one.codes)}
    found = known.get(said) or known.get(said.upper())
    if found is None:
        raise UsageError(f"There is no symptom and no error code {said!r}.", f"There are: {', '.join(known)}.")
    return found


def branches(one: Tree) -> dict[str, tuple[Check, ...]]:
    """Return a tree's checks as areas of one check each, so that a survey makes all of them at the same time."""
    return {f"{one.name}: {branch.check.title}": (branch.check,) for branch in one.branches}
