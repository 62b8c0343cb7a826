"""Whether what a run was approved under still holds: looked at before each effect, not only when the run starts."""

from __future__ import annotations

import time
from datetime import timedelta

from opslib.errors import Refused
from opslib.model import now
from opslib.runs.work import Work


class Lasting:
    """The time left to one run's approvals. A clock that is set back while the run goes on adds nothing to it."""

    def __init__(self, work: Work) -> None:
        self._work, self._since, self._clock = work, now(), time.monotonic()

    def check(self) -> None:
        """Raise Refused when the plan, or an approval that it cannot do without, has expired."""
        until = self._work.until
        moment = max(now(), self._since + timedelta(seconds=time.monotonic() - self._clock))
        if until is not None and moment >= until:
            raise Refused(
                f"What {self._work.id} was approved under expired at {until:%Y-%m-%dT%H:%M:%SZ}.",
                "Nothing more is begun by this run. See what it did; then undo it, or plan again.",
            )
