"""Surveying: the checks of many areas at once, each area by a thread with handles of its own, within one deadline.

What has not answered by then is UNKNOWN and says so; the others are not held up by it. Reads only.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from opslib.model import Check, Probe, Reading, Result, now
from opslib.runs import reading
from opslib.settings import ReadSettings
from opslib.systems.target import ReadTarget

Areas = Mapping[str, Sequence[Check]]


def look(
    areas: Areas, settings: ReadSettings, run: str, take: Callable[[Probe], Reading], seconds: float
) -> Iterator[tuple[str, Result]]:
    """Yield area and result of every check as they come in, at most for ``seconds``; the rest is UNKNOWN then.

    ``take`` asks the executor for the probes that a notebook's own handles cannot take. A check that stands in two
    areas is made once. What a probe's own defect raises is that check's UNKNOWN, with the error's words.
    """
    left = dict[str, tuple[str, Check]]()
    for area, checks in areas.items():
        for check in checks:
            left.setdefault(check.name, (area, check))
    done: queue.SimpleQueue[tuple[str, Result]] = queue.SimpleQueue()

    def work(area: str, checks: list[Check]) -> None:
        target = ReadTarget(settings, run)
        try:
            for check in checks:
                done.put((check.name, _made(check, target, take)))
        finally:
            target.close()

    for area in areas:
        own = [check for there, check in left.values() if there == area]
        threading.Thread(target=work, args=(area, own), name=f"survey {area}", daemon=True).start()
    until = time.monotonic() + seconds
    while left:
        try:
            name, result = done.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        area, _ = left.pop(name)
        yield area, result
    for area, check in left.values():
        why = f"no answer within the survey's {seconds:g} s; run diagnostics/{area}"
        yield area, reading.judge(check, _unknown(check, settings, why))


def _made(check: Check, target: ReadTarget, take: Callable[[Probe], Reading]) -> Result:
    try:
        taken = take(check.probe) if check.probe.by_executor else reading.take(check.probe, target)
        return reading.judge(check, taken)
    except Exception as error:
        # One check's defect, or the executor's refusal, must not take the others with it.
        return reading.judge(check, _unknown(check, target.settings, f"{type(error).__name__}: {error}"))


def _unknown(check: Check, settings: ReadSettings, why: str) -> Reading:
    probe = check.probe
    return Reading(probe.name, probe.title, settings.environment, now(), 0.0, source=probe.source, unknown=why)
