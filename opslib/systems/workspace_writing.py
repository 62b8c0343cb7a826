"""The development checkout, written: cloned, its env file put in its place, and taken away again.

The checkout appears under its name when it is whole; whatever is half made has another name beside it. What is
removed gets another name first. Source: git's manual (clone, reset, gitattributes), guide items ENV-QS-01 to 05.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from opslib import files
from opslib.errors import Refused, StepFailed
from opslib.systems import programs
from opslib.systems.checkout import Checkout
from opslib.systems.workspace import ENV, LARGEST, Workspace
from opslib.systems.workspace_tree import LINK, obstacle, strangers

CLONE_SECONDS = 1800.0
SPARE = 256 * 1024 * 1024
"""Bytes that must stay free beside what a commit has."""
_AS_THEY_ARE = b"* -text -ident -filter -working-tree-encoding !eol\n"
"""Attributes under which files are the commit's own bytes, and no filter is asked for."""


class WorkspaceWriter(Workspace):
    """The same folder, by a handle that makes it and removes it."""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder that the checkout lies in; raises Refused when another run works there."""
        files.make_folder(self.folder.parent)
        try:
            handle = files.lock_folder(self.folder.parent)
        except OSError:
            raise Refused(f"Another run works in {self.folder.parent}.", "Wait until it has ended.") from None
        try:
            yield
        finally:
            os.close(handle)

    def clone(self, branch: str, commit: str, work: str) -> None:
        """Make the checkout at ``commit``, still the branch's newest; raises Refused, and then nothing is there."""
        part = self._beside("part", work)
        shutil.rmtree(part, ignore_errors=True)
        files.make_folder(part.parent)
        part.mkdir(mode=0o700)
        options = ["--quiet", "--no-checkout", "--no-tags", "--template=", "--no-recurse-submodules"]
        options += ["--single-branch", "--no-hardlinks", f"--branch={branch}"]
        try:
            self._git(["clone", *options, self.repository, str(part)])
            self._check(part, commit)
            self._fill(part, commit)
            marks = part / ".git" / self.kept.name
            marks.mkdir(mode=0o700)
            said = {"work": work, "commit": commit, "branch": branch, "references": Checkout(part).references()}
            _write_mark(marks, "checkout", said)
            part.rename(self.folder)
            files.sync_folder(self.folder.parent)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def clear(self, work: str) -> None:
        """Take away what a clone or a removal of this work left half done beside the checkout."""
        for kind in ("part", "gone"):
            shutil.rmtree(self._beside(kind, work), ignore_errors=True)

    def remove(self, work: str) -> None:
        """Remove the checkout; whoever asks has looked before that nothing of anybody else's is in it."""
        gone = self._beside("gone", work)
        shutil.rmtree(gone, ignore_errors=True)
        if self.folder.exists():
            self.folder.rename(gone)
            files.sync_folder(gone.parent)
        shutil.rmtree(gone)

    def put_mark(self, name: str, said: dict[str, Any]) -> None:
        """Keep ``said`` under ``name``, beside what git has of the checkout."""
        with suppress(FileExistsError):
            self.kept.mkdir(mode=0o700)
        _write_mark(self.kept, name, said)

    def drop_mark(self, name: str) -> None:
        """Keep nothing under ``name`` any more."""
        (self.kept / f"{name}.json").unlink(missing_ok=True)

    def put_environment(self, data: bytes, work: str) -> None:
        """Write the env file with mode 0600, wholly or not at all; what stood there is kept for the way back."""
        found = self.environment()
        said = {"work": work, "sha256": hashlib.sha256(data).hexdigest(), "replaced": found is not None}
        if found is not None:
            self._write(self._before(work), found[0])
        self.put_mark("environment", said)
        self._write(self.folder / ENV, data)

    def environment_is(self, work: str) -> bool:
        """Tell whether the env file is the one that this work wrote."""
        mark, found = self.mark("environment"), self.environment()
        return mark.get("work") == work and found is not None and mark.get("sha256") == _digest(found[0])

    def environment_untouched(self, work: str) -> bool:
        """Tell whether the env file is what it was before this work, or absent as it was."""
        mark, found = self.mark("environment"), self.environment()
        if mark.get("work") != work:
            return True
        if not mark.get("replaced"):
            return found is None
        return found is not None and found[0] == self._kept_environment(work)

    def forget_environment(self, work: str) -> None:
        """Take away what was kept for the way back, once there is none any more."""
        if self.mark("environment").get("work") == work:
            self.drop_mark("environment")
        self._before(work).unlink(missing_ok=True)
        self._part(self.folder / ENV).unlink(missing_ok=True)

    def restore_environment(self, work: str) -> None:
        """Put back what stood in the env file's place, with mode 0600; or remove it where nothing did."""
        if self.mark("environment").get("replaced"):
            self._write(self.folder / ENV, self._kept_environment(work))
        else:
            (self.folder / ENV).unlink(missing_ok=True)
            files.sync_folder(self.folder)
        self.forget_environment(work)

    def forget_server(self, work: str) -> None:
        """Take away what the development server had for itself: its log, its home."""
        if self.mark("server").get("work") == work:
            shutil.rmtree(self.kept / "development", ignore_errors=True)
            self.drop_mark("server")

    def _kept_environment(self, work: str) -> bytes:
        try:
            return files.read_plain(self._before(work), LARGEST)
        except OSError:
            raise Refused(f"What stood in {ENV} before is not kept any more.", "Nothing was changed.") from None

    def _check(self, part: Path, commit: str) -> None:
        checkout = Checkout(part)
        if (found := checkout.commit("HEAD")) != commit:
            raise Refused(f"The branch points at {found[:12]} by now, not at {commit[:12]}.", "Plan again.")
        entries = checkout.entries(commit)
        links = checkout.contents(sorted({entry.identity for entry in entries if entry.mode == LINK})[:1500])
        if fault := obstacle(entries, links):
            raise Refused(f"{commit[:12]} {fault}.", "Nothing of it was written. Look at the repository.")
        if sum(entry.size for entry in entries) + SPARE > shutil.disk_usage(part).free:
            raise Refused(f"There is no room for {commit[:12]} at {part.parent}.", "Free disk, then again.")

    def _fill(self, part: Path, commit: str) -> None:
        info = part / ".git" / "info"
        info.mkdir(mode=0o700, exist_ok=True)
        attributes = info / "attributes"
        attributes.write_bytes(_AS_THEY_ARE)
        self._git([f"--git-dir={part / '.git'}", f"--work-tree={part}", "reset", "--hard", "--quiet", commit])
        attributes.unlink()
        if odd := strangers(part, Checkout(part).entries(commit)):
            raise StepFailed(f"{odd[0]!a} is not as {commit[:12]} has it after its checkout.", "Look at the disk.")

    def _git(self, arguments: list[str]) -> None:
        programs.answer("git-workspace", arguments, most=LARGEST, seconds=CLONE_SECONDS)

    def _beside(self, kind: str, work: str) -> Path:
        # A work's own: another's half made clone is not this one's to remove.
        own = re.sub(r"[^a-z0-9]", "", work.rsplit("-", 1)[-1].lower())[:12] or "run"
        return self.folder.with_name(f".{self.folder.name}.{kind}-{own}")

    def _before(self, work: str) -> Path:
        return self._beside_mark("environment-before", work)

    def _beside_mark(self, name: str, work: str) -> Path:
        return self.kept / f"{name}-{re.sub(r'[^A-Za-z0-9]', '', work)[-12:] or 'run'}"

    def _part(self, path: Path) -> Path:
        # Within .git: a half written env file must never be one that git could add.
        return self.kept / f"{path.name.lstrip('.')}.part"

    def _write(self, path: Path, data: bytes) -> None:
        with suppress(FileExistsError):
            self.kept.mkdir(mode=0o700)
        files.write(path, data, self._part(path))


def _write_mark(folder: Path, name: str, said: dict[str, Any]) -> None:
    data = json.dumps(said, sort_keys=True).encode()
    files.write(folder / f"{name}.json", data, folder / f".{name}.part")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
