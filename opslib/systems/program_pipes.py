"""A program that reads and answers at once: its input is written by a thread while its output is read."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from subprocess import PIPE

from opslib.errors import StepFailed
from opslib.redaction import SecretUrl
from opslib.systems.program_inputs import Program
from opslib.systems.programs import ENDING, Child, fitting, started


@contextmanager
def through(
    program: Program,
    arguments: Sequence[str],
    source: Iterable[bytes],
    *,
    url: SecretUrl | None = None,
    server_version: str,
    seconds: float,
) -> Iterator[Iterator[bytes]]:
    """Start a program, give it ``source``, and hand out its output; without ``url`` it gets no address.

    The iterator raises what ``source`` raised, else StepFailed when the program ends with anything but 0; otherwise
    as :func:`~opslib.systems.programs.stream`.
    """
    fitting(program, server_version)
    with started(program, url, arguments, seconds, stdin=PIPE) as child:
        feeding = _Feeding(child, source)
        try:
            yield feeding.output()
        finally:
            child.kill()
            feeding.thread.join(ENDING)


class _Feeding:
    """Writes to a program's input until there is nothing left, or nobody reads it."""

    def __init__(self, child: Child, source: Iterable[bytes]) -> None:
        self._child, self._source = child, source
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._write, daemon=True)
        self.thread.start()

    def output(self) -> Iterator[bytes]:
        """Yield the program's output; what broke its input off says more than the program does."""
        try:
            yield from self._child.output()
        except StepFailed:
            self._ended()
            raise
        self._ended()

    def _ended(self) -> None:
        self.thread.join(ENDING)
        if self._error is not None:
            raise self._error

    def _write(self) -> None:
        pipe = self._child.process.stdin
        assert pipe is not None
        try:
            for piece in self._source:
                pipe.write(piece)
        except BrokenPipeError:
            # It has ended, and says itself why.
            return
        except BaseException as error:
            self._error = error
        finally:
            with suppress(OSError):
                pipe.close()
