"""Triage: the checks of every area that tell most, and the trees from what somebody sees to the check that explains it.

Each area says itself which of its checks are decisive (``DECISIVE``) and which symptoms and error codes they explain
(``TREES``). Source: the guide's "Quick diagnostics", "Common issues" and "Error codes".
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from opslib.checks.tree import Tree
from opslib.checks.triage_evidence import Asked, evidence
from opslib.checks.triage_lines import Lines, commit_of, lines
from opslib.checks.triage_looks import looks
from opslib.checks.triage_services import asked as service_checks
from opslib.checks.triage_services import services
from opslib.checks.triage_steady import steady
from opslib.errors import UsageError
from opslib.model import Check, Probe, Verdict

__all__ = [
    "NONE",
    "ORDER",
    "Asked",
    "Lines",
    "asked",
    "commit_of",
    "decisive",
    "evidence",
    "lines",
    "looks",
    "service_checks",
    "services",
    "steady",
    "symptoms",
    "tree",
    "trees",
    "words",
]

NONE = "none"
"""Instead of a symptom: nobody named one."""

ORDER = (
    *("dependencies", "cluster", "database", "cache", "supabase", "authentication", "llm", "application", "agents"),
    *("sdui", "frontend", "delivery", "security", "environment", "observability", "costs", "backups"),
)
"""The areas from causes to effects: what is below rests on what is above. Between equals it decides, but for CAUSES."""

CAUSES: dict[str, dict[str, str]] = {
    "database-writes": {"database-disk": "from 95 % of the disk on Supabase lets nobody write"},
    "cluster-autoscalers": {"agents-workers": "the autoscaler of a deployment that is scaled to 0 is off"},
    "cache-queue": {"agents-workers": "nobody takes jobs while no worker is there"},
    "agents-sessions": {"agents-workers": "a session whose job nobody takes waits"},
    "database-log-kept": {"backup-access": "the bucket that the log is kept in lets nobody write"},
    "backup-freshness": {"backup-access": "where nobody may write, no newer backup arrives"},
    "supabase-calls": {"supabase-secrets": "a function that reads a secret which is not set answers 500"},
    "sdui-opened": {
        "front-end-whole": "the file that is not there fails in whatever browser opens the page",
        "security-headers": "what the policy in the header shuts out, the browser reports as kept out",
    },
    "costs-stored": {
        "llm-fallback": "the product prices the fallback's answers with Together.ai's table",
        "costs-token-price": "the product's own table lacks a model that was not asked before",
    },
    "costs-baseline": {"llm-fallback": "the fallback's answers cost up to 60 times as much"},
    "database-reachable": {
        "database-servers": "a primary that is gone or frozen answers nobody; its standby may take over"
    },
    "dependencies-api-name": {
        "database-reachable": "without its database no API is ready, wherever its name leads",
        "database-servers": "without its primary no API is ready, wherever its name leads",
    },
}
"""Findings that another one explains, with the reason: where the order of the areas would name the effect first.

An entry is a pair of checks that see the same fault, and was tried with one (``opslib.lab.broken``). Both are shown.
"""


def decisive() -> dict[str, tuple[Check, ...]]:
    """Return the decisive checks of every area, causes before effects."""
    return {area: importlib.import_module(f"opslib.checks.{area}").DECISIVE for area in ORDER}


def trees() -> tuple[Tree, ...]:
    """Return the trees of all areas."""
    modules = [importlib.import_module(f"opslib.checks.{area}") for area in ORDER]
    return tuple(tree for module in modules for tree in getattr(module, "TREES", ()))


def words() -> tuple[str, ...]:
    """Return what :func:`tree` knows: the trees' names and their error codes."""
    return tuple(dict.fromkeys(word for one in trees() for word in (one.name, *one.codes)))


def tree(said: str) -> Tree:
    """Return the tree for a symptom's name or an error code, and one without branches for ``none``.

    Raises UsageError for another word, with all that there are.
    """
    if said == NONE:
        return Tree(NONE, "No symptom was asked for", ())
    known = {word: one for one in trees() for word in (one.name, *one.codes)}
    if said not in known:
        raise UsageError(f"There is no symptom and no error code {said!r}.", f"There are: {', '.join(known)}.")
    return known[said]


def asked(said: str) -> dict[str, tuple[Check, ...]]:
    """Return the checks of one tree, each by itself, so that a survey makes all of them at the same time."""
    return {branch.check.title: (branch.check,) for branch in tree(said).branches}


def symptoms(verdicts: Mapping[str, Verdict]) -> Probe:
    """Return the probe of all trees, as far as checks that were made already (``verdicts`` by name) light them.

    It looks at nothing itself. A row per tree: symptom, codes, explained_by, and how many branches nobody has seen.
    """

    def read(target: object) -> list[dict[str, Any]]:
        rows = []
        for one in trees():
            states = one.states(verdicts)
            causes = [branch.cause for branch in one.branches if states[branch.check.name] == "explains"]
            row = {"symptom": one.name, "said": one.symptom, "codes": ", ".join(one.codes)}
            unseen = sum(state in ("not seen", "not reached") for state in states.values())
            rows.append(row | {"explained_by": "; ".join(causes), "branches": len(states), "not_seen": unseen})
        return sorted(rows, key=lambda row: not row["explained_by"])

    return Probe("triage-symptoms", "Symptoms and error codes, lit by the checks above", read, "the trees of all areas")
