"""Where a drill happens, and how one of its exercises goes: what is filled in while it happens."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from pathlib import Path

from opslib.canonical import to_json
from opslib.headless.drill_lab import Broken
from opslib.headless.drill_scenarios import Scenario
from opslib.model import Check, Result, Verdict
from opslib.probes.backups_drill import Exercise, Looked, Loss, Moments, Referred, Sample, out_and_back
from opslib.redaction import Redactor
from opslib.runs import reading
from opslib.runs.journal import Journal
from opslib.settings import Settings
from opslib.systems.target import PlanTarget


def look(settings: Settings, run: str, checks: Sequence[Check]) -> list[Result]:
    """Make these checks once, with handles of their own, as a first look would."""
    target = PlanTarget(settings, run)
    try:
        return [reading.evaluate(check, target) for check in checks]
    finally:
        target.close()


@dataclass
class Place:
    """Where a drill happens: its run, the lab's description, the archive, and what may be told meanwhile."""

    run: str
    settings: Settings
    archive: Path
    folder: Path
    lab: Path
    broken: Broken
    progress: Callable[[str], None]
    redactor: InitVar[Redactor]
    service: str | None = None
    day: str = ""
    """The game day on which people recover what is broken; empty where the drill does so itself."""
    minutes: float = 0.0
    """How long they are given for each service."""
    journal: Journal = field(init=False)

    def __post_init__(self, redactor: Redactor) -> None:
        """Begin the drill's journal; what is told during an exercise stands under its service."""
        self.journal = Journal(self.folder / "journal.jsonl", redactor, cell=lambda: self.service)

    @contextmanager
    def cell(self, service: str) -> Iterator[None]:
        """Journal where the exercise of ``service`` begins and ends."""
        self.service, began = service, time.monotonic()
        self.journal.append("cell-started")
        try:
            yield
        finally:
            self.journal.append("cell-finished", seconds=round(time.monotonic() - began, 3), status="ok")
            self.service = None

    def look(self, checks: Sequence[Check]) -> list[Result]:
        """Make these checks once."""
        return look(self.settings, self.run, checks)

    def tell(self, text: str) -> None:
        """Journal a sentence and show it."""
        self.journal.append("note", text=text)
        self.progress(f"drill of {self.service}, {text}")


@dataclass
class Course:
    """How an exercise goes: filled in as it happens."""

    scenario: Scenario
    before: tuple[Looked, ...] = ()
    after: tuple[Looked, ...] = ()
    began: float = 0.0
    began_at: datetime | None = None
    moments: dict[str, float] = field(default_factory=dict)
    runs: list[Referred] = field(default_factory=list)
    stated_seconds: float | None = None
    held: frozenset[str] = frozenset()
    kept: frozenset[str] | None = None
    loss: Loss | None = None
    uncounted: str = ""
    trouble: str = ""
    interrupted: bool = False
    over: float | None = None
    """When what follows is no merit of the recovery any more: the lab is mended, or the traffic ended."""

    def reach(self, moment: str) -> None:
        """Note that a moment is reached, just now."""
        self.moments[moment] = round(time.monotonic() - self.began, 3)


def left_out(scenario: Scenario, why: str) -> Exercise:
    """Return the exercise of a service that is not drilled, and why."""
    detects = scenario.detects().name
    said = {"service": scenario.service, "fault": scenario.fault, "notebook": scenario.notebook}
    return Exercise.model_validate({**said, "detects": detects, "why": why})


def ill(found: Sequence[Result]) -> str:
    """Return which of these results are not OK, in words; empty when all are."""
    return "; ".join(f"{one.title} is {one.verdict}: {one.summary}" for one in found if one.verdict is not Verdict.OK)


def looked(place: Place, scenario: Scenario) -> list[Result]:
    """Make the checks of the steady state and journal what they say."""
    found = place.look(scenario.steady())
    for one in found:
        place.journal.append("result", result=to_json(one))
    return found


def of(result: Result) -> Looked:
    """Return what a record keeps of a result."""
    return Looked(check=result.check, verdict=result.verdict.value, summary=result.summary)


def finished(course: Course, samples: Sequence[Sample], mended: bool) -> Exercise:
    """Return the record of an exercise that was begun."""
    one = course.scenario
    until = math.inf if course.over is None else course.over
    later = [sample for sample in samples if course.began < sample.ended <= until]
    out, mitigated = out_and_back(later, course.began)
    return Exercise(
        service=one.service,
        fault=one.fault,
        notebook=one.notebook,
        detects=one.detects().name,
        began_at=course.began_at,
        moments=Moments(**{"broken": 0.0, **course.moments, "out": out, "mitigated": mitigated}),
        tries=len(later),
        failed=sum(bool(sample.why) for sample in later),
        loss=course.loss,
        uncounted=course.uncounted,
        before=course.before,
        after=course.after,
        runs=tuple(course.runs),
        trouble=course.trouble,
        mended=mended,
    )
