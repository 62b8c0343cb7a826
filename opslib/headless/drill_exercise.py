"""One exercise of a drill: steady, broken, noticed, recovered by the notebook, steady again, and measured throughout.

Times are of the monotonic clock, which all processes of a machine share. Whatever happens, the lab is mended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal

from opslib import files
from opslib.archive import seal
from opslib.canonical import to_json
from opslib.errors import OpsError, StepFailed
from opslib.headless import agreement, drill_people, runner
from opslib.headless.drill_course import Course, Place, finished, ill, left_out, looked, of
from opslib.headless.drill_lab import Counted, Traffic, order
from opslib.headless.drill_loss import count, held, stated
from opslib.headless.drill_scenarios import Scenario
from opslib.model import Verdict, now
from opslib.probes.backups_drill import Exercise, Referred

STEADY_SECONDS = 60.0
"""How long a service may take until it is steady, before an exercise and after its recovery."""
DETECT_SECONDS = 120.0
EVERY = 0.25

What = Literal["prepare", "plan", "apply"]


def exercise(place: Place, scenario: Scenario) -> tuple[Exercise, bool]:
    """Carry one out and return it, and whether it was interrupted."""
    if why := scenario.obstacle():
        return left_out(scenario, why), False
    course = Course(scenario)
    before = looked(place, scenario)
    if why := ill(before):
        return left_out(scenario, f"It was not steady before: {why}"), False
    course.before = tuple(map(of, before))
    file = place.lab / f"{place.run}-{scenario.service}.jsonl"
    traffic = Traffic(scenario.traffic, file)
    try:
        if why := _ready(place, course, traffic):
            course.trouble, course.began_at = why, None
        else:
            _go(place, course, traffic)
    except KeyboardInterrupt as error:
        course.interrupted, course.trouble = True, f"It was stopped: {error}."
    except OpsError as error:
        course.trouble = str(error)
    finally:
        mended, counted = _end(place, course, traffic)
    samples = traffic.samples()
    _keep(place, file, scenario)
    if course.began_at is None:
        return left_out(scenario, course.trouble), course.interrupted
    count(course, samples, counted)
    return finished(course, samples, mended), course.interrupted


def _ready(place: Place, course: Course, traffic: Traffic) -> str:
    """Do what comes before the fault; returns why there is no going on."""
    if not traffic.steady(STEADY_SECONDS):
        return "The traffic found no steady service before the drill."
    for name in course.scenario.prepare:
        ran = _run(place, course, "prepare", partial(runner.run, name, (), place.settings.environment, place.archive))
        if ran["state"] != "finished":
            return f"{name}, which comes before, ended as {ran['state']}: {ran['reason']}"
    course.held = held(place, course.scenario)
    return "" if traffic.steady(STEADY_SECONDS) else "The traffic found no steady service before the drill."


def _go(place: Place, course: Course, traffic: Traffic) -> None:
    one = course.scenario
    place.broken.note(place.run, one.fault)
    place.tell(f"breaking it: {one.fault}")
    course.began, course.began_at = time.monotonic(), now()
    order("break", one.fault)
    course.reach("broken")
    _detect(place, course)
    if place.day:
        drill_people.wait(place, course, traffic)
    else:
        _recover(place, course)
    _settle(place, course, traffic)


def _detect(place: Place, course: Course) -> None:
    check, until = course.scenario.detects(), time.monotonic() + DETECT_SECONDS
    while True:
        (found,) = place.look([check])
        if found.verdict is not Verdict.OK:
            break
        if time.monotonic() > until:
            raise StepFailed(f"{check.name} did not notice {course.scenario.fault} within {DETECT_SECONDS:g} s.")
        time.sleep(EVERY)
    course.reach("detected")
    place.journal.append("result", result=to_json(found))
    place.tell(f"{check.name} is {found.verdict}")


def _recover(place: Place, course: Course) -> None:
    one, environment = course.scenario, place.settings.environment
    course.reach("acknowledged")
    planned = _run(
        place, course, "plan", lambda: runner.run(one.notebook, one.parameters, environment, place.archive, mode="plan")
    )
    if planned["state"] != "finished":
        raise StepFailed(f"The plan of {one.notebook} ended as {planned['state']}: {planned['reason']}")
    if one.stated:
        course.stated_seconds = stated(place.archive / "runs" / planned["run"], one.stated)
    applied = _run(place, course, "apply", lambda: agreement.apply(planned["run"], environment, place.archive))
    course.reach("ended")
    if applied["state"] != "finished":
        raise StepFailed(f"{one.notebook} ended as {applied['state']}: {applied['reason']}")


def _settle(place: Place, course: Course, traffic: Traffic) -> None:
    """Wait until the traffic is good and every check of the steady state is OK again."""
    until = time.monotonic() + STEADY_SECONDS
    while True:
        found = place.look(course.scenario.steady())
        course.after = tuple(map(of, found))
        if not (why := ill(found)):
            break
        if time.monotonic() > until:
            raise StepFailed(f"It was not steady again: {why}")
        time.sleep(EVERY)
    course.reach("resolved")
    found = looked(place, course.scenario)
    course.after = tuple(map(of, found))
    if why := ill(found):
        raise StepFailed(f"It was steady for a moment only: {why}")
    if not traffic.steady(STEADY_SECONDS):
        raise StepFailed("The checks are OK again and the traffic is not: somebody is not served.")
    course.kept = held(place, course.scenario)
    place.tell(f"steady again after {course.moments['resolved']:g} s")


def _run(place: Place, course: Course, what: What, begin: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Begin an ordinary run and refer to it by the digest of its seal; one that was stopped stops the drill."""
    ran = begin()
    folder = place.archive / "runs" / ran["run"]
    referred = Referred(
        run=ran["run"],
        what=what,
        state=ran["state"],
        verdict=ran["verdict"],
        seconds=ran["seconds"],
        sha256=seal.sha256(folder / seal.MANIFEST),
    )
    course.runs.append(referred)
    place.tell(f"{what}: {ran['run']} {ran['state']}, {ran['verdict']}")
    if ran["state"] == "interrupted":
        raise KeyboardInterrupt(ran["reason"])
    return ran


def _end(place: Place, course: Course, traffic: Traffic) -> tuple[bool, Counted]:
    """Let the traffic count and end, and mend what was broken; what was not recovered is mended before the count."""
    if not course.trouble:
        counted = traffic.end()
        return _mended(place, course), counted
    mended = _mended(place, course)
    return mended, traffic.end()


def _mended(place: Place, course: Course) -> bool:
    if course.began_at is None:
        return True
    course.over = time.monotonic()
    if "acknowledged" in course.moments and "ended" not in course.moments:
        course.reach("ended")
    try:
        order("mend", course.scenario.fault)
        place.broken.forget()
    except OpsError as error:
        # The next drill finds it noted, and tries again.
        course.trouble = f"{course.trouble} It was not mended: {error}".strip()
        return False
    return True


def _keep(place: Place, file: Path, scenario: Scenario) -> None:
    """Keep the tries one by one beside the record."""
    kept = place.folder / "evidence" / f"traffic-{scenario.service}.jsonl"
    with suppress(FileNotFoundError):
        files.write(kept, file.read_bytes(), kept.with_name(f".{kept.name}.part"))
        file.unlink()
