"""Starting the process of a run's notebook before anything else is imported: it imports while its runner does.

As :mod:`opslib.warm_asking` this is built of what the interpreter has built in. The process holds nothing of a target
and is nobody's kernel yet (:mod:`opslib.headless.kernel_ahead_process`): what it is to be comes from its runner, when
that has read the description, checked the call and opened the run. A runner that refuses before never asks, and the
process ends with it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys

FORK = b"fork"
"""What a runner says with the handles of a request."""

READY, TAKEN, TOLD, UNFIT = b"ready", b"taken", 65536, 3
"""What a kernel that stands by says, when it is complete and when it is somebody's; bytes that it is told at most; its
exit code where none can stand by."""

MARK, ROOM = "OPS_KERNEL", 512
"""The variable by which a kernel's processes are found, and how many bytes a process is started with for it."""

PLAIN = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "SSL_CERT_FILE")
"""What it is started with: nothing of any target."""

PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
"""The variable by which pydantic looks for no plugins; notebooks' processes do not get it."""

OTHERWISE = frozenset({"--all", "--kernel", "--help", "-h"})
"""Words with which a command line has no process for its cells, or several, or one of another kind."""

begun: tuple[int, _socket.socket] | None = None
"""The process that was started, by its number, and the line to it; whoever uses it takes it from here."""


def begin(arguments: list[str]) -> None:
    """Start it for the command line ``run …``; where it can't be, the runner starts one as ever."""
    global begun
    if OTHERWISE & set(arguments):
        return
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    # From the notebook's text comes what may be imported in the time that is left.
    named = [_notebook(word) for word in arguments[1:] if "/" in word and word[0] != "-" and "=" not in word]
    environment = {name: os.environ[name] for name in PLAIN if name in os.environ}
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", "opslib.headless.kernel_ahead_process", *named[:1]],
            environment | {MARK: " " * ROOM, "PYTHONSAFEPATH": "1", PLUGINS: "__all__"},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsigdef=(_signal.SIGPIPE, _signal.SIGXFSZ),
        )
    except (OSError, NotImplementedError):
        ours.close()
    else:
        begun = pid, ours
    theirs.close()


def _notebook(name: str) -> str:
    package = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - no path objects yet
    return f"{os.environ.get('OPS_NOTEBOOKS') or f'{package}/../notebooks'}/{name}.ipynb"
