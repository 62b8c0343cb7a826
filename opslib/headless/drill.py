"""``ops drill``: services of the lab broken and recovered, one after the other, into one sealed record.

Each recovery is an ordinary run: planned, approved where the target asks for it, applied, sealed. The drill is a run
of its own beside them (mode ``drill``), whose folder holds the record and each try of the traffic; the notebook
:data:`opslib.probes.backups_drill.NAME` shows what came out. Only a lab is broken.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from opslib import files, places, settings
from opslib.archive import report
from opslib.archive.store import Archive
from opslib.canonical import to_json
from opslib.checks import backups_drills as checks
from opslib.errors import ExitCode, Refused, UsageError
from opslib.guide.game_day import NAME as GAME_DAY
from opslib.headless import origin, runner
from opslib.headless.drill_course import Place, ill, left_out, look
from opslib.headless.drill_exercise import exercise
from opslib.headless.drill_lab import Broken, order
from opslib.headless.drill_people import LONGEST_MINUTES
from opslib.headless.drill_scenarios import Scenario, chosen
from opslib.headless.notebooks_kinds import KINDS
from opslib.headless.session import recover
from opslib.headless.stop import Stop
from opslib.model import Verdict, now
from opslib.probes.backups_drill import FILE, NAME, Drill, Exercise, rows_of
from opslib.redaction import Redactor
from opslib.runs.steps import DRILL
from opslib.settings import Settings

Tell = Callable[[str], None]
MINUTES = 30.0
"""How long people are given for each service of a game day, where nobody says otherwise."""


def drill(
    services: Collection[str],
    environment: str,
    archive: Path,
    *,
    stop_at_trouble: bool = False,
    day: str = "",
    minutes: float = MINUTES,
    progress: Tell = lambda text: None,
) -> dict[str, Any]:
    """Drill these services (all where none is named) and return the result of the run that shows the record.

    Of a drill that was stopped, its own: what was broken is mended, and nothing is shown. On a game ``day`` the drill
    breaks and measures, and people have ``minutes`` for each service to recover it.

    Raises Refused, before anything is looked at, for another target than the lab; and before anything is broken while a
    service is not steady, or another drill is under way. ``drill`` and ``drilled`` of the result are the drill's own id
    and the state in which it ended.
    """
    if environment != "lab":
        raise Refused(
            f"Nothing is broken on {environment}: only the lab is.",
            "Drill in the lab; on another target people lead a drill, by the runbooks themselves.",
        )
    _possible(day, minutes)
    scenarios, target, lab = chosen(services), settings.load("lab"), places.lab_folder()
    broken = Broken(lab)
    with broken.held():
        found = _found(broken, lab, progress)
        started = now()
        run = f"{started:%Y%m%dT%H%M%SZ}-drill-{secrets.token_hex(3)}"
        store, redactor = Archive(archive), Redactor(target.secrets())
        _all_steady(run, target, scenarios)
        folder = store.open(_asked(run, target, scenarios, started, day), redactor=redactor, render=recover)
        place = Place(
            run, target, store.folder, folder, lab / "drill", broken, progress, redactor, day=day, minutes=minutes
        )
        place.journal.append("opened", run=run)
        exercises, state = _exercises(place, scenarios, stop_at_trouble)
        result = _close(store, redactor, place, _record(place, started, state, found, exercises))
    if state == "finished":
        shown = (GAME_DAY, f"day={day}") if day else (NAME, f"drill={run}")
        result = runner.run(shown[0], shown[1:], environment, archive, progress=progress)
    return {**result, "drill": run, "drilled": state}


def _possible(day: str, minutes: float) -> None:
    if day and not KINDS["name"].pattern.fullmatch(day):
        raise UsageError(f"{day!r} is no name of a game day.", f"It is {KINDS['name'].says}.")
    if not 0 < minutes <= LONGEST_MINUTES:
        raise UsageError(f"{minutes:g} minutes for people are not possible.", f"At most {LONGEST_MINUTES:g}.")


def _found(broken: Broken, lab: Path, progress: Tell) -> tuple[str, ...]:
    """Mend what a drill that was killed has left behind, and say so."""
    for file in (lab / "drill").glob("*.jsonl"):
        file.unlink()
    left = broken.left()
    if left is None:
        return ()
    progress(f"drill: mending {left['fault']}, which {left['drill']} had left")
    order("mend", left["fault"])
    broken.forget()
    return (f"{left['drill']} was broken off and had left {left['fault']}: mended before this drill began.",)


def _all_steady(run: str, target: Settings, scenarios: Sequence[Scenario]) -> None:
    """Raise Refused with every check of a steady state that is not OK."""
    possible = [one for one in scenarios if not one.obstacle()]
    if why := ill([found for one in possible for found in look(target, run, one.steady())]):
        raise Refused(f"Not steady, so nothing was broken. {why}", "Mend that first: ops lab mend.")


def _asked(run: str, target: Settings, scenarios: Sequence[Scenario], started: datetime, day: str) -> dict[str, Any]:
    who = origin.who()
    return {
        "run": run,
        "work": run,
        "notebook": NAME,
        "title": f"Broken on the game day {day}" if day else "A drill of recoveries",
        "environment": target.environment,
        "target": target.public(),
        "parameters": {"services": ", ".join(one.service for one in scenarios)},
        "mode": DRILL,
        "how": "headless",
        "requested_by": f"{who}@{origin.where()}",
        "requester": target.operators.get(who, who),
        "started_at": to_json(started),
        "versions": origin.versions(),
        "commit": origin.commit(),
        "code_sha256": origin.code_sha256(),
    }


def _exercises(place: Place, scenarios: Sequence[Scenario], stop_at_trouble: bool) -> tuple[list[Exercise], str]:
    done: list[Exercise] = []
    why = ""
    with Stop() as stop, stop.armed():
        for scenario in scenarios:
            if why:
                done.append(left_out(scenario, why))
                continue
            with place.cell(scenario.service):
                one, interrupted = exercise(place, scenario)
                done.append(one)
                place.tell(one.why or one.trouble or "recovered, and mended")
            if interrupted:
                why = "The drill was stopped before."
            elif one.trouble and stop_at_trouble:
                why = f"The drill ends at the first trouble, that of {one.service}."
    return done, "interrupted" if why.startswith("The drill was stopped") else "finished"


def _record(
    place: Place, started: datetime, state: str, found: tuple[str, ...], exercises: Sequence[Exercise]
) -> Drill:
    return Drill.model_validate(
        {
            "drill": place.run,
            "environment": place.settings.environment,
            "led_by": f"{origin.who()}@{origin.where()}",
            "started_at": started,
            "finished_at": now(),
            "state": state,
            "found": found,
            "day": place.day,
            "exercises": tuple(exercises),
        }
    )


def _close(store: Archive, redactor: Redactor, place: Place, record: Drill) -> dict[str, Any]:
    """Write the record, its result and its page, seal them, and return the result."""
    rows = to_json(rows_of(record, {}))
    verdicts = [verdict for row in rows for verdict in checks.verdicts(row)]
    worst = Verdict.worst(verdicts)
    finished = record.state == "finished"
    said = record.model_dump(mode="json")
    files.write_json(place.folder / FILE, redactor.tree(said))
    place.journal.append("closed", state=record.state, verdict=worst)
    place.journal.close()
    result = {
        "run": place.run,
        "state": record.state,
        "verdict": worst.value,
        "exit_code": int(ExitCode[worst.value] if finished else ExitCode.FAILED),
        "started_at": to_json(record.started_at),
        "finished_at": to_json(record.finished_at),
        "seconds": round((record.finished_at - record.started_at).total_seconds(), 3),
        "mode": DRILL,
        "reason": redactor.text(checks.in_short(rows)),
        "counts": {word.value: verdicts.count(word) for word in Verdict},
        "steps": 0,
        "published": "",
        "break_glass": False,
        "approvals": [],
    }
    files.write_json(place.folder / "result.json", result)
    page = report.write(place.folder)
    store.close(place.run, redactor)
    return {**result, "notebook": NAME, "environment": record.environment, "report": str(page)}
