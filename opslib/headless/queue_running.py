"""What a worker does with one requested run: take it, carry it out, record what became of it; each of these once.

A row that somebody else wrote is looked at as what is typed at a command line. Whether a run that a dead worker had
was begun is read from the archive, never from the queue: what changes something is left to a person then, what only
reads is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib import settings, settings_queue
from opslib.archive import summary
from opslib.archive.going import going
from opslib.archive.store import Archive
from opslib.archive.summary import Summary
from opslib.errors import ArchiveError, ExitCode, OpsError, SettingsError, UsageError
from opslib.headless import agreement, notebooks, runner
from opslib.headless.asked import id_of
from opslib.headless.queue_asking import PATIENCE, patiently
from opslib.headless.session import recover
from opslib.headless.stop import Stop
from opslib.model import now
from opslib.redaction import DatabaseUrl, Redactor
from opslib.settings import Settings
from opslib.systems.queue_ledger import Ledger
from opslib.systems.queue_rows import BROKEN_OFF, ENDED, PUT_OFF, Row

MOST_ATTEMPTS = 3
"""A run whose worker went so many times is not tried again: it may be what ends them."""
END = "the end of its worker"
"""Said of a run that is stopped because its worker ends."""
LINKS = ("schedule", "due", "wave", "member")
_LINK = re.compile(r"[A-Za-z0-9._:-]{1,100}", re.ASCII)


@dataclass(frozen=True)
class Worker:
    """What carries runs out: its name, the archive, the environments that it serves, and who hears its signals."""

    name: str
    url: DatabaseUrl
    archive: Path
    environments: tuple[str, ...]
    stop: Callable[[], Stop]
    silent: float = 30.0
    patience: float = PATIENCE
    tell: Callable[[str], None] = lambda text: None
    pause: Callable[[], object] = lambda: None
    """Called where a run had to be put off: with many of them waiting, each would be asked for again at once."""


def carry_out(ledger: Ledger, key: str, worker: Worker) -> Row | None:
    """Carry out the run with this key if it may be taken, and return its row as it was taken.

    Raises SettingsError where a target is not described (any more), Refused where the queue is on the target's server,
    Unreachable where the queue is away for long, ArchiveError where a run could not be sealed: a worker ends with
    these, and what it had taken is somebody else's after a while.
    """
    row = patiently(lambda: ledger.look(key), seconds=worker.patience, tell=worker.tell)
    if row is None or row.over or row.environment not in worker.environments:
        return None
    target = settings.load(row.environment)
    settings_queue.refuse_operated(worker.url, target)
    row = _taken(ledger, key, worker, changes=_changes(row), target=target)
    if row is not None:
        _run(ledger, row, worker, target)
    return row


def _taken(ledger: Ledger, key: str, worker: Worker, *, changes: bool, target: Settings) -> Row | None:
    def take() -> tuple[Row | None, str]:
        return ledger.take(key, worker.name, changes=changes, at_once=target.runs_at_once, silent=worker.silent)

    row, why = patiently(take, seconds=worker.patience, tell=worker.tell)
    if why in PUT_OFF:
        worker.pause()
    return _taken_over(ledger, row, worker, target) if row and why == "silent" else row


def _taken_over(ledger: Ledger, row: Row, worker: Worker, target: Settings) -> Row | None:
    """Decide what becomes of a run whose worker is silent; returns it where this worker shall run it."""
    store = Archive(worker.archive)
    if row.run in going(store.folder):
        worker.tell(f"{row.run}: {row.worker} is silent, and its process still holds the run")
        ledger.later(row)
        return None
    store.close_interrupted(Redactor(target.secrets()), recover)
    found = _found(worker.archive, row.run)
    if found is None:
        # Nobody registered it. Under the same id: should that worker only be slow, the archive lets one of them begin.
        return ledger.again(row, worker.name, run=row.run, became="did not begin")
    if found.sealed == "open":
        ledger.later(row)
        return None
    if not _broken_off(found):
        ledger.finish(row, ENDED, **_outcome(found))
        return None
    if row.changes or _changes(row) or _began(worker.archive, row.run):
        _to_a_person(ledger, row)
        return None
    went = 1 + sum(one["became"].startswith("interrupted") for one in ledger.attempts(row.key))
    if went >= MOST_ATTEMPTS:
        why = f"Its worker went {went} times. Look at: ops archive show {row.run}"
        ledger.finish(row, ENDED, verdict="UNKNOWN", exit_code=ExitCode.FAILED, why=why)
        return None
    run = id_of(notebooks.find(row.notebook), now())
    worker.tell(f"{row.run}: {row.worker} is gone; tried again as {run}")
    return ledger.again(row, worker.name, run=run, became="interrupted: its worker went")


def _run(ledger: Ledger, row: Row, worker: Worker, target: Settings) -> None:
    """Run what was taken, and record what the archive says came of it."""
    stop, code, why = worker.stop(), ExitCode.FAILED, ""
    try:
        if fault := _fault(row):
            raise UsageError(fault)
        if row.mode == "apply":
            agreement.apply(row.plan, row.environment, worker.archive, stop=stop, progress=worker.tell)
        else:
            links = _links(row, _before(ledger, row, worker))
            # With the description that was just read: to read it takes as long as to ask the ledger.
            runner.run(
                *(row.notebook, row.parameters, row.environment, worker.archive),
                run=row.run,
                links=links,
                target=target,
                stop=stop,
                progress=worker.tell,
            )
    except SettingsError:
        raise  # of this machine, not of the run
    except OpsError as error:
        code, why = error.exit_code, str(error)
    except Exception as error:
        why = f"A defect of opslib: {type(error).__name__}."  # another error's text has passed no redactor
    _record(ledger, row, worker, code, why)


def _before(ledger: Ledger, row: Row, worker: Worker) -> list[dict[str, Any]]:
    """Return the attempts before this one, first one first."""
    if row.attempt == 1:
        return []
    return patiently(lambda: ledger.attempts(row.key), seconds=worker.patience, tell=worker.tell)


def _record(ledger: Ledger, row: Row, worker: Worker, code: ExitCode, why: str) -> None:
    found = _found(worker.archive, row.run)

    def record() -> None:
        if found is None:
            ledger.finish(row, ENDED, exit_code=code, why=f"It did not begin. {why}")
        elif not _broken_off(found):
            ledger.finish(row, ENDED, **_outcome(found))
        elif row.changes:
            _to_a_person(ledger, row)
        else:
            run = id_of(notebooks.find(row.notebook), now())
            ledger.hand_back(row, run=run, became="interrupted: its worker ended")

    if found is not None and found.sealed == "open":
        # Held by this process until it ends, then somebody else closes and records it; or by a slow worker, who does.
        raise ArchiveError(f"The run {row.run} is not sealed. {why}", "Look at the archive's folder and disk.")
    patiently(record, seconds=worker.patience, tell=worker.tell)


def _to_a_person(ledger: Ledger, row: Row) -> None:
    why = f"It may have changed something, and its worker went. Go on with: ops resume {row.run}"
    ledger.finish(row, BROKEN_OFF, verdict="UNKNOWN", exit_code=ExitCode.FAILED, why=why)


def _found(archive: Path, run: str) -> Summary | None:
    """Return what the archive has of a run; None where it was never registered."""
    there = any((archive / folder / run).is_dir() for folder in ("runs", "quarantine"))
    return summary.read(archive, run) if there else None


def _broken_off(found: Summary) -> bool:
    """Say whether a run ended because of its worker; what a person or a limit stopped was meant to end."""
    stopped = found.reason.startswith("stopped by ") and not found.reason.startswith(f"stopped by {END}")
    return found.state == "interrupted" and found.sealed == "sealed" and not stopped


def _outcome(found: Summary) -> dict[str, Any]:
    verdict = found.verdict.value if found.verdict else "UNKNOWN"
    why = "It is in quarantine: a secret stands in it." if found.sealed == "quarantined" else found.reason
    return {"verdict": verdict, "exit_code": found.exit_code, "why": why}


def _changes(row: Row) -> bool:
    """Say whether a run may change something, by what this worker knows: what the row says of that does not count."""
    try:
        return row.mode != "run" or notebooks.takes_steps(notebooks.find(row.notebook))
    except UsageError:
        return True


def _began(archive: Path, run: str) -> bool:
    """Say whether a run's journal announces an effect, whatever its notebook looks like now."""
    try:
        return b'"event":"intent"' in (archive / "runs" / run / "journal.jsonl").read_bytes()
    except OSError:
        return False


def _fault(row: Row) -> str:
    """Return what is wrong with a row that this code would not have written, or nothing."""
    if row.mode not in ("run", "apply"):
        return f"A queue runs and applies; this asks for {row.mode!r}."
    if row.mode == "apply":
        return "" if row.run == f"{row.plan}-apply" else "The run's id is not that of its plan's application."
    # An id like another work's would be read as part of that work.
    form = rf"[0-9]{{8}}T[0-9]{{6}}Z-{re.escape(row.notebook.replace('/', '-'))}-[0-9a-f]{{6}}"
    return "" if re.fullmatch(form, row.run, re.ASCII) else "The run's id is not one of its notebook."


def _links(row: Row, attempts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what run.json says of the queue. Who asked is what the queue says, and nobody vouches for it."""
    before = [one["run"] for one in attempts if one["run"] != row.run and one["attempt"] < row.attempt]
    said = {"key": row.key, "asked_by": row.asked_by[:200], "attempt": row.attempt}
    told = {name: row.links[name] for name in LINKS if name in row.links}
    known = {name: value for name, value in told.items() if isinstance(value, str) and _LINK.fullmatch(value)}
    return {"queue": said | ({"instead_of": before[-1]} if before else {}), **known}
