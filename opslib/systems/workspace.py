"""The checkout of a development environment (OPS_WORKSPACE), looked at: nothing that it configures is started.

What this program keeps about it lies in ``.git/opslib``, which is no part of the product's files: whose work made it
and of which commit, what stood in the place of what was written. A checkout without that is somebody's own.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from opslib import files
from opslib.errors import Refused, SettingsError, StepFailed, Unreachable
from opslib.settings import ReadSettings
from opslib.systems import programs
from opslib.systems.checkout import Checkout, Entry
from opslib.systems.env_file import EnvFile, read
from opslib.systems.workspace_tree import LINK, MODULE, strangers

ENV = ".env.local"
TEMPLATE = ".env.example"
LARGEST = 1024 * 1024
"""Bytes of a file that is read whole (an env file, package.json)."""
LARGEST_LOCK = 32 * 1024 * 1024
KEPT = "opslib"
SECONDS = 60.0

State = Literal["absent", "checkout", "other"]


@dataclass(frozen=True)
class Standing:
    """What stands in the workspace's place: nothing, a checkout of the same repository, or something else (``why``)."""

    state: State
    why: str = ""
    commit: str = ""
    mark: dict[str, Any] = field(default_factory=dict)


class Workspace:
    """The folder that the description names, and the repository that it is a checkout of."""

    def __init__(self, settings: ReadSettings) -> None:
        if settings.workspace is None or settings.repository is None:
            missing = "OPS_WORKSPACE" if settings.workspace is None else "OPS_REPOSITORY"
            raise SettingsError(f"{missing} is not in the target description.", "docs/production.md says what it is.")
        self.folder: Path = settings.workspace
        self.repository: str = settings.repository
        self.port = settings.development_port

    @property
    def kept(self) -> Path:
        """Where this program keeps what it knows of the checkout."""
        return self.folder / ".git" / KEPT

    def newest(self, branch: str) -> str:
        """Return the commit that a branch of the repository points at now; raises Unreachable for none."""
        try:
            said = programs.answer(
                "git-workspace",
                ["ls-remote", "--exit-code", self.repository, f"refs/heads/{branch}"],
                most=LARGEST,
                seconds=SECONDS,
            ).decode(errors="replace")
        except StepFailed as error:
            raise Unreachable(
                f"{self.repository} shows no branch {branch}: {error.message[-300:]}",
                "Look at OPS_REPOSITORY and at the branch's name.",
                "missing",
            ) from None
        found = re.match(r"([0-9a-f]{40})\t", said)
        if found is None:
            raise Unreachable(f"{self.repository} answers what is no commit.", "Look at OPS_REPOSITORY.", "malformed")
        return found[1]

    def standing(self) -> Standing:
        """Look what stands there; what is no plain checkout of this repository is ``other``, with the reason."""
        try:
            found = self.folder.lstat()
        except FileNotFoundError:
            return Standing("absent")
        inner = self.folder / ".git"
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return Standing("other", "is no folder of this user's own")
        if not inner.is_dir() or inner.is_symlink():
            return Standing("other", "is no git checkout")
        checkout = Checkout(self.folder)
        origin = checkout.origin()
        if origin is None or _plain(origin) != _plain(self.repository):
            return Standing("other", "is a checkout of another repository")
        try:
            commit = checkout.commit("HEAD")
        except Unreachable:
            return Standing("other", "has no commit")
        return Standing("checkout", "", commit, self.mark("checkout"))

    def at(self, commit: str) -> Standing:
        """Return the standing; raises Refused unless the checkout is there and at ``commit``."""
        found = self.standing()
        if found.state != "checkout" or found.commit != commit:
            said = f"is at {found.commit[:12]}" if found.state == "checkout" else found.why or "is not there"
            raise Refused(f"{self.folder} {said}, not at {commit[:12]}.", "Make the checkout first.")
        return found

    def mark(self, name: str) -> dict[str, Any]:
        """Return what is kept under ``name``; empty where nothing is."""
        try:
            said = json.loads(files.read_plain(self.kept / f"{name}.json", LARGEST))
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def entries(self, commit: str) -> list[Entry]:
        """Return all that the commit has."""
        return Checkout(self.folder).entries(commit)

    def file(self, commit: str, path: str, most: int = LARGEST) -> bytes | None:
        """Return a file as the commit has it; None where it has none. Raises Refused for a link or a larger one."""
        entry = next((entry for entry in self.entries(commit) if entry.path == path), None)
        if entry is None:
            return None
        if entry.mode in (LINK, MODULE) or entry.size > most:
            raise Refused(f"{path} of {commit[:12]} is no plain file of at most {most} bytes.", "Look at it there.")
        return Checkout(self.folder).contents([entry.identity])[entry.identity]

    def changes(self, commit: str) -> list[str]:
        """Return what is not as ``commit`` has it: files (ignored ones as well, but for what this program made),
        the index, branches, tags and stashes that the clone did not have.
        """
        checkout = Checkout(self.folder)
        entries = self.entries(commit)
        ours = frozenset({ENV} if self.mark("environment") else ())
        found = strangers(self.folder, entries, ours)
        staged = {entry.path: (entry.mode, entry.identity) for entry in entries}
        if checkout.staged() != staged:
            found.append("the index")
        known = self.mark("checkout").get("references")
        if known is not None and checkout.references() != known:
            found.append("branches, tags or stashes")
        found += [f".git/{name}" for name in ("worktrees", "modules") if (self.folder / ".git" / name).exists()]
        return found

    def modified(self, commit: str) -> list[str]:
        """Return the commit's own files that are changed or gone, and what is staged; new files do not count."""
        entries = self.entries(commit)
        names = {entry.path for entry in entries}
        found = [path for path in strangers(self.folder, entries) if path in names]
        staged = {entry.path: (entry.mode, entry.identity) for entry in entries}
        return found + (["the index"] if Checkout(self.folder).staged() != staged else [])

    def environment(self) -> tuple[bytes, int] | None:
        """Return the env file's bytes and mode; None where there is none. Raises Refused for a link, or a huge one."""
        path = self.folder / ENV
        try:
            mode = path.lstat().st_mode
            return files.read_plain(path, LARGEST), stat.S_IMODE(mode)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"{path} cannot be read as a plain file ({error.strerror}).", "Look at it.") from None

    def variables(self) -> EnvFile | None:
        """Return what the env file says; None where there is none. Raises as :meth:`environment`."""
        found = self.environment()
        return None if found is None else read(found[0])

    def ignored(self) -> bool:
        """Tell whether git ignores the env file in this checkout."""
        at = [f"--git-dir={self.folder / '.git'}", f"--work-tree={self.folder}"]
        try:
            programs.answer(
                "git-workspace",
                [*at, "check-ignore", "--quiet", "--no-index", ENV],
                most=LARGEST,
                seconds=SECONDS,
            )
        except StepFailed:
            return False
        return True

    def close(self) -> None:
        """Nothing stays open."""


def _plain(address: str) -> str:
    """Return an address without user, password and the ending that may be left out."""
    scheme, _, rest = address.strip().partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.rpartition('@')[2].lower()}{slash}{path.rstrip('/').removesuffix('.git')}"
