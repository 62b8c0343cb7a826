"""Verifying the runs that a log has registered: their files are read side by side, and judged in the log's order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from opslib.archive import verify_approvals, verify_mandates, verify_run
from opslib.archive.log import Entry
from opslib.archive.verify_ledger import Ledger
from opslib.archive.verify_progress import Progress
from opslib.archive.verify_run import Finding

SIDE_BY_SIDE = 2
"""Runs that are read at once: a file's sum is made without the interpreter's lock, all else in turn."""

AHEAD = 8
"""Runs that are begun before the first of them is ended."""


@dataclass(frozen=True)
class _Turn:
    """A run whose turn has begun: its files are being read, or it is known without whether it is ``sealed``."""

    run: str
    sealed: bool = False
    mark: str = ""
    reading: Future[tuple[list[Finding], int]] | None = None


def check(folder: Path, ledger: Ledger, places: dict[str, set[str]]) -> list[str]:
    """Check the registered runs in the log's order, and return those that are sealed and unchanged.

    ``places`` are the names in ``runs`` and ``quarantine``.
    """
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        begun = (_begun(folder, run, ledger, places, pool) for run in ledger.opened)
        return [turn.run for turn in _ahead(begun) if _ended(folder, turn, ledger)]


def _ahead(begun: Iterable[_Turn]) -> Iterator[_Turn]:
    """Yield the turns, each when so many more have begun."""
    waiting: deque[_Turn] = deque()
    for turn in begun:
        waiting.append(turn)
        if len(waiting) > AHEAD:
            yield waiting.popleft()
    yield from waiting


def _begun(folder: Path, run: str, ledger: Ledger, places: dict[str, set[str]], pool: Executor) -> _Turn:
    opened, closed = ledger.opened[run], ledger.closed.get(run)
    if not _lies_there(folder, run, ledger, places):
        return _Turn(run)
    again = _progress(run, ledger)
    if again and closed and (count := again.files_of(opened, closed)) is not None:
        ledger.files += count
        return _Turn(run, sealed=True)
    mark = again.mark(opened, closed) if again and closed else ""
    return _Turn(run, mark=mark, reading=pool.submit(_read, folder, opened, closed))


def _lies_there(folder: Path, run: str, ledger: Ledger, places: dict[str, set[str]]) -> bool:
    """Say whether a run's folder is to be read, and tell what is wrong with where it lies."""
    opened, closed = ledger.opened[run], ledger.closed.get(run)
    if run in ledger.quarantined or (closed is None and run in places["quarantine"]):
        ledger.findings += verify_run.quarantined(folder, opened, noted=run in ledger.quarantined)
        if run in places["runs"]:
            ledger.error(f"runs/{run}", "is there although the run is in quarantine")
        return False
    if run in places["quarantine"]:
        ledger.error(f"quarantine/{run}", "is there although the run was sealed")
    removal = ledger.fates.removed.get(run)
    if run not in places["runs"]:
        if removal is None:
            ledger.error(f"runs/{run}", "is in the log and its folder is gone")
        return False
    if removal is not None:
        ledger.warn(f"runs/{run}", f"is still here, and entry {removal.seq} removes it: ops archive retain goes on")
    return True


def _progress(run: str, ledger: Ledger) -> Progress | None:
    # What applied which plan is compared over all runs, so such a run is always read.
    return ledger.progress if run in ledger.closed and not run.endswith(verify_approvals.APPLIES) else None


def _read(folder: Path, opened: Entry, closed: Entry | None) -> tuple[list[Finding], int]:
    """Return what is wrong with a run as it lies there, whatever the others are, and how many files were read."""
    found, count = verify_run.run(folder, opened, closed)
    return [*found, *verify_mandates.check(folder, opened, closed)], count


def _ended(folder: Path, turn: _Turn, ledger: Ledger) -> bool:
    """Tell what was found in a run, and say whether it is sealed and unchanged."""
    if turn.reading is None:
        return turn.sealed
    run = turn.run
    opened, closed = ledger.opened[run], ledger.closed.get(run)
    try:
        found, count = turn.reading.result()
        # In the log's order: of two that apply one plan, the second is told of.
        found += verify_approvals.check(folder, opened, closed, ledger.applied)
    except Exception as error:
        # One run that nobody foresaw must not hide the others.
        found, count = [Finding("error", f"runs/{run}", f"could not be verified ({type(error).__name__})")], 0
    ledger.findings += found
    ledger.files += count
    if (again := _progress(run, ledger)) and closed and not found:
        again.held(closed, turn.mark, count)
    return closed is not None and not any(finding.severity == "error" for finding in found)
