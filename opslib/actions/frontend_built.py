"""The files of a build: taken from where it was made, looked through for secrets, kept until the run ends.

They lie in a private folder of the executor's that is gone with its process; a resumed run builds again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import opslib.actions.backups_folder as private
from opslib import files
from opslib.canonical import digest
from opslib.errors import Refused, StepFailed
from opslib.redaction import Secret
from opslib.systems.target import PlanTarget

INDEX = "index.html"
MOST_FILES, MOST_BYTES, LARGEST = 5_000, 200 * 1024 * 1024, 25 * 1024 * 1024
"""Of one build; and bytes of one file."""


def place(run: str) -> str:
    """Return the name under which a run's build is kept, apart from a backup that the same run may stage."""
    return f"{run}-build"


def sha256_of(content: Mapping[str, bytes]) -> str:
    """Return one digest of all files: their paths and what they hold."""
    return digest([[path, hashlib.sha256(data).hexdigest()] for path, data in sorted(content.items())])


def taken(folder: Path) -> dict[str, bytes]:
    """Return the files below ``folder`` as a build left them; raises StepFailed for what cannot be uploaded."""
    if folder.is_symlink() or not folder.is_dir():
        raise StepFailed(f"The build left no folder {folder.name}.", "See what npm run build makes.")
    found: dict[str, bytes] = {}
    for root, folders, names in os.walk(folder):
        for name in (*names, *(one for one in folders if Path(root, one).is_symlink())):
            path = Path(root, name).relative_to(folder)
            try:
                found[path.as_posix()] = files.read_plain(folder / path, LARGEST)
            except OSError as error:
                raise StepFailed(f"{path} is no plain file, or too large.", "See the build.") from error
            if len(found) > MOST_FILES or sum(map(len, found.values())) > MOST_BYTES:
                raise StepFailed("The build left more than may be uploaded.", "See what is in its output folder.")
    if INDEX not in found:
        raise StepFailed(f"The build left no {INDEX}.", "See what npm run build makes.")
    return found


def keep(run: str, commit: str, content: Mapping[str, bytes]) -> None:
    """Keep the files of a run's build of a commit, in place of an earlier one of the same run."""
    folder = private.prepare(place(run))
    (folder / "commit").write_text(commit, encoding="ascii")
    for path, data in content.items():
        target = folder / "dist" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def kept(run: str, sha256: str) -> dict[str, bytes]:
    """Return the kept files, if they are those of this digest; raises Refused."""
    folder = private.folder(place(run)) / "dist"
    if not folder.is_dir():
        raise Refused("This run has built nothing.", "Build first, in the same run.")
    found = taken(folder)
    if sha256_of(found) != sha256:
        raise Refused("What was built in this run is not what the step asks for.", "Hand on built['sha256'].")
    return found


def commit_of(run: str) -> str:
    """Return the commit that the kept files are of."""
    return (private.folder(place(run)) / "commit").read_text(encoding="ascii")


def remove(run: str) -> None:
    """Remove the files of a run's build."""
    private.remove(place(run))


def known_secrets(target: PlanTarget, whole: Iterable[Secret], *public: str) -> list[Secret]:
    """Return every secret that a build must not hold: the description's, and both versions of the vault's."""
    found = list(whole)
    for stage in ("AWSCURRENT", "AWSPREVIOUS"):
        version = target.vault.stage(stage)
        found += version.others(*public) if version else []
    return found
