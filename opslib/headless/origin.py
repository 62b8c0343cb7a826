"""Who runs this, and which code: what a record says of a run's origin."""

from __future__ import annotations

import hashlib
import os
import platform
import pwd
import re
import socket
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from opslib.places import ROOT

CODE = (".py", ".sql", ".sh", ".tsv", ".html", ".css", ".js")
"""Endings of the files that decide what a run does."""


NOBODY = 2**32 - 1
"""What the kernel gives as the login of a process that nobody logged in for (a service, a container)."""

FIRST_PERSON = 500 if sys.platform == "darwin" else 1000
"""Users with smaller numbers are the system's and its services'; several people work as one of those."""


def who() -> str:
    """Return the operating system's name of the person who runs this: the one who logged in, where that is known.

    What sudo says counts only for a service's user and for root. A person's own process could say anything
    there, so that somebody else seemed to have asked for what this person then approves.
    """
    return names()[0]


def names() -> tuple[str, ...]:
    """Return every name of who runs this, the likeliest first: who logged in, whose process it is, who called sudo."""
    return tuple(map(name_of, numbers(os.getuid(), login(), os.environ)))


def numbers(uid: int, login: int, said: Mapping[str, str]) -> list[int]:
    """Return the numbers of these users, the likeliest first; ``said`` is the environment, where sudo says its own."""
    sudo = said.get("SUDO_UID", "")
    called = int(sudo) if re.fullmatch("[0-9]{1,10}", sudo) and said.get("SUDO_COMMAND") else NOBODY
    likely = (login, uid, called) if uid >= FIRST_PERSON else (login, called, uid)
    return [number for number in dict.fromkeys(likely) if number < NOBODY]


def login(path: Path = Path("/proc/self/loginuid")) -> int:
    """Return the number of the user who logged in; NOBODY where the system does not know."""
    try:
        # Set once at login, kept through sudo and su, and changed by root only.
        return int(path.read_text())
    except (OSError, ValueError):
        return NOBODY


def name_of(uid: int) -> str:
    """Return a user's name; one of its own making where the system has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def where() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def versions() -> dict[str, str]:
    """Return the versions of what decides how a run goes."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("opslib", "papermill")} | {"python": platform.python_version()}


def commit(root: Path = ROOT) -> str | None:
    """Return the commit of the project's folder, from git's own files; None where there are none."""
    # No program is started for a note in the record.
    try:
        head = (root / ".git" / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        return (root / ".git" / head.removeprefix("ref: ")).read_text().strip()
    except OSError:
        return None


@cache
def code_sha256() -> str:
    """Return one SHA-256 over the package's files and the lock of its dependencies: which code an approval is for."""
    package = str(Path(__file__).resolve().parent.parent)
    # Names alone: a thousand path objects would cost more than to read and to hash what they lead to.
    found = (f"{folder}/{name}" for folder, _, names in os.walk(package) for name in names if name.endswith(CODE))
    files = sorted(path.split("/") for path in found if os.path.isfile(path))  # noqa: PTH113
    named = [("/".join(parts), "/".join(parts)[len(package) + 1 :]) for parts in files]
    lock = ROOT / "uv.lock"
    sums = hashlib.sha256()
    for path, name in [*named, *([(str(lock), lock.name)] if lock.is_file() else [])]:
        with open(path, "rb", 0) as stream:  # noqa: PTH123
            sums.update(f"{hashlib.sha256(stream.read()).hexdigest()}  {name}\n".encode())
    return sums.hexdigest()
