"""The verbs of a notebook: read, check, require, step, note, finish.

A :class:`Run` holds reading handles and a line to its executor, nothing else. What it reads and judges
here is journalled there before the cell shows it.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opslib import settings
from opslib.canonical import to_json
from opslib.errors import Refused, UsageError
from opslib.model import Check, Evidence, Probe, Reading, Result, Verdict, Watch, now
from opslib.runs import attaching, display, kernel, reading, survey, surveying
from opslib.runs.ahead import Ahead
from opslib.runs.channel import SOCKET, Client
from opslib.runs.evidence import evidence_of
from opslib.runs.survey import Causes, Survey
from opslib.runs.surveying import Areas
from opslib.systems.target import ReadTarget

if TYPE_CHECKING:
    # A notebook that only looks pays for no action.
    from opslib.actions.base import Action

LONGEST_WATCH = 24 * 60.0
"""Minutes that one watch may last at most."""

LONGEST_SURVEY = 600.0
"""Seconds that one survey may take at most."""

_begun: set[str] = set()
"""The environment that this process has handles of: a name left in a cell must not lead to another one."""

_taken: dict[str, str] = {}
"""The reading credentials that the runner gave this process in its environment, for another ``begin``."""


class Run:
    """One run, seen from its notebook. Made by :func:`begin`."""

    def __init__(self, line: Client, target: ReadTarget, said: Mapping[str, Any]) -> None:
        self.id: str = said["run"]
        self.notebook: str = said["notebook"]
        self.environment: str = said["environment"]
        self.mode: str = said["mode"]
        self.target = target
        self._by_hand = bool(said.get("by_hand"))
        self._line = line
        self._ahead = Ahead(target.settings, self.id)

    def read(self, probe: Probe) -> Reading:
        """Take one reading of the target and journal it; one that could not be taken says so."""
        if probe.by_executor:
            return self._taken(probe)
        taken = reading.take(probe, self.target)
        self._ask("reading", reading=to_json(taken))
        return taken

    def check(self, check: Check) -> Result:
        """Hold the check's probe against its threshold, journal the result and show it."""
        taken = self._ahead.taken(check)
        if taken is None:
            taken = self._taken(check.probe) if check.probe.by_executor else reading.take(check.probe, self.target)
        result = reading.judge(check, taken)
        self._ask("result", result=to_json(result))
        return result

    def ahead(self, *checks: Check) -> tuple[Check, ...]:
        """Begin the readings of these checks side by side, and return the checks: each is made by its own cell.

        For readings that don't disturb one another, such as two that watch the same traffic for a while. Nothing is
        recorded or shown before its cell. Raises UsageError for what the executor takes: that is asked for by its cell.
        """
        if theirs := [check.name for check in checks if check.probe.by_executor]:
            raise UsageError(f"{', '.join(theirs)} can't be begun ahead: the executor looks.", "Check it in its cell.")
        self._ahead.begin(checks)
        return checks

    def survey(
        self, areas: Areas, seconds: float = 25.0, title: str = "Survey", causes: Causes | None = None
    ) -> Survey:
        """Make the checks of many areas at once, journal and show their results worst first.

        ``areas`` are the checks by area, causes before effects. What did not answer within ``seconds`` is UNKNOWN.
        ``causes`` says which check's finding explains which other one, and stands before it then.
        Raises UsageError for a time that is not possible.
        """
        if not 0 < seconds <= LONGEST_SURVEY:
            raise UsageError(f"A survey of {seconds:g} s is not possible.", f"At most {LONGEST_SURVEY:g}.")
        cell, started = kernel.current_cell(), time.monotonic()
        count, found = sum(map(len, areas.values())), list[tuple[str, Result]]()

        def take(lanes: Sequence[Sequence[Probe]], within: float) -> list[Reading | str | None]:
            asked = [[probe.name for probe in lane] for lane in lanes]
            said = self._line.ask("take all", cell=cell, lanes=asked, seconds=within)
            return [one and (one.get("failed") or reading.reading_of(one["reading"])) for one in said]

        with kernel.progress(title) as tell:
            for area, result in surveying.look(areas, self.target.settings, self.id, take, seconds):
                found.append((area, result))
                tell({"text": f"{len(found)} of {count} checks", "done": len(found), "total": count})
        took, order = time.monotonic() - started, [check.name for checks in areas.values() for check in checks]
        found.sort(key=lambda one: order.index(one[1].check))
        good = self._ask("look back", checks=[result.check for _, result in found])["good"]
        made = survey.survey_of(title, found, good, took, causes)
        for result in made.results.values():
            # In the order of the survey, not in that in which they came: a report's first sentence is of the first.
            self._ask("result", result=to_json(result))
        return made

    def changes(self, found: Survey) -> Reading:
        """Return what runs of this archive changed since all of a survey's checks were last OK, newest first.

        It says what went through this program and nothing of what people or others changed by hand.
        """
        said = self._ask("look back", checks=list(found.results))
        taken = Reading(
            probe="changes",
            title="Changed since by runs of this archive",
            environment=self.environment,
            taken_at=now(),
            seconds=0.0,
            rows=tuple(said["changes"]),
            source="the journals of the archive's newest runs",
        )
        self._ask("reading", reading=to_json(taken))
        return taken

    def require(self, check: Check) -> Result:
        """Check, and stop the run (Refused) unless the result is OK or WARNING."""
        result = self.check(check)
        if result.verdict not in (Verdict.OK, Verdict.WARNING):
            raise Refused(f"{result.title} is {result.verdict}: {result.summary}", result.remedy)
        return result

    def watch(self, watch: Watch, minutes: float) -> Result | display.Note:
        """Take the watch's probe again and again for ``minutes``, or until it has seen enough, and show what it says.

        A planning run takes one sample and does not wait. Raises Refused as soon as the run is asked to stop, and
        UsageError for a time that is not possible.
        """
        if not 0 < minutes <= LONGEST_WATCH:
            raise UsageError(f"A watch of {minutes:g} minutes is not possible.", f"At most {LONGEST_WATCH:g}.")
        if self.mode == "plan":
            self.read(watch.probe)
            return display.Note(f"Here the run will watch for {minutes:g} minutes: {watch.title}.")
        samples: list[Reading] = []
        until, result = time.monotonic() + minutes * 60, None
        with kernel.progress(watch.title) as tell:
            while result is None:
                if samples:
                    self._rest(watch, until, minutes, len(samples), tell)
                samples.append(self.read(watch.probe))
                result = reading.watched(watch, samples, last=time.monotonic() >= until)
        self._ask("result", result=to_json(result))
        return result

    def _rest(self, watch: Watch, until: float, minutes: float, count: int, tell: kernel.Tell) -> None:
        left = max(0.0, until - time.monotonic())
        text = f"{watch.title}: {count} samples, {left / 60:.1f} minutes left"
        tell({"text": text, "done": minutes * 60 - left, "total": minutes * 60})
        self._ask("rest", seconds=min(watch.seconds, left), text=text)

    def step(self, action: Action) -> Evidence:
        """Ask the executor to plan, apply and verify ``action``; in a planning run it is planned only.

        In JupyterLab the plan is shown first, and a person says what is done with it. Raises Refused (nothing was
        changed) or StepFailed (the journal says how far it came).
        """
        if self._by_hand and attaching.at_desk() and kernel.people():
            from opslib.runs.panel import Panel

            return Panel(self._ask, self._line.path, action).carry_out()
        with kernel.progress(action.title) as tell:
            answer = self._ask("step", progress=tell, action=action.name, parameters=action.model_dump(mode="json"))
        return evidence_of(answer)

    def note(self, text: str) -> display.Note:
        """Write a sentence of the operator's into the record."""
        self._ask("note", text=text)
        return display.Note(text)

    def confirm(self, text: str, minutes: float = 15.0) -> display.Note:
        """Wait until a person says that the run may go on (``ops confirm RUN``); stop when nobody does in time.

        Raises Refused after ``minutes``: an unattended pause ends the run, it never goes on by itself.
        """
        by = self._ask("confirm", text=text, minutes=minutes)
        return display.Note(f"{text} Confirmed by {by}." if by else f"{text} Here the run will wait for a person.")

    def finish(self) -> display.Summary:
        """End the run: its verdict is the worst of each check's latest result and each step's verification."""
        said = self._ask("finish")
        self.target.close()
        return display.Summary(said)

    def _taken(self, probe: Probe) -> Reading:
        # With a credential that this process must not hold; the executor journals it as well.
        return reading.reading_of(self._ask("take", probe=probe.name))

    def _ask(self, verb: str, **said: Any) -> Any:
        return self._line.ask(verb, cell=kernel.current_cell(), **said)


def begin(environment: str | None = None) -> Run:
    """Begin the notebook's run on ``environment`` and return it; the first call of every notebook.

    Started by ``ops run``, it joins the run that is already open. In JupyterLab it opens one, or finds the one that
    the notebook has open. Raises Refused when the notebook's environment is not the one that the run was started on.
    """
    kernel.prepare()
    if _begun - {environment or "lab"} and os.environ.get(SOCKET) is None:
        raise Refused(f"This process works on {', '.join(_begun)} already.", "Restart the kernel, then run all cells.")
    path = os.environ.get(SOCKET)
    if path is None:
        path, variables = attaching.attach(environment or "lab")
    else:
        variables = {**_taken, **os.environ}
    line = Client(path)
    said = line.ask("hello", environment=environment)
    _begun.add(said["environment"])
    described = settings.load_reading(variables)
    for name in described.secret_variables():
        # Programs that a cell starts need none of them.
        if (value := os.environ.pop(name, None)) is not None:
            _taken[name] = value
    target = ReadTarget(described, said["run"])
    atexit.register(target.close)
    if said.get("by_hand"):
        kernel.follow(path)
    return Run(line, target, said)
