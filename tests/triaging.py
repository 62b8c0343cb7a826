"""A triage of the lab as a run makes it, and the test that a fault is what it names first."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from opslib.checks import triage
from opslib.lab.broken import Fault
from opslib.model import Check, Probe, Reading, Verdict
from opslib.runs import reading, survey, surveying
from opslib.runs.survey import Survey
from opslib.settings import Settings
from opslib.systems.target import VerifyTarget
from tests.backup_place import backed_up
from tests.scale import NIGHTLY
from tests.waiting import until

BROWSER = frozenset({"front-end-first-paint", "sdui-opened"})
"""Checks that open a page in a browser: most of what a triage costs the machine."""


def decisive(*asked_for: str) -> dict[str, tuple[Check, ...]]:
    """Return every area's decisive checks; by day those that open a page only where one is ``asked_for``."""
    left_out = frozenset() if NIGHTLY else BROWSER - {*asked_for}
    found = triage.decisive().items()
    return {area: tuple(check for check in checks if check.name not in left_out) for area, checks in found}


def by_executor(settings: Settings) -> surveying.Take:
    """Return what takes the probes of a survey that an executor takes, one after the other."""

    def take(lanes: Sequence[Sequence[Probe]], seconds: float) -> list[Reading]:
        handles = VerifyTarget(settings, "test")
        try:
            return [reading.take(probe, handles) for lane in lanes for probe in lane]
        finally:
            handles.close()

    return take


def surveyed(settings: Settings, good: Mapping[str, Any], *asked_for: str) -> Survey:
    """Return a triage of the lab, ranked with what was well before; ``asked_for``: see :func:`decisive`."""

    began, checks_of = time.monotonic(), decisive(*asked_for)
    found = list(surveying.look(checks_of, settings.reading(), "test", by_executor(settings), 120))
    order = [check.name for checks in checks_of.values() for check in checks]
    found.sort(key=lambda one: order.index(one[1].check))
    return survey.survey_of("Triage", found, good, time.monotonic() - began, triage.CAUSES)


def as_it_must_be(settings: Settings, fault: Fault) -> AbstractContextManager[None]:
    """Let the lab be one that can be broken so: most need nothing for that."""
    return backed_up(settings) if fault.backup else nullcontext()


def named_first(settings: Settings, fault: Fault) -> None:
    """Break a lab that is well, and see that a triage names just that first of all; mended afterwards."""

    def quiet() -> Any:
        # A lab has no backup at first, and says so as loudly as it should; what was mended just now takes its time.
        found = surveyed(settings, {}, fault.check).results
        ill = {one.title for one in found.values() if one.verdict is Verdict.CRITICAL}
        return (found, ill) if len(ill) <= 3 else None

    with as_it_must_be(settings, fault):
        well, known = until(quiet, 60)
        good = {check: {"taken_at": "2026-11-29"} for check, one in well.items() if one.verdict is Verdict.OK}
        title, others = well[fault.check].title, []

        def first() -> Any:
            rows = surveyed(settings, good, fault.check).rows
            found = next(row for row in rows if row["check"] not in known)
            own = next(row for row in rows if row["check"] == title)
            if found is own and found["verdict"] == fault.verdict.value:
                return found
            others.append("; ".join(f"{row['check']} is {row['verdict']}: {row['finding']}" for row in (found, own)))
            return None

        fault.make(settings)
        try:
            # A frozen server is told from a cut line once its standby has not heard it for a while.
            assert until(first, 180, lambda: others[-1])["finding"]
        finally:
            fault.mend(settings)
