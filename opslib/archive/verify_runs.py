"""Verifying the runs of a log: their files are read side by side and while the log is, and judged in its order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
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
class _Read:
    """What is wrong with a run by itself, how many of its files were read, and what they were like before that."""

    found: tuple[Finding, ...]
    files: int
    mark: str = ""


class Runs:
    """The runs of one archive, of which the log is being read into ``ledger``.

    ``places`` are the names in ``runs`` and ``quarantine``, as they were before the log's were read.
    """

    def __init__(self, folder: Path, ledger: Ledger, places: dict[str, set[str]], pool: Executor) -> None:
        self._folder = folder
        self._ledger = ledger
        self._places = places
        self._pool = pool
        self._ahead: deque[tuple[str, Future[_Read]]] = deque()
        self._read: dict[str, _Read] = {}

    def closed(self, run: str) -> None:
        """Begin to read a run that the log's newest entry closed: no later entry changes what its files must be."""
        if run in self._places["runs"]:
            self._begin(run)
            self._settle(AHEAD)

    def check(self) -> list[str]:
        """Tell what is wrong with each run, after the log's end; return those that are sealed and unchanged."""
        there = [run for run in self._ledger.opened if self._lies_there(run)]
        begun = self._read.keys() | {run for run, _ in self._ahead}
        for run in there:
            if run not in begun:
                self._begin(run)
                self._settle(AHEAD)
        self._settle(0)
        return [run for run in there if self._holds(run)]

    def _begin(self, run: str) -> None:
        opened, closed = self._ledger.opened[run], self._ledger.closed.get(run)
        again = self._progress(run)
        if again and closed and (count := again.files_of(opened, closed)) is not None:
            self._read[run] = _Read((), count)
        else:
            self._ahead.append((run, self._pool.submit(_read, self._folder, opened, closed, again)))

    def _settle(self, most: int) -> None:
        """Wait until at most so many runs are being read; what held is noted, for a verification that goes on."""
        while len(self._ahead) > most:
            run, reading = self._ahead.popleft()
            try:
                read = reading.result()
            except Exception as error:
                # One run that nobody foresaw must not hide the others.
                read = _Read((_unforeseen(run, error),), 0)
            self._read[run] = read
            closed = self._ledger.closed.get(run)
            if (again := self._progress(run)) and closed and not read.found:
                again.held(closed, read.mark, read.files)

    def _progress(self, run: str) -> Progress | None:
        # What applied which plan is compared over all runs, so such a run is always read.
        return self._ledger.progress if run in self._ledger.closed and not _applies(run) else None

    def _lies_there(self, run: str) -> bool:
        """Say whether a run's folder is to be read, and tell what is wrong with where it lies."""
        folder, ledger, places = self._folder, self._ledger, self._places
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

    def _holds(self, run: str) -> bool:
        """Tell what was found in a run, and say whether it is sealed and unchanged."""
        opened, closed, read = self._ledger.opened[run], self._ledger.closed.get(run), self._read[run]
        found = list(read.found)
        if _applies(run):
            try:
                # In the log's order: of two that apply one plan, the second is told of.
                found += verify_approvals.check(self._folder, opened, closed, self._ledger.applied)
            except Exception as error:
                found.append(_unforeseen(run, error))
        self._ledger.findings += found
        self._ledger.files += read.files
        return closed is not None and not any(finding.severity == "error" for finding in found)


@contextmanager
def reading(folder: Path, ledger: Ledger, places: dict[str, set[str]]) -> Iterator[Runs]:
    """Give the runs of an archive, to be read by threads that end with this."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield Runs(folder, ledger, places, pool)


def _applies(run: str) -> bool:
    return run.endswith(verify_approvals.APPLIES)


def _unforeseen(run: str, error: Exception) -> Finding:
    return Finding("error", f"runs/{run}", f"could not be verified ({type(error).__name__})")


def _read(folder: Path, opened: Entry, closed: Entry | None, progress: Progress | None) -> _Read:
    """Read a run as it lies there, whatever the others are."""
    mark = progress.mark(opened, closed) if progress and closed else ""
    found, count = verify_run.run(folder, opened, closed)
    found += verify_mandates.check(folder, opened, closed)
    if not _applies(opened.run):
        found += verify_approvals.check(folder, opened, closed, {})
    return _Read(tuple(found), count, mark)
