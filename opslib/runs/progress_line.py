"""How a step goes, in one line: what it does, how long it has taken, and how long it took before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from opslib.runs.markup import tag


class Going:
    """The line of one step under way; ``write`` gets it as HTML."""

    def __init__(self, title: str, took: Sequence[float], write: Callable[[str], None]) -> None:
        self._title, self._expected, self._write = title, self.expected(took), write
        self._since, self._text = time.monotonic(), ""

    @staticmethod
    def expected(took: Sequence[float]) -> str:
        """Return how long the step took before, in words."""
        if not took:
            return "No earlier run says how long it takes."
        runs = "the last run" if len(took) == 1 else f"the median of the last {len(took)} runs"
        return f"Expected: {seconds(median(took))}, {runs}."

    def tell(self, said: Mapping[str, Any]) -> None:
        """Take what the executor tells of the step."""
        share = f" {said['done'] / said['total']:.0%}" if said.get("total") and said.get("done") is not None else ""
        self._text = f"{said['text']}{share}"

    def show(self) -> None:
        """Write the line as it is now."""
        words = f"{self._text or 'planning again'}. {seconds(time.monotonic() - self._since)} so far. {self._expected}"
        self._write(str(tag("span", tag("strong", f"{self._title}: "), words)))


def seconds(value: float) -> str:
    """Return a duration as people say it."""
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} minutes"
