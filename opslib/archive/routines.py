"""What an archive knows of a routine: people's sign-offs of its lines, and its own earlier runs.

A sign-off counts while its signature holds; those that a run showed are kept in its folder, with the lists of keys that
they were verified with. A run counts while its seal holds and a key that may sign vouches for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from opslib.archive import record, summary
from opslib.archive.drills import CHANGED, STRANGE
from opslib.archive.log import Log
from opslib.archive.looked import once
from opslib.archive.summary import started_by_id
from opslib.archive.verify import verify
from opslib.archive.vouched import unvouched
from opslib.guide.routines import FOLDER, ROUTINES, Routine, lines_of
from opslib.model import Probe, now
from opslib.probes import triage_routines as probes
from opslib.runs import sign_offs, witness
from opslib.runs.cards import sub, text_of
from opslib.runs.sign_offs import SignOff
from opslib.settings import Settings
from opslib.systems.target import PlanTarget

MOST = 200
"""Earlier runs that are told: two days of looks every quarter of an hour."""
MOST_LINES = 14
"""Of so many of them the verdict of each line: two weeks of a daily routine."""
LINE = "line-"
"""How the checks of lines are called, before the item in small letters."""
MODES = ("run", "apply", "resume")

Rows = list[dict[str, Any]]


def of_archive(archive: Path, keep: Path, settings: Settings, own: str) -> dict[str, Probe]:
    """Return the probes of all routines as an executor takes them, for the run ``own`` whose folder is ``keep``.

    What many cells of one notebook show is one look: each is taken once.
    """
    found: dict[str, Probe] = {}
    for name in ROUTINES:
        words, runs = probes.sign_offs[name], probes.earlier[name]
        found[words.name] = once(words, _words_of(archive, name, settings, keep))
        found[runs.name] = once(runs, _runs_of(archive, name, settings, own))
    return found


def _words_of(archive: Path, name: Routine, settings: Settings, keep: Path) -> Callable[[PlanTarget], Rows]:
    return lambda target: signed(archive, name, settings, keep)


def _runs_of(archive: Path, name: Routine, settings: Settings, own: str) -> Callable[[PlanTarget], Rows]:
    return lambda target: runs(archive, name, settings.environment, own)


def signed(archive: Path, name: Routine, settings: Settings, keep: Path | None = None) -> Rows:
    """Return what lies there as sign-offs of a routine's lines; the verified ones are copied to ``keep``."""
    rows: Rows = []
    for line in lines_of(name):
        folder = archive / sign_offs.FOLDER / line.item
        if line.word == "none" or not folder.is_dir():
            continue
        found = witness.collected(folder, settings, now(), sign_offs.FORM, _misplaced(line.item))
        rows += [_word(one) for one in found.heard]
        rows += [{"item": line.item, "kind": "refused", "why": why} for why in found.refusals]
        rows += [{"item": line.item, "kind": "unverified", "why": found.unknown}] if found.unknown else []
        if keep is not None and found.heard:
            witness.keep(keep / "evidence" / sign_offs.FOLDER / line.item, found.heard, settings)
    return rows


def _misplaced(item: str) -> Callable[[SignOff], str]:
    return lambda word: "" if word.item == item else f"It is of another line: {word.item}."


def _word(one: witness.Heard[SignOff]) -> dict[str, Any]:
    word = one.word
    said = {"id": word.id, "by": word.by, "signed_at": word.signed_at.isoformat(), "of": word.of, "says": word.says}
    return {"item": word.item, "kind": "word", **said, "file": one.name}


def runs(archive: Path, name: Routine, environment: str, own: str = "") -> Rows:
    """Return the newest runs of a routine's notebook on an environment, newest first, at most :data:`MOST`."""
    if not (archive / "log").is_dir():
        return []
    mark = f"-{FOLDER}-{name}-"
    names = sorted((path.name for path in (archive / "runs").glob(f"*{mark}*") if path.name != own), reverse=True)
    found = [summary.read(archive, run) for run in names[:MOST]]
    found = [one for one in found if one.environment == environment and one.mode in MODES and one.sealed == "sealed"]
    sealed, strange = set(verify(archive).sealed), set(unvouched(Log(archive), {one.run for one in found}))
    rows: Rows = []
    for place, one in enumerate(found):
        untrusted = one.damage or (CHANGED if one.run not in sealed else STRANGE if one.run in strange else "")
        rows.append(
            {
                "run": one.run,
                "started_at": started_by_id(one.run),
                "state": one.state,
                "verdict": one.verdict.value if one.verdict else "UNKNOWN",
                "untrusted": untrusted,
                "report": one.report,
                "lines": _lines(archive / "runs" / one.run) if place < MOST_LINES and not untrusted else {},
            }
        )
    return rows


def _lines(folder: Path) -> dict[str, str]:
    """Return the verdict of each line in a run's journal, by item."""
    found: dict[str, str] = {}
    for said in record.load(folder).events("result"):
        result = sub(said, "result")
        if (check := text_of(result, "check")).startswith(LINE):
            found[check.removeprefix(LINE).upper()] = text_of(result, "verdict")
    return found
