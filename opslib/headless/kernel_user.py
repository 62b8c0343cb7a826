"""The operating system user that notebooks run as, when it is not the executor's own.

With such a user (``OPS_KERNEL_USER``) a notebook can neither read the executor's environment, files and
archive nor send it a signal: the operating system keeps them apart, not our code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from opslib.errors import SettingsError

NEEDED = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7}
"""What the executor must be allowed to, by bit: give files and a process to that user, and reach and end them."""

KERNEL = "kernel"
"""Folder in a run's private one that belongs to the kernel's user: home, IPython's folder, the kernel's sockets."""


@dataclass(frozen=True)
class Account:
    """A user of this machine, with the numbers that its processes carry."""

    name: str
    uid: int
    gid: int

    def take(self, private: Path, *sockets: Path) -> None:
        """Give this user ``sockets`` and a folder of its own in ``private``, which stays the executor's."""
        # Nobody but the executor can put a file there; that user may pass to what belongs to it.
        private.chmod(0o711)
        home = private / KERNEL
        home.mkdir(mode=0o700, exist_ok=True)
        for path in (home, *sockets):
            os.chown(path, self.uid, self.gid)

    def environment(self, private: Path) -> dict[str, str]:
        """Return the variables by which programs find this user's folders in ``private``."""
        home = private / KERNEL
        own = {"HOME": home, "IPYTHONDIR": home / "ipython", "JUPYTER_RUNTIME_DIR": home}
        return {"USER": self.name, "LOGNAME": self.name} | {name: str(path) for name, path in own.items()}


def account(name: str | None, *kept_from: Path) -> Account | None:
    """Return the user ``name``, or None for none; raises SettingsError where notebooks cannot run as it.

    That includes that it could read one of ``kept_from``, those of them that there are.
    """
    if name is None:
        return None
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise SettingsError(f"OPS_KERNEL_USER: this machine has no user {name}.", "Create it: useradd -r …") from None
    found = Account(name, entry.pw_uid, entry.pw_gid)
    if found.uid in (0, os.getuid()):
        raise SettingsError(
            f"OPS_KERNEL_USER: {name} would not be kept apart from the executor.", "Name a user without any rights."
        )
    if missing := _missing():
        raise SettingsError(
            f"OPS_KERNEL_USER: this process may not start notebooks as {name} (without {', '.join(missing)}).",
            "Run the executor as root, or by a service that grants it those capabilities.",
        )
    _can_start(found)
    _cannot_read(found, kept_from)
    return found


def _cannot_read(user: Account, kept_from: tuple[Path, ...]) -> None:
    there = [str(path.resolve()) for path in kept_from if path.exists()]
    code = "import os, sys; print(*(p for p in sys.argv[1:] if os.access(p, os.R_OK)))"
    said = _as(user, [sys.executable, "-I", "-S", "-c", code, *there])
    if open_to := said.stdout.split():
        raise SettingsError(
            f"OPS_KERNEL_USER: {user.name} can read {', '.join(open_to)}.", "Take the rights of others: chmod o-rwx …"
        )


def _can_start(user: Account) -> None:
    try:
        said = _as(user, [sys.executable, "-I", "-c", "import opslib, ipykernel"])
    except PermissionError as error:
        raise SettingsError(
            f"OPS_KERNEL_USER: {user.name} cannot run {error.filename}.", "Install Python where that user may read."
        ) from None
    if said.returncode:
        last = said.stderr.strip().rpartition("\n")[2]
        raise SettingsError(
            f"OPS_KERNEL_USER: {user.name} cannot import opslib and ipykernel ({last}).",
            "Install them where that user may read.",
        )


def _as(user: Account, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        cwd="/",
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _missing() -> list[str]:
    """Return the capabilities that this process lacks; without /proc, root has them all and others none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        held = int(next(line for line in lines if line.startswith("CapEff:")).split()[1], 16)
    except (OSError, StopIteration):
        return [] if os.geteuid() == 0 else list(NEEDED)
    return [name for name, bit in NEEDED.items() if not held >> bit & 1]
