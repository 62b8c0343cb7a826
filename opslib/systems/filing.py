"""The files that a step leaves as evidence in its run's folder, which the archive seals with everything else.

Each step has a folder of its own, ``evidence/<step>-files/``. A run that goes on finds what an earlier run of the
same work left, by its SHA-256: runs of one work lie beside each other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from opslib import files
from opslib.errors import ArchiveError

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 1024 * 1024


class Filing:
    """The place of one step's files. ``folder`` is the run's folder, ``work`` the work that the run belongs to."""

    def __init__(self, folder: Path, work: str, step: str) -> None:
        self._run, self._work = folder, work
        self.name = f"{step}-files"
        self.folder = folder / "evidence" / self.name

    @property
    def run(self) -> str:
        """The id of the run that collects now."""
        return self._run.name

    @property
    def collector(self) -> str:
        """The person who asked for the run, as the run's own record has it; "unknown" where there is none."""
        try:
            said = json.loads(files.read_plain(self._run / "run.json", LARGEST_MANIFEST))
            return str(said["requested_by"])
        except (OSError, ValueError, KeyError, TypeError):
            return "unknown"

    @property
    def free(self) -> int:
        """Bytes that are free where the files go."""
        return shutil.disk_usage(self._run).free

    def begin(self) -> None:
        """Take away what an earlier try in this run left: it is no evidence."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def new(self, name: str) -> Iterator[BinaryIO]:
        """Hand out a new file that is on the disk when the block ends; raises ArchiveError when it can't be written."""
        try:
            # Not earlier: no run has an empty folder.
            files.make_folder(self.folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(self.folder / name, flags, 0o600), "wb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise ArchiveError(f"{name} could not be written: {error.strerror}.", "Free space, then again.") from error

    def finish(self, manifest: bytes) -> str:
        """Write the manifest, last of all, and return its SHA-256: without it the files are half of something."""
        files.make_folder(self.folder)
        files.write(self.folder / MANIFEST, manifest, self.folder / f".{MANIFEST}.part")
        return hashlib.sha256(manifest).hexdigest()

    def finished(self) -> Path | None:
        """Return the folder of this step that has its manifest, in this run or an earlier one of the work."""
        return next((path.parent for path in self._manifests() if path.parent.name == self.name), None)

    def found(self, sha256: str) -> tuple[Path, bytes] | None:
        """Return folder and bytes of the manifest with this SHA-256 that a step of this work left, or None."""
        for path in self._manifests():
            try:
                data = files.read_plain(path, LARGEST_MANIFEST)
            except OSError:
                continue
            if hashlib.sha256(data).hexdigest() == sha256:
                return path.parent, data
        return None

    def anywhere(self, environment: str, wanted: Callable[[bytes], bool]) -> tuple[Path, bytes] | None:
        """Return folder and bytes of the newest manifest that is ``wanted``, of any run on this environment, or None.

        Whoever names it by its SHA-256 gets those bytes; what vouches for them is the seal of the run that made them.
        """
        for run in sorted(self._run.parent.iterdir(), reverse=True):
            for path in sorted(run.glob(f"evidence/*-files/{MANIFEST}")):
                try:
                    data = files.read_plain(path, LARGEST_MANIFEST)
                    said = json.loads(files.read_plain(run / "run.json", LARGEST_MANIFEST))
                except (OSError, ValueError):
                    continue
                if isinstance(said, dict) and said.get("environment") == environment and wanted(data):
                    return path.parent, data
        return None

    def _manifests(self) -> Iterator[Path]:
        """Yield this run's first, then those of the work's other runs, the newest first."""
        beside = (path for path in self._run.parent.iterdir() if path != self._run)
        runs = [path for path in beside if path.name == self._work or path.name.startswith(f"{self._work}-")]
        for run in [self._run, *sorted(runs, reverse=True)]:
            yield from sorted(run.glob(f"evidence/*-files/{MANIFEST}"))
