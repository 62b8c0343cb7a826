"""``ssh-keygen``: signs and verifies text with SSH keys, so that whoever audits can do the same by hand.

A closed list of operations, argument lists only, a small environment of our own, a wall-clock limit. What
is verified is what the caller holds: the program gets unnamed, sealed files in memory made of those bytes
(where the system has none, a private folder that is gone afterwards), never a name that may change meanwhile.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from opslib import sshsig
from opslib.errors import Refused, Unreachable, UsageError

Operation = Literal["sign", "verify", "match", "fingerprint"]
OPERATIONS: dict[Operation, tuple[str, ...]] = {
    "sign": ("-q", "-Y", "sign"),
    "verify": ("-Y", "verify"),
    "match": ("-Y", "check-novalidate"),
    "fingerprint": ("-l", "-E", "sha256"),
}
"""What the program may be started for, each with the options that it always gets."""

SECONDS = 20.0
WITH_A_PERSON = 180.0
"""Wall-clock limits in seconds; the second where a person may have to type a pass phrase or touch a key."""

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,79}", re.ASCII)
"""What a principal and a namespace look like here: no pattern, no separator, no leading dash."""

_FINGERPRINT = re.compile(r"[0-9]+ (SHA256:[A-Za-z0-9+/]{43}) ", re.ASCII)
_INSTALL = "Install OpenSSH's client programs (Debian: apt-get install openssh-client)."


def find() -> Path:
    """Return where ``ssh-keygen`` is on the PATH; raises UsageError that says what to install."""
    found = shutil.which("ssh-keygen")
    if found is None:
        raise UsageError("ssh-keygen is not installed; approvals are signed and verified with it.", _INSTALL)
    return Path(found).absolute()


def sign(data: bytes, namespace: str, key: Path) -> bytes:
    """Return the signature of ``data`` for ``namespace``, armoured.

    ``key`` is a private key's file, or a public key's whose private half is in the ssh-agent. A pass phrase, a
    PIN or a touch is asked for only on a terminal. Raises UsageError when the key cannot sign, Unreachable when
    nobody answered in time.
    """
    _worded(namespace)
    person = sys.stdin is not None and sys.stdin.isatty()
    code, armour, said = _run("sign", ["-n", namespace, "-f", str(_key(key))], data, person=person)
    if code != 0 or not sshsig.canonical(armour):
        hint = "" if person else " On no terminal no pass phrase can be typed: put the key into an ssh-agent."
        raise UsageError(
            f"The key {key} did not sign: {_last(said)}", f"Check the file, its mode (0600) and its pass phrase.{hint}"
        )
    return armour


def fingerprint(key: Path) -> str:
    """Return ``SHA256:…`` of a private or public key's file; needs no pass phrase. Raises UsageError."""
    code, told, said = _run("fingerprint", ["-f", str(_key(key))], b"")
    found = _FINGERPRINT.match(told.decode(errors="replace"))
    if code != 0 or found is None:
        raise UsageError(f"{key} is no SSH key: {_last(said)}", "Name a key's file, private or public.")
    return found.group(1)


def signer(armour: bytes, namespace: str) -> str:
    """Return the fingerprint of the key that a signature names, nothing of it being verified.

    Raises Refused when ``armour`` is no signature in its one canonical form, or one for another namespace.
    """
    try:
        parts = sshsig.parse(armour)
    except ValueError as error:
        raise Refused(f"The signature {error}.", "Sign again; copy signature files byte by byte.") from None
    if parts.namespace != namespace.encode():
        shown = parts.namespace.decode(errors="replace")[:80]
        raise Refused(
            f"The signature was made for the namespace {shown!r}, not {namespace}.", f"Sign with -n {namespace}."
        )
    return "SHA256:" + base64.b64encode(hashlib.sha256(parts.key).digest()).decode().rstrip("=")


