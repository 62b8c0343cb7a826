"""Who asks a standing process for a run: somebody who could start one just so, or nobody.

What is forked for a run is a child of the process that stands by, and not of who asked. So whoever is confined, by a
notebook's guardian, a container, a limit or a lost right, must not come out of that by asking: everything that a
process hands down to its children has to be alike on both sides. Where it isn't, or can't be seen, the answer is no,
and the command line goes on by itself, confined as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from opslib.warm_ahead import MARK

ALIKE = (
    *("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"),
    *("Cpus_allowed", "Mems_allowed"),
)
"""Fields of proc(5)'s status that a process hands down."""

FILES = ("limits", "cgroup", "loginuid", "oom_score_adj")
"""Files of /proc/PID that say what else it hands down; loginuid is whom a record names as the one who asked."""

SPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
"""Name spaces."""

AT_IMPORT = (
    *("PYTHON", "LANG", "LC_", "SSL_CERT_", "OPENSSL_", "LD_", "MALLOC_", "GLIBC_", "OMP_", "OPENBLAS_", "MKL_"),
    *("PSYCOPG_", "CRYPTOGRAPHY_", "PYDANTIC_", "COVERAGE_", "NUMBA_"),
)
"""Beginnings of the variables that the interpreter and libraries have read by the time of a fork."""


def at_import(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables that must be alike for a fork to be what a fresh process would be."""
    return {name: value for name, value in environment.items() if name.startswith(AT_IMPORT)}


def refused(pid: int) -> str:
    """Return why the process ``pid`` gets no run from this one; empty where it does."""
    try:
        asker, own = _status(pid), _status(os.getpid())
        if other := [name for name in ALIKE if asker.get(name) != own.get(name)]:
            return f"{', '.join(other)} are not alike"
        for name in FILES:
            if _read(pid, name) != _read(os.getpid(), name):
                return f"{name} is not alike"
        for name in SPACES:
            if _space(pid, name) != _space(os.getpid(), name):
                return f"another name space: {name}"
        if os.getpriority(os.PRIO_PROCESS, pid) != os.getpriority(os.PRIO_PROCESS, 0):
            return "another priority"
        return _of_a_notebook(pid, asker.get("Uid", ""))
    except (OSError, ValueError) as error:
        return f"cannot be seen ({error})"


def _of_a_notebook(pid: int, users: str) -> str:
    """Say that a process is a notebook's: it, or one above it, carries a kernel's mark, or may and hides it."""
    for one in _upwards(pid):
        if one == os.getpid():
            return "it is of a run of this process"
        try:
            environment = _read(one, "environ")
        except PermissionError:
            # The first process of all is no notebook's guardian, and another user's (the shell's server) neither.
            if one != 1 and _status(one).get("Uid") == users:
                return f"process {one} above it cannot be looked into"
            continue
        if any(part.startswith(f"{MARK}=".encode()) for part in environment.split(b"\0")):
            return "it is of a notebook"
    return ""


def _upwards(pid: int) -> Iterator[int]:
    """Yield ``pid`` and who is above it. An orphan below a guardian becomes its child: nothing gets out of reach."""
    while pid > 0:
        yield pid
        pid = int(_status(pid)["PPid"])


def _status(pid: int) -> dict[str, str]:
    rows = (line.partition(":") for line in _read(pid, "status").decode(errors="replace").splitlines())
    return {name: value.strip() for name, _, value in rows}


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except FileNotFoundError:
        if not Path(f"/proc/{pid}").exists():
            raise
        return b""  # a system without it


def _space(pid: int, name: str) -> str:
    path = f"/proc/{pid}/ns/{name}"
    return os.readlink(path) if os.path.lexists(path) else ""  # noqa: PTH115
