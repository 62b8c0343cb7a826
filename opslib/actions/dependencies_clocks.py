"""Waiting for whoever owns a clock that is wrong: nothing here sets it, for a run's own record is written by it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress
from opslib.model import Effect, Plan, Repeat, Row, Verdict, Verification
from opslib.pictures.figures import duration
from opslib.probes.dependencies_clocks import clocks, to_set
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

PAUSE = 2.0


class AwaitClock(Action):
    """Says whose clock is off, by how much and what its owner does; waits ``wait_seconds`` for that, and looks again.

    With 0 seconds nobody is waited for, and nothing is looked at.
    """

    name: ClassVar[str] = "await-clock"
    title: ClassVar[str] = "Wait until whoever owns the clock has set it right"
    effect: ClassVar[Effect] = Effect.READ
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    area: ClassVar[str] = "dependencies"
    most: ClassVar[int] = 0
    seconds: ClassVar[float] = 5 * 3600.0
    reason: ClassVar[str] = (
        "No run may move the clock by which its own record is written. What a person does on the host is shown, and "
        "believed only once the other clocks say so."
    )

    wait_seconds: float = Field(default=0.0, ge=0, le=4 * 3600)

    def plan(self, target: PlanTarget) -> Plan:
        """Say whose clock is off and what its owner does; what moves by itself is observed only."""
        said = to_set(clocks.read(target)) if self.wait_seconds else []
        return self.planned(
            before={},
            after={},
            touches=0,
            touched="nothing: a clock is set by whoever owns it" if self.wait_seconds else "nothing: nobody waits",
            verification="The other clocks agree with this machine's." if self.wait_seconds else "None.",
            undo="None is needed: nothing is changed here.",
            observed={_wrong(one): one["owner"] for one in said},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Look until all clocks agree, or the time is over; sets nothing."""
        begun = time.monotonic()
        while (gone := time.monotonic() - begun) < self.wait_seconds and (said := to_set(clocks.read(target))):
            progress(f"{_wrong(said[0])}; {said[0]['owner']}", gone, self.wait_seconds)
            time.sleep(min(PAUSE, self.wait_seconds))
        return {"waited_seconds": round(gone, 1)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Ask all clocks once more: OK only where one that keeps good time was seen, and none is off."""
        if not self.wait_seconds:
            return Verification(Verdict.OK, "Nobody was to be waited for.")
        rows = tuple(clocks.read(target))
        if said := to_set(rows):
            wrong = "; ".join(map(_wrong, said))
            after = f"After {values['waited_seconds']:g} s {wrong}"
            return Verification(Verdict.CRITICAL, f"{after}: go on once its owner has set it.", rows)
        seen = [row["clock"] for row in rows if row["ahead"] is not None]
        unseen = [row["clock"] for row in rows if row["ahead"] is None and not row["outside"]]
        if unseen or not any(row["outside"] for row in rows if row["clock"] in seen):
            why = f"Not seen: {', '.join(unseen)}." if unseen else "Nobody who keeps good time could be asked."
            return Verification(Verdict.UNKNOWN, why, rows)
        return Verification(Verdict.OK, f"This machine's clock agrees with {', '.join(seen)}.", rows)


def _wrong(one: Row) -> str:
    way = "behind" if one["behind"] > 0 else "ahead"
    return f"the clock of {one['clock']} is {duration(abs(one['behind']))} {way}"
