"""The game days that this archive has of the target. Their rows lie in the archive, so the executor takes them."""

from __future__ import annotations

from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.systems.target import PlanTarget


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    raise Unreachable("There is no archive at hand.", "Run the notebook by ops run, or open it in JupyterLab.")


game_days = Probe(
    "game-days",
    "Game days of this target: drills, runs and words",
    _read,
    source="the archive: sealed drills and runs, held against its log; words/DAY/*.word with their signatures",
    units={
        **dict.fromkeys(("seconds", "within_seconds", "before_seconds", "now_seconds", "uncertain_seconds"), "s"),
        **dict.fromkeys(("back_seconds", "promised_seconds"), "s"),
        "slower": "%",
    },
    by_executor=True,
)
"""A row per drilled service, run, word, and what is no word (``kind`` drill, run, word, refused, unverified), each with
its ``day``. Here only its name: where an archive is at hand, :mod:`opslib.archive.game_days` reads it."""
