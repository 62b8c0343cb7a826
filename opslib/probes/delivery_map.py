"""The guide as a map: where a section, a symptom or an error code leads, and what came out of it last.

What came out lies in the archive, so the executor takes these readings (:mod:`opslib.archive.mapped`); here are
their names.
"""

from __future__ import annotations

from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.systems.target import PlanTarget

_SOURCE = "the guide's items as data, and the archive's newest sealed runs"


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    raise Unreachable("There is no archive at hand.", "Run the notebook by ops run, or open it in JupyterLab.")


def _named(name: str, title: str) -> Probe:
    return Probe(name, title, _read, _SOURCE, by_executor=True)


sections = _named("guide-sections", "By section of the guide")
symptoms = _named("guide-symptoms", "By symptom")
codes = _named("guide-codes", "By error code")
newest = _named("guide-newest", "Newest runs on this target")
due = _named("guide-due", "Routine maintenance: when it was last done")

MAP = (sections, symptoms, codes, newest, due)
