"""The record of a drill, as it stands in the archive, and what follows from it: times and losses, by rule.

A drill is a row of exercises, one per service: something is broken, noticed and recovered while a process of ours asks
the service without a pause (its *traffic*). All times of an exercise are seconds of the monotonic clock since the
moment at which the breaking began; clocks on walls are only shown. What was not seen is None, never 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from opslib.guide.promises import Service

FILE = "drill.json"
"""The record's name in the folder of the drill's own run."""
NAME = "disaster/recovery-drill"


class Part(BaseModel):
    """A piece of the record: frozen, and nothing else may stand in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sample(Part):
    """One try of the traffic: its number, when it began and ended (monotonic seconds), and why it failed."""

    n: int
    began: float
    ended: float
    why: str = ""


class Moments(Part):
    """When what happened, in seconds since the breaking began.

    ``broken``: the breaking was done. ``out``: the first try that failed. ``detected``: the named check was not OK any
    more. ``acknowledged``: the recovery was begun. ``ended``: its run had ended, or it was given up. ``mitigated``: the
    first good answer after the last that failed. ``resolved``: all checks of the steady state were OK again.
    """

    broken: float
    out: float | None = None
    detected: float | None = None
    acknowledged: float | None = None
    ended: float | None = None
    mitigated: float | None = None
    resolved: float | None = None


class Loss(Part):
    """How many of the acknowledged writes are not there any more, counted one by one.

    ``seconds``: from the last acknowledged write that is still there to the last one that is not; 0 without a loss,
    None where things are counted that have no time.
    ``stated_seconds``: what the recovery said beforehand that it would lose at most; None where it says nothing.
    ``unacknowledged``: are there, though nobody was told so: no loss.
    """

    counted: str
    acknowledged: int
    lost: int
    seconds: float | None
    stated_seconds: float | None = None
    unacknowledged: int = 0


class Looked(Part):
    """What one check of the steady state said."""

    check: str
    verdict: str
    summary: str


class Referred(Part):
    """A run of the recovery; ``sha256`` is of its manifest, so of every byte of it.

    The drill began it; on a game day people did, and ``run`` is what was neither planned nor applied a plan.
    """

    run: str
    what: Literal["prepare", "plan", "apply", "run"]
    state: str
    verdict: str
    seconds: float
    sha256: str


class Exercise(Part):
    """One service of a drill. ``why`` says why it was not drilled; then nothing else was measured.

    ``trouble`` says what did not go as it should, ``uncounted`` why losses were not counted. ``mended``: the lab was
    put back afterwards.
    """

    service: Service
    fault: str
    notebook: str
    detects: str
    why: str = ""
    began_at: datetime | None = None
    moments: Moments | None = None
    tries: int = 0
    failed: int = 0
    loss: Loss | None = None
    uncounted: str = ""
    before: tuple[Looked, ...] = ()
    after: tuple[Looked, ...] = ()
    runs: tuple[Referred, ...] = ()
    trouble: str = ""
    mended: bool = True


class Drill(Part):
    """The record of one drill. ``found`` tells what an earlier one, broken off, had left behind and was mended.

    ``day`` names the game day on which people recovered what was broken; empty where the drill did so itself.
    """

    version: Literal[1] = 1
    drill: str
    environment: str
    led_by: str
    started_at: datetime
    finished_at: datetime
    state: Literal["finished", "interrupted"]
    found: tuple[str, ...] = ()
    day: str = ""
    exercises: tuple[Exercise, ...]


def out_and_back(samples: Sequence[Sample], began: float) -> tuple[float | None, float | None]:
    """Return when tries began to fail and when they were good again for good, in seconds since ``began``.

    Both are the ends of tries: an answer counts when it is there. None: it did not happen, as far as was seen.
    """
    later = [one for one in samples if one.ended > began]
    failed = [number for number, one in enumerate(later) if one.why]
    if not failed:
        return None, None
    good = later[failed[-1] + 1 :]
    return later[failed[0]].ended - began, (good[0].ended - began if good else None)


def loss_of(
    counted: str, samples: Sequence[Sample], there: Collection[int], stated_seconds: float | None = None
) -> Loss:
    """Return the loss where ``there`` are the numbers of the writes that are still there."""
    acknowledged = [one for one in samples if not one.why]
    known = {one.n for one in acknowledged}
    lost = [one for one in acknowledged if one.n not in there]
    seconds = 0.0
    if lost:
        kept = [one.ended for one in acknowledged if one.n in there and one.ended <= lost[0].ended]
        # Without one that was kept, the first that was lost began at least so long ago.
        seconds = max(one.ended for one in lost) - (max(kept) if kept else lost[0].began)
    return Loss(
        counted=counted,
        acknowledged=len(acknowledged),
        lost=len(lost),
        seconds=round(seconds, 3),
        stated_seconds=stated_seconds,
        unacknowledged=len(set(there) - known),
    )


def rows_of(drill: Drill, unsealed: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a row per exercise of a record that is as it was sealed; ``unsealed``: runs that are not, and why."""
    return [{**_head(drill), **_row(one), "unsealed": _unsealed(one, unsealed)} for one in drill.exercises]


def _head(drill: Drill) -> dict[str, Any]:
    return {
        "drill": drill.drill,
        "day": drill.day,
        "state": drill.state,
        "damage": "",
        "led_by": drill.led_by,
        "started_at": drill.started_at,
        "finished_at": drill.finished_at,
        "found": list(drill.found),
    }


def _row(one: Exercise) -> dict[str, Any]:
    moments, loss = one.moments, one.loss
    return {
        "service": one.service,
        "fault": one.fault,
        "notebook": one.notebook,
        "detects": one.detects,
        "why": one.why,
        "began_at": one.began_at,
        **{f"{name}_seconds": getattr(moments, name) if moments else None for name in Moments.model_fields},
        **dict(zip(("rto_seconds", "rto_by"), recovered(moments), strict=True)),
        "tries": one.tries,
        "failed": one.failed,
        "counted": loss.counted if loss else None,
        "acknowledged": loss.acknowledged if loss else None,
        "lost": loss.lost if loss else None,
        "lost_seconds": loss.seconds if loss else None,
        "stated_seconds": loss.stated_seconds if loss else None,
        "uncounted": one.uncounted,
        "runs": [run.model_dump(mode="json", exclude={"sha256"}) for run in one.runs],
        "trouble": one.trouble,
        "mended": one.mended,
    }


def recovered(moments: Moments | None) -> tuple[float | None, str]:
    """Return the time that a recovery took, in seconds, and by what: the traffic, or the checks where it never failed.

    A service whose traffic failed and was not good again has no such time, whatever its checks say.
    """
    if moments is None:
        return None, ""
    if moments.out is not None:
        return moments.mitigated, "traffic"
    return moments.resolved, "checks"


def _unsealed(one: Exercise, unsealed: Mapping[str, str]) -> list[str]:
    return [f"{run.run} {unsealed[run.run]}" for run in one.runs if run.run in unsealed]


def damaged(drill: str, why: str) -> dict[str, Any]:
    """Return the only row of a drill whose record cannot be believed or is not there."""
    return {"drill": drill, "day": "", "state": "?", "damage": why, "service": None, "why": "", "unsealed": []}
