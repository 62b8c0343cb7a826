"""npm, started to build the front end: in a folder of its own, with an environment of its own, as whom the guard names.

A build runs the code of everybody whose package it uses. It gets no variable of this process and no credential; where
``OPS_KERNEL_USER`` is set it runs as that user, who can read neither the executor's memory nor its files. Nothing is
installed globally. Sources: npm's manual (ci, run); Vite, "Env Variables and Modes".
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from opslib.errors import Refused, UsageError
from opslib.redaction import Redactor, Secret
from opslib.settings import Settings
from opslib.systems.deadline import deadline
from opslib.systems.programs import CHUNK, GUARDIAN, Child, leash

INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")
"""What the lock file names, exactly; packages' own scripts do not run when they are installed."""
BUILD = ("run", "build")
ALLOWED = (INSTALL, BUILD)
VERSION_SECONDS, PATIENCE_MILLISECONDS = 30.0, "500"
LAST = 2000
"""Characters of the output that are told of a build that failed."""


@dataclass(frozen=True)
class Tools:
    """Versions of what builds."""

    node: str
    npm: str


class ReadOnlyBuilder:
    """Says which Node and npm this machine has."""

    def __init__(self, settings: Settings) -> None:
        self.user = settings.kernel_user
        self.lab = settings.environment == "lab"

    def tools(self) -> Tools:
        """Return their versions; raises UsageError where one is not installed, or does not say it."""
        return Tools(_version("node"), _version("npm"))

    def kept_apart(self) -> None:
        """Raise Refused where a build would run as the executor itself, on anything but a lab."""
        if self.user is None and not self.lab:
            raise Refused(
                "A build runs the code of every package that it uses, here as the executor, who holds the credentials.",
                "Set OPS_KERNEL_USER: the build then runs as that user. Or let the hoster build.",
            )

    def close(self) -> None:
        """Nothing stays open."""


class Builder(ReadOnlyBuilder):
    """Also starts npm."""

    def prepare(self, folder: Path) -> None:
        """Give ``folder``, and all that is in it, to whoever builds."""
        if self.user is None:
            return
        who = pwd.getpwnam(self.user)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, who.pw_uid, who.pw_gid, follow_symlinks=False)

    def run(
        self, arguments: Sequence[str], folder: Path, home: Path, variables: Mapping[str, Secret], seconds: float
    ) -> None:
        """Run npm in ``folder`` and wait for its end.

        Raises StepFailed when it ends with anything but 0, Unreachable after ``seconds``; then all of it is ended.
        """
        if tuple(arguments) not in ALLOWED:
            raise Refused(f"npm is not started with {' '.join(arguments)[:40]}.", "It is not on the list.")
        who = pwd.getpwnam(self.user) if self.user else None
        with leash() as held:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    GUARDIAN,
                    str(held),
                    f"{PATIENCE_MILLISECONDS}",
                    str(_find("npm")),
                    *arguments,
                ],
                env=_environment(home) | {name: value.reveal() for name, value in variables.items()},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(held,),
                user=who.pw_uid if who else None,
                group=who.pw_gid if who else None,
                extra_groups=[] if who else None,
            )
            child = _Build(process, f"npm {' '.join(arguments)}", Redactor(variables.values()))
            try:
                with deadline(seconds, child.what, child.kill):
                    child.read()
                    child.finish()
            finally:
                child.kill()


class _Build(Child):
    """npm, whose output and errors come as one; the last of it is kept."""

    def __init__(self, process: subprocess.Popen[bytes], what: str, redactor: Redactor) -> None:
        self.process, self.what = process, what
        self._redactor, self._said = redactor, b""

    def read(self) -> None:
        """Read what it says to its end."""
        assert self.process.stdout is not None
        with self.process.stdout as pipe:
            while piece := pipe.read(CHUNK):
                self._said = (self._said + piece)[-4 * LAST :]

    def warnings(self) -> str:
        """Return the last of what it said, redacted."""
        return self._redactor.text(self._said.decode(errors="replace")).strip()[-LAST:]


def _environment(home: Path) -> dict[str, str]:
    places = [str(_find("node").parent), "/usr/local/bin", "/usr/bin", "/bin"]
    return {
        "PATH": os.pathsep.join(dict.fromkeys(places)),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "CI": "1",
        "npm_config_cache": str(home / "npm"),
        "npm_config_update_notifier": "false",
        "npm_config_globalconfig": os.devnull,
    }


def _find(program: str) -> Path:
    found = shutil.which(program)
    if found is None:
        raise UsageError(
            f"{program} is not installed on this machine.",
            "Install Node.js here, or let the hoster build (Vercel, Cloudflare Pages).",
        )
    return Path(found).absolute()


def _version(program: str) -> str:
    said = ""
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(
            [str(_find(program)), "--version"],
            env={"LANG": "C", "PATH": f"{_find('node').parent}{os.pathsep}/usr/bin:/bin", "HOME": "/nonexistent"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_SECONDS,
            check=True,
        ).stdout.decode()
    found = re.fullmatch(r"v?(\d+(\.\d+){1,3}[\w.-]*)", said.strip())
    if found is None:
        raise UsageError(f"{program} does not say its version: {said[:60]!a}.", "Look at how it is installed.")
    return found[1]
