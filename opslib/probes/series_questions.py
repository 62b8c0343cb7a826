"""Prometheus queries as packaged files: one per file, its first line ``# title: …``.

The list is closed. What may differ is the job, the prefix of the application's series (both from the target
description, which has a rule for each) and the window.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

from opslib.errors import UsageError
from opslib.settings import ReadSettings

TITLE = "# title:"
WINDOW = re.compile(r"[1-9][0-9]{0,3}[mhd]", re.ASCII)


@dataclass(frozen=True)
class SeriesQuestion:
    """One query; ``text`` has places for job, prefix and window."""

    name: str
    title: str
    text: str

    def filled(self, settings: ReadSettings, window: str = "5m") -> str:
        """Return the query for a target and a window such as ``5m``; raises UsageError for any other text."""
        if not WINDOW.fullmatch(window):
            raise UsageError(f"{window!r} is no window such as 5m, 6h or 3d.")
        return Template(self.text).substitute(
            job=settings.prometheus_job, prefix=settings.metrics_prefix, window=window
        )


@cache
def series_question(name: str) -> SeriesQuestion:
    """Return the query in ``promql/<name>.promql``; raises FileNotFoundError or ValueError on a packaging fault."""
    text = files("opslib.probes").joinpath("promql", f"{name}.promql").read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    if not first.startswith(TITLE) or not rest.strip():
        raise ValueError(f"promql/{name}.promql must begin with a line '{TITLE} …' and hold one query")
    return SeriesQuestion(name, first.removeprefix(TITLE).strip(), rest.strip())
