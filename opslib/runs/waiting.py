"""Where a run waits: for a person's word, or for a moment between two looks. Asked to stop, it waits no longer."""

from __future__ import annotations

import time
from collections.abc import Callable

from opslib.errors import Refused, UsageError
from opslib.runs import outside
from opslib.runs.journal import Journal
from opslib.runs.work import Work

LONGEST_PAUSE = 24 * 60.0
"""Minutes that a run may wait for a person at most."""

LOOK_SECONDS = 0.25
"""Between two looks whether somebody answered."""

LONGEST_REST = 600.0
"""Seconds between two looks of a watch at most."""


class Waiting:
    """The waits of one run. ``may_go_on`` raises Refused when the run was asked to stop."""

    def __init__(
        self, work: Work, journal: Journal, may_go_on: Callable[[], None], progress: Callable[[str], None]
    ) -> None:
        self._work, self._journal, self._may_go_on, self._progress = work, journal, may_go_on, progress

    def confirm(self, text: str, minutes: float) -> str:
        """Wait for a person's word and return who said it; raises Refused when nobody does in ``minutes``.

        In a planning run nobody is waited for, and the answer is empty.
        """
        if not 0 < minutes <= LONGEST_PAUSE:
            raise UsageError(f"A pause of {minutes:g} minutes is not possible.", f"At most {LONGEST_PAUSE:g}.")
        if self._work.mode == "plan":
            self._journal.append("note", text=f"Here the run will wait for a person: {text}")
            return ""
        archive, run = self._work.folder.parent.parent, self._work.run
        outside.forget(archive, run, "confirm")
        self._journal.append("waiting", text=text, minutes=minutes)
        self._progress(f"waiting: {text} Go on with: ops confirm {run}")
        until = time.monotonic() + minutes * 60
        while not (by := outside.said(archive, run, "confirm")):
            self._may_go_on()
            if time.monotonic() > until:
                raise Refused(
                    f"Nobody answered within {minutes:g} minutes: {text}", "Run again when somebody is there."
                )
            time.sleep(LOOK_SECONDS)
        outside.forget(archive, run, "confirm")
        self._journal.append("confirmed", text=text, by=by)
        return by

    def rest(self, seconds: float, text: str) -> None:
        """Wait ``seconds`` between two looks; raises Refused as soon as the run is asked to stop."""
        if not 0 <= seconds <= LONGEST_REST:
            raise UsageError(f"A rest of {seconds:g} seconds is not possible.", f"At most {LONGEST_REST:g}.")
        self._progress(text)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._may_go_on()
            time.sleep(min(left, LOOK_SECONDS))
        self._may_go_on()
