"""A fence agent: a program that switches a machine off from outside, where the machine itself cannot be asked.

Source: ClusterLabs, "Fence Agent API" (fence-agents, doc/FenceAgentAPI.md): options as ``name=value`` lines on the
input; ``off`` ends with 0 where it was done *and* seen to be done; ``status`` with 0 (on), 2 (off), 1 (nobody could
be asked). A time-out is a failure and never a success. The executor's only.
"""

from __future__ import annotations

from typing import Literal

from opslib.errors import Refused, StepFailed, Unreachable
from opslib.redaction import DatabaseUrl, Secret
from opslib.settings import Settings
from opslib.systems.described_programs import Ended, call

STATUS_SECONDS = 20.0
OFF_SECONDS = 90.0
"""An agent waits for the machine to be off; fence-agents give that 20 s and add delays of their own."""
ON, OFF = 0, 2


class ReadOnlyFenceAgent:
    """The agent of the target's description, asked for the state alone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.described, self.rejoins = bool(settings.fence_agent), bool(settings.rejoin_program)

    def state(self, plug: str) -> Literal["on", "off"]:
        """Return whether a machine is on; raises Unreachable where the agent cannot tell."""
        ended = self._call("status", plug, STATUS_SECONDS)
        if ended.code not in (ON, OFF):
            said = f"(exit code {ended.code}): {ended.said or 'no word'}"
            raise Unreachable(
                f"The fence agent cannot tell whether {plug} is on {said}.",
                "Start it by hand with action=status; see OPS_FENCE_AGENT and OPS_FENCE_OPTIONS.",
                "unknown",
            )
        return "on" if ended.code == ON else "off"

    def plug(self, server: str) -> str:
        """Return what the agent calls the machine of ``primary`` or ``standby``; raises Refused where nobody said."""
        plug = self._settings.database_plug if server == "primary" else self._settings.standby_plug
        if plug is None:
            name = "OPS_DATABASE_PLUG" if server == "primary" else "OPS_STANDBY_PLUG"
            raise Refused(f"{name} is not set: what the fence agent calls that machine.", "Describe it.")
        return plug

    def close(self) -> None:
        """Nothing is held open."""

    def _call(self, action: str, plug: str, seconds: float) -> Ended:
        if not self.described:
            raise Unreachable("No fence agent is described.", "Set OPS_FENCE_AGENT.", "missing")
        given: dict[str, str | Secret] = {"action": action, "plug": plug, **self._settings.fence_options}
        if self._settings.fence_password is not None:
            given["password"] = self._settings.fence_password
        return call(self._settings.fence_agent, given, seconds=seconds)


class FenceAgent(ReadOnlyFenceAgent):
    """Also switches off. There is no "on" here: what a fenced server does when it is back, a person decides."""

    def off(self, plug: str) -> None:
        """Switch a machine off, without asking what runs on it; raises StepFailed where the agent did not."""
        ended = self._call("off", plug, OFF_SECONDS)
        if ended.code != 0:
            raise StepFailed(
                f"The fence agent did not switch {plug} off (exit code {ended.code}): {ended.said or 'no word'}.",
                "Nothing may be promoted until that server is off. Switch it off by hand and name who did (fenced_by).",
            )


def rejoin(settings: Settings, plug: str, upstream: DatabaseUrl, seconds: float) -> None:
    """Start OPS_REJOIN_PROGRAM: ``action=rejoin``, ``plug`` (whose server follows again), ``upstream`` (host:port),
    and the agent's password.

    It ends with 0 once that server was rewound onto ``upstream`` and runs as its standby. Raises StepFailed with what
    it said, Unreachable after ``seconds``.
    """
    given: dict[str, str | Secret] = {"action": "rejoin", "plug": plug, "upstream": upstream.place}
    if settings.fence_password is not None:
        given["password"] = settings.fence_password
    ended = call(settings.rejoin_program, given, seconds=seconds)
    if ended.code != 0:
        said = f"(exit code {ended.code}): {ended.said or 'no word'}"
        raise StepFailed(
            f"{settings.rejoin_program[0]} did not let {plug} follow {said}.",
            "It stays fenced. Start the program by hand, or make that server anew from a base backup.",
        )
