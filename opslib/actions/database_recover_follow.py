"""Following a recovery that a vendor carries out: whether it began, when the database is back, what it is then."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from opslib.actions.base import Progress
from opslib.errors import OpsError, StepFailed, Unreachable
from opslib.model import Plan
from opslib.probes.database_moment import commit_times
from opslib.probes.database_servers import STATE
from opslib.systems.target import PlanTarget, ReadTarget

READY = "ACTIVE_HEALTHY"
IDLE = (READY, "ACTIVE_UNHEALTHY")
"""Statuses of a project in which nothing is under way; one whose services are not well may need just a recovery."""
GAVE_UP = frozenset({"RESTORE_FAILED", "INIT_FAILED", "REMOVED", "PAUSE_FAILED"})
"""Statuses from which a project does not go on by itself."""
PAUSES = (0.2, 5.0)
"""Seconds between two looks: the first, and the longest that it grows to."""


def state_of(target: ReadTarget) -> dict[str, Any]:
    """Return what the live server says of itself; raises Unreachable where it does not answer."""
    (row,) = target.database.ask(STATE)
    return row


class Follow:
    """Looks at project and server until something can be said; every look may fail, and the next one may not."""

    def __init__(self, target: PlanTarget, plan: Plan, progress: Progress) -> None:
        self._target, self._progress = target, progress
        self._system, self._timeline = plan.fingerprint["system"], int(plan.fingerprint["timeline"])
        self._status, self._told = "", ""

    def began(self, seconds: float) -> bool:
        """Tell whether the recovery has begun; False once project and server were as planned for ``seconds``.

        Raises Unreachable where neither can be asked for all that time: nobody knows then.
        """
        until, pause, seen = time.monotonic() + seconds, PAUSES[0], False
        while True:
            status, timeline = self._look()
            if timeline is not None and timeline > self._timeline:
                return True
            if status not in ("", *IDLE):
                return True
            seen = seen or (status in IDLE and timeline is not None)
            if time.monotonic() >= until:
                if not seen:
                    raise Unreachable(f"Neither project nor database could be asked: {self._told}", "Look again.")
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, PAUSES[1])

    def until_back(self, seconds: float) -> None:
        """Wait until the project is healthy and the server writes a later timeline; raises StepFailed.

        A project that is healthy all the time proves nothing: it may not have begun.
        """
        until, pause = time.monotonic() + seconds, PAUSES[0]
        while True:
            status, timeline = self._look()
            if status == READY and timeline is not None and timeline > self._timeline:
                return
            if status in GAVE_UP:
                raise StepFailed(
                    f"Supabase says that the project is {status}.",
                    "Do not ask once more: its support looks at it (support@supabase.io). The proven backup stands.",
                )
            if time.monotonic() >= until:
                if timeline is not None and timeline > self._timeline:
                    return  # the verification says in which status the project is
                raise StepFailed(
                    f"After {seconds / 60:g} minutes the project is {status or 'not to be asked'}, and the database "
                    f"{'does not answer' if timeline is None else f'is on timeline {timeline}'}. {self._told}".strip(),
                    "Look at the project's page; when it is ACTIVE_HEALTHY, go on with ops resume.",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, PAUSES[1])

    def _look(self) -> tuple[str, int | None]:
        """Return the project's status (nothing: not told), and the server's timeline where it takes writes."""
        status, timeline, self._told = "", None, ""
        try:
            status = self._target.supabase.project().status
        except OpsError as error:
            self._told = error.message
        try:
            server = state_of(self._target)
            if server["system_identifier"] == self._system and not server["standby"]:
                timeline = int(server["timeline"])
        except OpsError as error:
            self._told = self._told or error.message
        if status != self._status and status:
            self._progress(f"Supabase says that the project is {status}")
            self._status = status
        return status, timeline


def looked(target: PlanTarget, plan: Plan, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :func:`opslib.probes.database_moment.evidence` holds against the plan; raises Unreachable."""
    server, known = state_of(target), plan.fingerprint
    commits = [one for one in (known["kept"], known["first"], known["bad"], values.get("newest")) if one is not None]
    return {
        "system": server["system_identifier"],
        "timeline": server["timeline"],
        "standby": server["standby"],
        "times": commit_times(target, [one["xid"] for one in commits]),
        "tables": {name: target.rows.any_row(*name.split(".", 1)) for name in target.settings.core_tables},
    }
