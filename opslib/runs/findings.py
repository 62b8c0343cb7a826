"""What a run has found so far: the latest word of each check and of each step, and what follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from opslib.model import Verdict
from opslib.runs.survey import notebook_of, parameters_of


class Findings:
    """The verdicts of one run; a later one of the same check or step takes the place of the earlier."""

    def __init__(self) -> None:
        self._latest: dict[str, Verdict] = {}
        self._said: dict[str, str] = {}
        self._leads: dict[str, tuple[str, str, str]] = {}

    def checked(self, result: Mapping[str, Any], verdict: Verdict) -> None:
        """Take a check's result, as JSON, and its verdict."""
        name = f"check {result['check']}"
        self._latest[name] = verdict
        self._said[name] = f"{result['summary']} ({result['title']})"
        remedy = str(result.get("remedy", ""))
        if notebook := notebook_of(remedy):
            self._leads[name] = (notebook, str(result["title"]), parameters_of(remedy))

    def verified(self, step: str, verdict: Verdict) -> None:
        """Take a step's verification."""
        self._latest[f"step {step}"] = verdict

    def not_done(self, step: str) -> None:
        """Take that a step was not done; what was known of it before stays."""
        self._latest.setdefault(f"step {step}", Verdict.UNKNOWN)

    def left_out(self, step: str, why: str) -> None:
        """Take that a person left a step out: nobody can say how the run would stand with it."""
        self._latest[f"step {step}"], self._said[f"step {step}"] = Verdict.UNKNOWN, why

    @property
    def verdict(self) -> Verdict:
        """The worst of each check's latest result and each step's verification; UNKNOWN when there is none."""
        return Verdict.worst(list(self._latest.values()))

    @property
    def why(self) -> str:
        """One sentence of a check that the verdict rests on; empty when it is OK, or when no check said it."""
        return next((self._said[name] for name in self._with(self.verdict) if self.verdict is not Verdict.OK), "")

    @property
    def leads_to(self) -> tuple[str, str, str]:
        """The notebook that the worst finding's remedy names first, the title of its check, what the notebook is given.

        Of equal findings the first counts. All are empty where that names none, and where nothing was found: what
        nobody could see leads to no runbook.
        """
        seen = (name for word in (Verdict.CRITICAL, Verdict.WARNING) for name in self._with(word))
        return self._leads.get(next(seen, ""), ("", "", ""))

    @property
    def counts(self) -> Counter[str]:
        """How often each verdict stands among them."""
        return Counter(verdict.value for verdict in self._latest.values())

    def _with(self, verdict: Verdict) -> list[str]:
        return [name for name, one in self._latest.items() if one is verdict and name in self._said]
