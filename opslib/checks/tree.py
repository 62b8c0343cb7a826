"""Decision trees: from what somebody sees to the check that explains it.

A tree is data. Its branches are asked together; which of them counts is decided by the results. A branch ``after``
another is only meaningful where that one found nothing: behind a name that does not resolve, nobody can tell whether
a key is accepted. Source: the guide's "Troubleshooting", which ends in advice; here every branch ends in a check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from opslib.model import Check, Result, Row, Verdict

State = Literal["explains", "excluded", "not seen", "not reached"]


@dataclass(frozen=True)
class Branch:
    """One question of a tree: a check, and the ``cause`` that it would show. ``after`` names the check before it."""

    check: Check
    cause: str
    after: str = ""


@dataclass(frozen=True)
class Tree:
    """What somebody sees (``symptom``) or reads (``codes``), and the branches that may explain it, nearest first."""

    name: str
    symptom: str
    branches: tuple[Branch, ...]
    codes: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    def states(self, verdicts: Mapping[str, Verdict]) -> dict[str, State]:
        """Return each branch's state by its check's name.

        ``verdicts`` are those of the checks that were made. A branch explains the symptom where its check found
        something; UNKNOWN and checks that were not made are "not seen", never excluded.
        """
        found: dict[str, State] = {}
        for branch in self.branches:
            if branch.after and found.get(branch.after) != "excluded":
                found[branch.check.name] = "not reached"
                continue
            verdict = verdicts.get(branch.check.name, Verdict.UNKNOWN)
            if verdict is Verdict.UNKNOWN:
                found[branch.check.name] = "not seen"
            else:
                found[branch.check.name] = "excluded" if verdict is Verdict.OK else "explains"
        return found

    def rows(self, results: Iterable[Result]) -> tuple[Row, ...]:
        """Return a row per branch with its state and what its check said, as ``pictures.triage.tree`` draws them."""
        made = {result.check: result for result in results}
        states = self.states({name: result.verdict for name, result in made.items()})
        return tuple(
            {
                "check": branch.check.name,
                "cause": branch.cause,
                "after": branch.after,
                "state": states[branch.check.name],
                "summary": made[branch.check.name].summary if branch.check.name in made else "This was not asked.",
            }
            for branch in self.branches
        )
