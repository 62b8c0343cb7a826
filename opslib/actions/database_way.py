"""Steps of disaster/recover-database: each does nothing unless the run's way is its own."""

from __future__ import annotations

from typing import ClassVar, Literal

from opslib.actions.base import Action
from opslib.model import Effect, Plan, Verdict, Verification

Way = Literal["look", "failover", "replay", "point-in-time", "rows"]
"""What a run is asked to do: only to look, to fail over, to let the standby replay, to go back whole or in rows."""
NONE = "none"


class OneWay(Action):
    """A step of one way, ``own``, with the effect ``does``."""

    own: ClassVar[Way]
    does: ClassVar[Effect] = Effect.DESTRUCTIVE
    area: ClassVar[str] = "database"

    way: Way

    @property
    def effect(self) -> Effect:  # type: ignore[override]
        """Of another way only a look: nobody has to approve that nothing is done."""
        return Effect.READ if self.idle else self.does

    @property
    def idle(self) -> bool:
        """Whether the run goes another way."""
        return self.way != self.own

    def nothing(self, why: str = "the run goes another way") -> Plan:
        """Return the plan of a step that changes nothing."""
        return self.planned(
            before={}, after={}, touches=0, touched=f"nothing: {why}", verification="None.", undo="None is needed."
        )


def nothing_done() -> Verification:
    """Return what a look says of a run that went another way."""
    return Verification(Verdict.OK, "Nothing was to be done: the run goes another way.")
