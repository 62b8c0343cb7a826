"""Surveying: the checks of many areas at once, each area in a lane with handles of its own, within one deadline.

What has not answered by then is UNKNOWN and says so; the others are not held up by it. Reads only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from opslib.model import Check, Probe, Reading, Result, now
from opslib.runs import overlapping, reading
from opslib.settings import ReadSettings
from opslib.systems.target import ReadTarget

Areas = Mapping[str, Sequence[Check]]

Take = Callable[[Sequence[Sequence[Probe]], float], Sequence[Reading | str | None]]
"""Asks the executor for probes that a notebook's own handles cannot take, by lanes, within so many seconds.

For each, in that order: its reading; in words why there is none; None where it has not come.
"""

ANSWERING = 1.0
"""Seconds of a survey, a tenth of it at most, that are left for the executor to record what it took and to tell it."""


def look(areas: Areas, settings: ReadSettings, run: str, take: Take, seconds: float) -> Iterator[tuple[str, Result]]:
    """Yield area and result of every check as they come in, at most for ``seconds``; the rest is UNKNOWN then.

    A check that stands in two areas is made once. What a probe's own defect raises is that check's UNKNOWN, with the
    error's words. What the executor takes it takes by areas as well, and tells all of it at once. What times a
    target's answers comes before the others begin: it would time this survey's own threads.
    """
    left = dict[str, tuple[str, Check]]()
    for area, checks in areas.items():
        for check in checks:
            left.setdefault(check.name, (area, check))
    each = [[check for there, check in left.values() if there == area] for area in areas]
    own = [[check for check in checks if not (check.probe.by_executor or check.probe.timing)] for checks in each]
    alone = [[check for check in checks if check.probe.timing and not check.probe.by_executor] for checks in each]
    theirs = [[check for check in checks if check.probe.by_executor] for checks in each]
    last = [check for checks in theirs for check in checks]

    @cache
    def taken() -> dict[str, Reading | str | None]:
        asked = [[check.probe for check in lane] for lane in theirs if lane]
        told = take(asked, seconds - min(ANSWERING, seconds / 10))
        return {check.name: one for check, one in zip(last, told, strict=True)}

    def made(check: Check, target: ReadTarget) -> Result:
        try:
            found = taken()[check.name] if check.probe.by_executor else reading.take(check.probe, target)
            if isinstance(found, Reading):
                return reading.judge(check, found)
            why = found or _late(left[check.name][0], seconds)
        except Exception as error:
            # One check's defect, or the executor's refusal, must not take the others with it.
            why = f"{type(error).__name__}: {error}"
        return reading.judge(check, _unknown(check, settings, why))

    lanes = [lane for lane in (*own, last) if lane]
    for check, result in overlapping.overlapped(
        lanes, lambda: ReadTarget(settings, run), made, seconds, [lane for lane in alone if lane]
    ):
        area, _ = left.pop(check.name)
        yield area, result
    for area, check in left.values():
        yield area, reading.judge(check, _unknown(check, settings, _late(area, seconds)))


def _late(area: str, seconds: float) -> str:
    return f"no answer within the survey's {seconds:g} s; run diagnostics/{area}"


def _unknown(check: Check, settings: ReadSettings, why: str) -> Reading:
    probe = check.probe
    return Reading(probe.name, probe.title, settings.environment, now(), 0.0, source=probe.source, unknown=why)
