"""The key with which a host signs its archive's entries, and what the log says of keys.

An archive trusts its first key because that key signed the entry that introduces it, and every further key
because a key trusted by then signed the entry that adds it. That the first key is the right one only a list
kept elsewhere can show.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from opslib import files, sshsig
from opslib.errors import ArchiveError, UsageError

if TYPE_CHECKING:
    from opslib.archive.log import Entry, Log

NAMESPACE = "opslib-archive"
SIGNERS = "allowed_signers"
"""The file in the archive that holds every key that the log introduces, for ``ssh-keygen -Y verify -f``."""

_PRINCIPAL = r"[A-Za-z0-9][A-Za-z0-9@._+-]{0,79}"
_KEY = r"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}"
_PRINT = r"SHA256:[A-Za-z0-9+/]{43}"
_TEXT = re.compile(
    rf"add (?P<print>{_PRINT}) (?P<principal>{_PRINCIPAL}) (?P<public>{_KEY})|revoke (?P<revoked>{_PRINT})", re.ASCII
)
_LINE = re.compile(rf'[A-Za-z0-9@._,*?!-]{{1,400}}(?: namespaces="(?P<spaces>[^"\s]+)")? (?P<public>{_KEY})(?: .*)?')


@dataclass(frozen=True)
class Change:
    """What one entry of event ``key`` says: a key is added (with its owner's name), or revoked."""

    fingerprint: str
    principal: str = ""
    public: str = ""

    @property
    def adds(self) -> bool:
        """Whether the key is added, not revoked."""
        return bool(self.public)

    @property
    def text(self) -> str:
        """The entry's text."""
        return f"add {self.fingerprint} {self.principal} {self.public}" if self.adds else f"revoke {self.fingerprint}"

    @property
    def line(self) -> str:
        """The change as a line of the archive's allowed_signers; a revocation is told there, not enforced."""
        if not self.adds:
            return f"# revoked {self.fingerprint}"
        return f'{self.principal} namespaces="{NAMESPACE}" {self.public}'


def parse(text: str) -> Change:
    """Return what a ``key`` entry's text says; raises ValueError for any other text."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError("does not say which key it adds or revokes")
    if match["revoked"]:
        return Change(match["revoked"])
    if sshsig.fingerprint(match["public"]) != match["print"]:
        raise ValueError("gives a key another fingerprint than it has")
    return Change(match["print"], match["principal"], match["public"])


def listed(changes: Sequence[Change]) -> bytes:
    """Return what the archive's allowed_signers holds after these changes."""
    return "".join(f"{change.line}\n" for change in changes).encode()


def read_signers(file: Path) -> frozenset[str]:
    """Return the fingerprints of the Ed25519 keys that an auditor's signers file names for archives.

    Raises UsageError when it cannot be read, or holds options that this does not obey (only ``namespaces``
    is; a key that is no longer good is left out by removing its line).
    """
    try:
        lines = files.read_plain(file, 1_000_000).decode().splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"The signers file {file} cannot be read.", "Give a file for ssh-keygen -Y verify.") from error
    found = set()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise UsageError(
                f'{file} line {number} is not of the form: name namespaces="{NAMESPACE}" ssh-ed25519 AAAA…',
                "Write it so; other options are not obeyed here.",
            )
        if match["spaces"] is None or NAMESPACE in match["spaces"].split(","):
            found.add(sshsig.fingerprint(match["public"]))
    return frozenset(found)


def path() -> Path:
    """Return where this host's key is: ``OPS_ARCHIVE_KEY``, else in the user's state folder."""
    if given := os.environ.get("OPS_ARCHIVE_KEY"):
        return Path(given).absolute()
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state).absolute() / "opslib" / "archive-key"


def load(archive: Path, file: Path | None = None) -> sshsig.Signer:
    """Return this host's key, made at its first use unless ``OPS_ARCHIVE_KEY`` or ``file`` names one.

    Raises ArchiveError when it cannot be used, lies in the archive, or others than its owner could read it.
    """
    where = file or path()
    if Path(os.path.realpath(where)).is_relative_to(os.path.realpath(archive)):
        raise ArchiveError(f"The key {where} lies in the archive that it signs.", "Move it; set OPS_ARCHIVE_KEY.")
    try:
        if file is None and not os.environ.get("OPS_ARCHIVE_KEY") and not os.path.lexists(where):
            create(where)
        if stat.S_IMODE(where.stat().st_mode) & 0o077:
            raise ArchiveError(f"Others can read the key {where}.", f"chmod 600 {where}, or make a new one.")
        return sshsig.Signer(where)
    except (OSError, ValueError) as error:
        why = error.strerror or "it is no plain file" if isinstance(error, OSError) else f"it {error}"
        raise ArchiveError(
            f"The archive's key {where} cannot be used: {why}.", "Give another one with OPS_ARCHIVE_KEY."
        ) from error


def create(where: Path) -> None:
    """Make a new key at ``where``, whole or not at all; when another process was first, its key stays."""
    files.make_folder(where.parent)
    part = where.with_name(f".{where.name}.{secrets.token_hex(8)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(sshsig.generate())
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(part, where)
    finally:
        part.unlink()
    files.sync_folder(where.parent)


def own(signer: sshsig.Signer) -> Change:
    """Return the change that adds this host's key under this host's name."""
    word = re.sub(r"[^a-z0-9._-]", "-", socket.gethostname().lower())[:60]
    return Change(sshsig.fingerprint(signer.public), f"host@{word}", signer.public)


def introduce(log: Log, public: str, principal: str) -> Entry:
    """Add another host's key (``ssh-ed25519 AAAA…``) under a name such as ``host@ops-2``, signed by this host's.

    To be done before that host writes to the archive. Raises UsageError for a key or name that is none.
    """
    words = " ".join(public.split()[:2])
    try:
        change = parse(Change(sshsig.fingerprint(words), principal, words).text)
    except ValueError as error:
        raise UsageError(
            f"{principal} with {words[:40]}… {error}.", "Give a name like host@ops-2 and an Ed25519 public key."
        ) from error
    return log.append("key", "-", text=change.text)


def revoke(log: Log, fingerprint: str) -> Entry:
    """Say that a key (``SHA256:…``) signs no further entry, signed by this host's key; its old entries stay good.

    Raises UsageError for a fingerprint that is none.
    """
    if not re.fullmatch(_PRINT, fingerprint):
        raise UsageError(f"{fingerprint!r} is no fingerprint.", "Copy it from ops archive verify: SHA256:…")
    return log.append("key", "-", text=Change(fingerprint).text)
