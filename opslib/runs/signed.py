"""Signed statements as files, ``NAME`` with ``NAME.sig`` beside it, and whose keys count for them.

Approvals, mandates and people's words are such statements; each kind has a role in the allowed signers of its own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from opslib import files
from opslib.errors import Refused, UsageError
from opslib.runs import signers
from opslib.systems import ssh_keygen

LARGEST_SIGNATURE = 16 * 1024
LARGEST_LIST = 4 * 1024 * 1024
"""No list of allowed or revoked keys has more bytes."""

KEPT = ("allowed_signers", "revoked_keys")
"""The names under which the lists are kept beside statements that were verified with them."""

WHO = {signers.APPROVER: "an approver", signers.MANDATOR: "who may give mandates", signers.WITNESS: "a witness"}
"""Whom a role makes of a key's holder."""


@dataclass(frozen=True)
class Trust:
    """Whose keys count: the content of the allowed signers' file and, if there is one, of the revoked keys'."""

    signers: bytes
    revoked: bytes | None = None

    def kept(self) -> dict[str, bytes]:
        """Return the lists as files by name, to be kept beside what was verified with them."""
        return {KEPT[0]: self.signers, **({KEPT[1]: self.revoked} if self.revoked is not None else {})}


def trusted(allowed: Path | None, revoked: Path | None) -> Trust:
    """Return the lists of keys, read once.

    Raises Refused when one cannot be read or others than its owner can change it, and when nobody is allowed.
    """
    if allowed is None:
        raise Refused("Nobody's approval can be verified.", "Set OPS_ALLOWED_SIGNERS in the target description.")
    listed = None if revoked is None else _list(revoked, "revoked keys")
    if listed is not None and (fault := signers.revocation_fault(listed)):
        raise Refused(f"The list of revoked keys {revoked} {fault}.", "Make it again; until then nobody's key counts.")
    return Trust(_list(allowed, "allowed signers"), listed)


def _list(path: Path, what: str) -> bytes:
    advice = f"It must be a plain file of at most {LARGEST_LIST} bytes that its owner alone can write."
    try:
        # A list may be mounted as a link, so that links are followed here, and only here.
        handle = os.open(path.expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            content = file.read(LARGEST_LIST + 1) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise Refused(f"The list of {what} {path} cannot be read: {error.strerror}.", advice) from None
    if not stat.S_ISREG(status.st_mode) or len(content) > LARGEST_LIST:
        raise Refused(f"The list of {what} {path} is no plain file, or too large.", advice)
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(f"The list of {what} {path} can be written by others than its owner.", advice)
    return content


def demand(statement: bytes, armour: bytes, trust: Trust, role: str, principal: str, at: Iterable[datetime]) -> str:
    """Return the fingerprint of the key by which ``principal`` signed a statement in ``role``.

    The signature must hold at each moment of ``at``. Raises Refused that says why it does not count.
    """
    fingerprint = ssh_keygen.signer(armour, role)
    known = signers.parse(trust.signers)
    if why := signers.objection(known, fingerprint, principal, role):
        who = WHO[role]
        raise Refused(f"Not signed by {who}: {why}.", f"Have it signed by {who}, or correct the allowed signers.")
    for moment in dict.fromkeys(at):
        ssh_keygen.verify(
            statement,
            armour,
            principal=principal,
            namespace=role,
            signers=signers.with_role(known, role),
            revoked=trust.revoked,
            at=moment,
        )
    return fingerprint


def principal(key: str, given: str | None, trust: Trust | None, role: str, cannot: str) -> str:
    """Return the name under which the key with this fingerprint has ``role``.

    ``given`` is the name that was typed, needed without ``trust`` and where the key has several. Raises UsageError or
    Refused, with ``cannot`` first, where that is not clear.
    """
    if trust is not None:
        return signers.principal(signers.parse(trust.signers), key, given, role, cannot)
    if given is None:
        raise UsageError("Who signs?", "Say it with --as, or name the allowed signers with --signers.")
    return given


def pair(path: Path, most: int) -> tuple[bytes, bytes]:
    """Return a statement of at most ``most`` bytes, and its signature; raises Refused. Follows no links."""
    return statement_of(path, most), signature_of(path)


def statement_of(path: Path, most: int) -> bytes:
    """Return the statement alone."""
    return _read(path, most, "statement")


def signature_of(path: Path) -> bytes:
    """Return the signature that belongs to the statement at ``path``."""
    return _read(_beside(path), LARGEST_SIGNATURE, "signature")


def _read(path: Path, most: int, what: str) -> bytes:
    try:
        return files.read_plain(path, most)
    except FileNotFoundError:
        raise Refused(f"There is no {what}.") from None
    except OSError as error:
        why = f": {error.strerror}" if error.strerror else ""
        raise Refused(f"The {what} is a link, no plain file, or larger than {most} bytes{why}.") from None


def write(path: Path, statement: bytes, armour: bytes) -> None:
    """Write a statement and its signature; its folder is made where there is none."""
    files.make_folder(path.parent)
    # The signature first: a statement is never there without it.
    for target, content in ((_beside(path), armour), (path, statement)):
        files.write(target, content, target.with_name(f".{target.name}.{os.getpid()}.part"))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sig")


def shown(name: str) -> str:
    """Return the name of a file, which anybody may have chosen, as it can be told."""
    return "".join(c if c.isprintable() else "?" for c in name)[:120]
