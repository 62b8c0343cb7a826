"""The archive of runs: register before the start, seal at the end, close what a lost process left open.

Safe for many processes at once: each run is held by a lock that ends with its process, and the log's
numbers are given out under another.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from opslib import files
from opslib.archive import interrupted, seal, summary
from opslib.archive.log import INDEXED, RUN_ID, Entry, Log
from opslib.archive.summary import Summary
from opslib.canonical import to_json
from opslib.errors import ArchiveError, UsageError
from opslib.redaction import Redactor
from opslib.runs.steps import in_order, work_of

FOLDERS = ("log", "runs", "quarantine", "running")
LONGEST = 150
"""A run's id has at most so many characters."""

Render = Callable[[Path], object]
"""Writes the report into a run's folder."""


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"The archive {folder} cannot be used: {error}.", "Look at its folder and disk.") from error


def _checked(run_id: object) -> str:
    if isinstance(run_id, str) and len(run_id) <= LONGEST and RUN_ID.fullmatch(run_id):
        return run_id
    raise ArchiveError(f"{run_id!r} is no run's id.", "It has the form 20261123T130614Z-diagnostics-database-a1b2c3.")


class Archive:
    """The runs in one folder. Nothing is created before the first run is opened.

    ``key`` is the file of the key that signs the log; without it, this host's own.
    """

    def __init__(self, folder: Path, key: Path | None = None) -> None:
        self.folder = Path(folder).absolute()
        self.log = Log(self.folder, key)
        self._held: dict[str, int] = {}

    def open(self, run: Mapping[str, Any], *, redactor: Redactor | None = None, render: Render | None = None) -> Path:
        """Register a run before it starts and return its folder, which holds run.json and evidence/.

        ``run`` is the content of run.json. First closes what lost processes left open; ``redactor`` and
        ``render`` are for those. The run is held until :meth:`close` or the end of this process. Raises
        ArchiveError when the run exists already or nothing can be written; nothing is registered then.
        """
        run_id = _checked(run.get("run"))
        data = (json.dumps(to_json(run), indent=2, ensure_ascii=False) + "\n").encode()
        with _told(self.folder):
            self._prepare()
            self.close_interrupted(redactor, render)
            lock = files.create_locked(self._running(run_id), self.folder / "running" / f".{run_id}.{os.getpid()}")
            if lock is None:
                raise ArchiveError(f"The run {run_id} is running in another process.", "Start a run with another id.")
            try:
                self._register(run_id, data)
            except BaseException:
                # The lock's file stays where the folder has its name and its entry: the next start closes it.
                self._release(run_id, lock, forget=not self._runs(run_id).is_dir())
                raise
            self._held[run_id] = lock
        return self._runs(run_id)

    def close(self, run_id: str, redactor: Redactor, event: Literal["close", "interrupted"] = "close") -> None:
        """Seal a run: secrets gate, manifest, log entry, index.

        When a known secret or what looks like one stands in a file of the run, it is moved to quarantine, which
        the log notes, and ArchiveError is raised. Any other ArchiveError leaves the run open, to be closed again.
        """
        lock = self._held[run_id] if run_id in self._held else self._taken(run_id)
        state = "interrupted" if event == "interrupted" else ""
        with _told(self.folder):
            leaking = self._seal(run_id, redactor, state)
            self._held.pop(run_id, None)
            self._release(run_id, lock)
        if leaking:
            with suppress(ArchiveError):
                self.index(run_id)
            raise ArchiveError(
                f"The run {run_id} was not sealed: a secret stands in {redactor.text(', '.join(leaking))}.",
                f"Change that secret; then look at {self._quarantine(run_id)} and remove it.",
            )
        self.index(run_id)

    def close_interrupted(self, redactor: Redactor | None = None, render: Render | None = None) -> tuple[str, ...]:
        """Close every open run whose process is gone, as interrupted, and return their ids.

        One that cannot be closed stays open, for the next call; it never keeps a new run from starting.
        """
        closed = []
        for path in sorted((self.folder / "running").glob("[0-9]*")):
            run_id = path.name
            if not RUN_ID.fullmatch(run_id) or run_id in self._held or (lock := files.try_lock(path)) is None:
                continue
            forget = False
            try:
                forget, sealed = self._finish(run_id, redactor or Redactor(), render)
                closed += [run_id] if sealed else []
            except (ArchiveError, OSError):
                continue
            finally:
                self._release(run_id, lock, forget=forget)
        return tuple(closed)

    def runs(self, limit: int | None = None) -> list[Summary]:
        """Return the runs, newest first; damage in one is told in its summary, never raised."""
        return [summary.read(self.folder, run_id) for run_id in self.ids()[::-1][:limit]]

    def ids(self) -> list[str]:
        """Return the ids of the runs, sealed, open and in quarantine, oldest first."""
        folders = (self.folder / name for name in ("runs", "quarantine"))
        found = {name for folder in folders if folder.is_dir() for name in os.listdir(folder)}  # noqa: PTH208
        return sorted(filter(RUN_ID.fullmatch, found))

    def find(self, run_id_prefix: str) -> Summary:
        """Return the only run whose id begins with the prefix; by a work's last part (``a1b2c3``) its newest run.

        Raises UsageError when none or several fit.
        """
        given = run_id_prefix
        ids = self.ids()
        works = {work_of(run) for run in ids if work_of(run).rsplit("-", 1)[-1] == given}
        fits = in_order(ids, next(iter(works)))[-1:] if len(works) == 1 else [*works]
        fits = [run for run in ids if run == given] or fits or [run for run in ids if run.startswith(given)]
        if not given or len(fits) != 1:
            several = f"{len(fits)} runs" if fits else "No run"
            raise UsageError(f"{several} in {self.folder} fit {given!r}.", "See: ops archive list")
        return summary.read(self.folder, fits[0])

    def index(self, changed: str | None = None) -> Path:
        """Write index.html and its older pages anew; ``changed`` limits the work to what one run changes.

        Raises ArchiveError when they cannot be written; what is sealed stays sealed.
        """
        from opslib.archive import index, index_newest

        with _told(self.folder), files.locked(self.folder / INDEXED):
            said = index_newest.known(self.log, changed) if changed else None
            if said:
                index.write(self.folder, said.newest, changed, said.count)
            else:
                seq, ids = self.log.newest(), self.ids()
                index.write(self.folder, ids, changed)
                said = index_newest.listed(self.log, seq, ids)
            index_newest.keep(self.folder, said)
        return self.folder / "index.html"

    def append(self, event: Literal["heartbeat", "note"], text: str) -> Entry:
        """Write a log entry that is of no run, also into a new archive; raises ArchiveError when it is not written."""
        with _told(self.folder):
            self._prepare()
            return self.log.append(event, "-", text=text)

    def _prepare(self) -> None:
        had_running = (self.folder / "running").is_dir()
        for name in FOLDERS:
            files.make_folder(self.folder / name)
        packaged = Path(__file__).with_name("verify.sh").read_bytes()
        script = self.folder / "verify.sh"
        with files.locked(self.folder / INDEXED):
            if not script.is_file() or script.read_bytes() != packaged:
                files.write(script, packaged, self.folder / "running" / ".verify.part", mode=0o700)
        if not had_running:
            # An archive brought back without its locks: nobody holds its open runs.
            for run_id in self.log.open_runs():
                self._running(run_id).touch(mode=0o600)

    def _register(self, run_id: str, data: bytes) -> None:
        new = self.folder / "running" / f".{run_id}.new"
        shutil.rmtree(new, ignore_errors=True)
        # Their names come to the disk with run.json's, and with the folder's last name.
        for folder in (new, new / "evidence"):
            folder.mkdir(mode=0o700)
        files.write(new / "run.json", data, self._part(run_id))
        with files.locked(self.folder / ".lock"):
            if os.path.lexists(self._runs(run_id)) or os.path.lexists(self._quarantine(run_id)):
                shutil.rmtree(new)
                raise ArchiveError(f"The run {run_id} exists already.", "Start a run with another id.")
            new.replace(self._runs(run_id))
            files.sync_folder(self.folder / "runs")
            try:
                sha = seal.sha256(self._runs(run_id) / "run.json")
                self.log.append_locked("open", run_id, file=(sha, f"runs/{run_id}/run.json"))
            except (ArchiveError, OSError):
                if not self.log.state(run_id):
                    shutil.rmtree(self._runs(run_id))
                raise

    def _seal(self, run_id: str, redactor: Redactor, state: str, text: str = "") -> tuple[str, ...]:
        """Seal, or move to quarantine and return the paths that hold a secret."""
        folder = self._runs(run_id)
        found = seal.scan(folder, redactor)
        if found.leaking:
            files.sync_folder(folder)
            folder.replace(self._quarantine(run_id))
            files.sync_folder(self.folder / "runs")
            files.sync_folder(self.folder / "quarantine")
            self._note_quarantine(run_id, len(found.leaking))
            return found.leaking
        # With this all names in the folder come to the disk, before the log says that they are there.
        files.write(folder / seal.MANIFEST, found.manifest(), self._part(run_id))
        sha = seal.sha256(folder / seal.MANIFEST)
        self.log.append("close", run_id, file=(sha, f"runs/{run_id}/{seal.MANIFEST}"), state=state, text=text)
        return ()

    def _note_quarantine(self, run_id: str, count: int | None) -> None:
        where = f"{count} of its files" if count else "its files"
        self.log.append("note", run_id, state="quarantined", text=f"not sealed: a secret stands in {where}")

    def _finish(self, run_id: str, redactor: Redactor, render: Render | None) -> tuple[bool, bool]:
        """Bring a run without a process to its end; returns (its lock's file may go, it was sealed)."""
        folder, state = self._runs(run_id), self.log.state(run_id)
        if not state and (folder / "run.json").is_file():
            file = (seal.sha256(folder / "run.json"), f"runs/{run_id}/run.json")
            self.log.append("open", run_id, file=file, text="registered after its process had gone")
        elif state != "open":
            shutil.rmtree(self.folder / "running" / f".{run_id}.new", ignore_errors=True)
            return True, False
        if not folder.is_dir():
            if self._quarantine(run_id).is_dir():
                self._note_quarantine(run_id, None)
            return True, False
        for left in folder.glob(".*.part"):
            left.unlink()
        text = self._complete(folder, redactor, render)
        self._seal(run_id, redactor, "interrupted", text)
        self.index(run_id)
        return True, True

    def _complete(self, folder: Path, redactor: Redactor, render: Render | None) -> str:
        if interrupted.has_result(folder):
            text = "the run had ended; its process went before sealing it"
        else:
            files.write(folder / "result.json", interrupted.result(folder, redactor), self._part(folder.name))
            text = ""
        if render is not None:
            try:
                render(folder)
            except Exception as error:
                # Whatever keeps a report from being rendered must not keep the run from being sealed.
                text = f"{text}; no report: {type(error).__name__}".removeprefix("; ")
        return text

    def _taken(self, run_id: str) -> int:
        _checked(run_id)
        if (state := self.log.state(run_id)) != "open":
            raise ArchiveError(f"The run {run_id} is {state or 'not registered'}.", "Only an open run can be closed.")
        lock = files.try_lock(self._running(run_id))
        if lock is None:
            raise ArchiveError(f"The run {run_id} is held by another process.", "Let that process close it.")
        self._held[run_id] = lock
        return lock

    def _release(self, run_id: str, lock: int, *, forget: bool = True) -> None:
        if forget:
            said = (self.folder / "running" / f"{run_id}.{word}" for word in ("stop", "confirm"))
            for path in (self._part(run_id), *said, self._running(run_id)):
                with suppress(OSError):
                    path.unlink()
        os.close(lock)

    def _runs(self, run_id: str) -> Path:
        return self.folder / "runs" / run_id

    def _quarantine(self, run_id: str) -> Path:
        return self.folder / "quarantine" / run_id

    def _running(self, run_id: str) -> Path:
        return self.folder / "running" / run_id

    def _part(self, run_id: str) -> Path:
        return self.folder / "running" / f".{run_id}.part"
