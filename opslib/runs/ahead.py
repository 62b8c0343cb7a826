"""Readings that are begun before their cells, side by side: several that each wait for a window wait for it together.

A cell's check takes what was begun for it. What is shown and recorded is the cell's own, in the notebook's order.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future

from opslib.model import Check, Reading
from opslib.runs import overlapping, reading
from opslib.settings import ReadSettings
from opslib.systems.target import ReadTarget

AT_ONCE = 4
"""Readings at the same time at most, each with handles of its own; more wait for one that has ended."""

FRESH = 60.0
"""Seconds after its end in which a reading serves: whoever goes on later, by hand, reads anew."""

_Begun = Future[tuple[Reading, float]]


class Ahead:
    """The readings that a run's notebook has begun and not used yet."""

    def __init__(self, settings: ReadSettings, run: str, fresh: float = FRESH) -> None:
        self._settings, self._run, self._fresh = settings, run, fresh
        self._begun: dict[int, tuple[Check, _Begun]] = {}

    def begin(self, checks: Sequence[Check]) -> None:
        """Begin the readings of these checks, in place of what was begun for them before."""
        lanes: list[list[tuple[Check, _Begun]]] = [[(check, Future())] for check in checks]
        self._begun |= {id(check): (check, begun) for ((check, begun),) in lanes}

        def take(one: tuple[Check, _Begun], target: ReadTarget) -> None:
            check, begun = one
            try:
                begun.set_result((reading.take(check.probe, target), time.monotonic()))
            except BaseException as error:
                begun.set_exception(error)  # its cell tells it

        overlapping.begin(lanes, lambda: ReadTarget(self._settings, self._run), take, most=AT_ONCE)

    def taken(self, check: Check) -> Reading | None:
        """Wait for the reading that was begun for just this check and return it, once; None where there is none.

        Raises what a defect of the probe raised.
        """
        _, begun = self._begun.pop(id(check), (check, None))
        if begun is None:
            return None
        found, ended = begun.result()
        return found if time.monotonic() - ended <= self._fresh else None
