"""A target's handles on the database's servers as machines: switched off, promoted, let follow again."""

from __future__ import annotations

from functools import cached_property

from opslib import systems
from opslib.errors import Unreachable
from opslib.redaction import DatabaseUrl
from opslib.settings import Settings


def writer(settings: Settings, database: systems.postgres.ReadOnlyDatabase) -> DatabaseUrl:
    """Return the address, as its owner, of the server that takes writes by now; the described one if nobody knows."""
    described, other = settings.database_url, settings.standby_database_url
    if other is None or settings.read_standby_url is None:
        return described
    try:
        return other if database.led_elsewhere else described
    except Unreachable:
        return described


class ServersLooking:
    """What the executor also looks at."""

    _whole: Settings

    @property
    def may_promote(self) -> bool:
        """Whether the description has the standby's address as a role that may promote it."""
        return self._whole.standby_database_url is not None

    @cached_property
    def fence_agent(self) -> systems.fencing.ReadOnlyFenceAgent:
        """What switches the database's machines off, asked for their state alone."""
        return systems.fencing.ReadOnlyFenceAgent(self._whole)


class ServersSwitching:
    """What the executor also switches; only ``apply``, ``settle`` and ``undo`` have it."""

    settings: Settings

    @cached_property
    def fence_agent_writer(self) -> systems.fencing.FenceAgent:
        """The same, by which a machine is switched off."""
        return systems.fencing.FenceAgent(self.settings)

    def rejoin(self, plug: str, upstream: DatabaseUrl, seconds: float) -> None:
        """Let a fenced server follow ``upstream`` again (OPS_REJOIN_PROGRAM); raises StepFailed, Unreachable."""
        systems.fencing.rejoin(self.settings, plug, upstream, seconds)
