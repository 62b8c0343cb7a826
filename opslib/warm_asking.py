"""Asking the process that stands by with everything imported (``ops warm``) for a run.

Nothing is imported for it but what the interpreter has built in: that is what a trivial run would pay for. Where nobody
answers, or says no, the command line goes on by itself; an absent process only costs time.

A request is one message with six handles: standard input, output and error; the current folder; a file in memory with
the command line and the environment, which only the process forked for this run reads; and one end of a second line.
On that the fork says ``R`` when it is ready, and begins at ``G`` and never without. So a command is carried out once:
there or here. On the first line go the numbers of signals that come, and at the end the fork's wait status comes back.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import atexit
import os
import stat
import sys

ASK, READY, GO = b"run", b"R", b"G"
HANDLES = 6
PATIENCE = 10.0
"""Seconds within which the fork is ready; then the command line goes on by itself."""

LOST = 5
"""Exit code where the process that carries out the run is gone: as of a run that was broken off."""

FORWARDED = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)


def folder() -> str:
    """Return the folder of the sockets: this user's alone."""
    return f"{os.environ.get('XDG_RUNTIME_DIR') or '/tmp'}/opslib-warm-{os.getuid()}"  # noqa: S108 - checked by owns


def place() -> str:
    """Return what a process must have been started from to be the right one: interpreter and package."""
    return f"{sys.executable}\n{sys.version}\n{os.path.dirname(os.path.abspath(__file__))}"  # noqa: PTH100, PTH120


def socket_of(where: str) -> str:
    """Return the path of the socket for a :func:`place`: its name is a sum of that (FNV-1a of 32 bits)."""
    found = 0x811C9DC5
    for byte in where.encode():
        found = (found ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{folder()}/{found:08x}"


def owns(path: str) -> bool:
    """Return whether ``path`` is a folder of this user that nobody else can enter."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def ask(arguments: list[str]) -> None:
    """Have the command carried out and exit as it did; returns where it must be carried out here."""
    if not owns(folder()):
        return
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        line.connect(socket_of(place()))
        started = _started(line, arguments)
    except OSError:
        started = False
    if not started:
        line.close()
        return
    _end(_followed(line))


def _started(line: _socket.socket, arguments: list[str]) -> bool:
    """Ask, and return whether the run begins; until then nothing is done anywhere."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    asked = os.memfd_create("asked")
    try:
        os.write(asked, _written(arguments))
        given = (0, 1, 2, here, asked, theirs.fileno())
        handles = b"".join(handle.to_bytes(4, sys.byteorder) for handle in given)  # as C has its int
        line.sendmsg([ASK], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, handles)])
    finally:
        theirs.close()
        os.close(here)
        os.close(asked)
    ours.settimeout(PATIENCE)
    if ours.recv(1) != READY:
        return False
    ours.send(GO)
    ours.close()
    return True


def _written(arguments: list[str]) -> bytes:
    umask = os.umask(0o077)
    os.umask(umask)
    said = [os.fsencode(place()), b"%d" % umask, b"%d" % len(arguments), *map(os.fsencode, arguments)]
    return b"\0".join(said + [name + b"=" + value for name, value in os.environb.items()])


def _followed(line: _socket.socket) -> int:
    """Pass on what signals come, and return the wait status of the run's process; -1 where it was lost."""

    def pass_on(number: int, frame: object) -> None:
        try:  # noqa: SIM105 - an import that would be for this alone
            line.send(bytes([number]))
        except OSError:
            pass  # it has ended; its status is there

    for number in FORWARDED:
        # What is ignored here is ignored there; only SIGTERM ends a run in any case, as it does without who stands by.
        if number == _signal.SIGTERM or _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, pass_on)
    try:
        said = line.recv(16)
    except OSError:
        said = b""
    return int(said) if said else -1


def _end(status: int) -> None:
    """Exit as a process with this wait status did."""
    if status < 0:
        sys.stderr.write("✗ The process that carried out the run is gone (ops warm).\n  See: ops archive list\n")
        sys.exit(LOST)
    if os.WIFSIGNALED(status):
        _signal.signal(os.WTERMSIG(status), _signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    # It has shown nothing itself: to take the interpreter apart would be a fifth of what its start takes.
    atexit._run_exitfuncs()
    os._exit(os.waitstatus_to_exitcode(status))