def verify(
    data: bytes,
    armour: bytes,
    *,
    principal: str,
    namespace: str,
    signers: bytes,
    revoked: bytes | None,
    at: datetime,
) -> str:
    """Return the fingerprint of the key with which ``principal`` signed ``data`` for ``namespace``.

    ``signers`` is the content of an allowed_signers file, ``revoked`` of a key revocation list or of a list of
    public keys; both must hold at the moment ``at``. Raises Refused that says why it does not count: no
    signature, another namespace, other content, unknown or expired or revoked key; Unreachable when too slow.
    """
    _worded(namespace)
    _worded(principal)
    mark = signer(armour, namespace)
    moment = f"verify-time={at.astimezone(UTC):%Y%m%d%H%M%SZ}"
    named = ["-n", namespace, "-I", principal, "-O", moment]
    with _held(armour, signers, *([] if revoked is None else [revoked])) as (names, handles):
        trusted = [*named, "-s", names[0], "-f", names[1]]
        listed = [] if revoked is None else ["-r", names[2]]
        code, told, said = _run("verify", [*trusted, *listed], data, handles=handles)
        expected = f'Good "{namespace}" signature for {principal} with '
        good = told.decode(errors="replace").strip()
        if code == 0 and good.startswith(expected) and good.endswith(f" key {mark}"):
            return mark
        if _run("match", ["-n", namespace, "-s", names[0]], data, handles=handles)[0] != 0:
            why = "the signature does not belong to this text: one of them was changed or copied"
        elif listed and _run("verify", trusted, data, handles=handles)[0] == 0:
            why = f"the key {mark} is revoked, or the list of revoked keys cannot be read"
        else:
            why = _why(said, principal, mark)
    raise Refused(f"Not signed by {principal}: {why}.", "Ask for a new signature by a key that is allowed.")


def _why(said: str, principal: str, mark: str) -> str:
    if "key has expired" in said:
        return f"the key {mark} has expired (valid-before)"
    if "not yet valid" in said:
        return f"the key {mark} is not yet valid (valid-after)"
    if "not permitted" in said:
        return f"the key {mark} is not allowed for this namespace"
    return f"the key {mark} is not one of {principal}'s allowed keys"


def _worded(word: str) -> None:
    if not WORD.fullmatch(word):
        raise Refused(f"{word[:80]!r} is no name of a signer or a namespace.", "Use letters, digits and . _ @ + -")


def _key(key: Path) -> Path:
    path = Path(os.path.abspath(key.expanduser()))  # noqa: PTH100 - a link to a key stays the name that is shown
    if not path.is_file():
        raise UsageError(
            f"There is no key file {key}.", "Name your SSH key with --key, or make one: ssh-keygen -t ed25519"
        )
    return path


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    shown = lines[-1] if lines else "ssh-keygen does not say why"
    return "".join(c for c in shown if c.isprintable())[:300].rstrip(".") + "."


def _run(
    operation: Operation, arguments: Sequence[str], data: bytes, *, handles: tuple[int, ...] = (), person: bool = False
) -> tuple[int, bytes, str]:
    """Start the program with ``data`` as its input; returns exit code, output, and what it told (C locale)."""
    environment = {"LANG": "C", "LC_ALL": "C", "TZ": "UTC", "SSH_ASKPASS_REQUIRE": "never"}
    if operation == "sign" and (agent := os.environ.get("SSH_AUTH_SOCK")):
        environment["SSH_AUTH_SOCK"] = agent
    seconds = WITH_A_PERSON if person else SECONDS
    with subprocess.Popen(
        [str(find()), *OPERATIONS[operation], *arguments],
        env=environment,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A person must see that a security key waits to be touched; without a terminal of its own it cannot ask.
        stderr=None if person else subprocess.PIPE,
        start_new_session=not person,
        pass_fds=handles,
    ) as process:
        try:
            told, said = process.communicate(data, timeout=seconds)
        except subprocess.TimeoutExpired:
            _kill(process, group=not person)
            raise Unreachable(
                f"ssh-keygen ({operation}) gave no answer within {seconds:g} s.", "Look at the ssh-agent.", "slow"
            ) from None
        except BaseException:
            _kill(process, group=not person)
            raise
    return process.returncode, told, (said or b"").decode(errors="replace")


def _kill(process: subprocess.Popen[bytes], *, group: bool) -> None:
    with suppress(ProcessLookupError):
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


@contextmanager
def _held(*contents: bytes) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """Hand out names under which the program finds each content, and the file handles that it must inherit."""
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryDirectory(prefix="ops-") as folder:
            paths = [Path(folder, str(number)) for number in range(len(contents))]
            for path, content in zip(paths, contents, strict=True):
                path.write_bytes(content)
            yield [str(path) for path in paths], ()
        return
    handles: list[int] = []
    try:
        for content in contents:
            handles.append(os.memfd_create("opslib", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
            with os.fdopen(handles[-1], "wb", closefd=False) as file:
                file.write(content)
            seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
            fcntl.fcntl(handles[-1], fcntl.F_ADD_SEALS, seals)
        yield [f"/proc/self/fd/{handle}" for handle in handles], tuple(handles)
    finally:
        for handle in handles:
            os.close(handle)
