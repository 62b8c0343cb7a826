"""What a notebook's process writes: standard output and error at both levels, Python's and the system's, in order.

The descriptors 1 and 2 are pipes that end here, so that what a subprocess or a C library writes is shown too. Before
anything is written by Python, these are emptied: a program that a cell has waited for stands before what the cell
prints next. One thread sends, so that an interrupted cell leaves no half of a message.
"""

from __future__ import annotations

import codecs
import io
import os
import select
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

SOON = 0.1
"""Seconds that a written text waits at most for more of it."""

LARGE = 1 << 16
"""Characters of text that are sent at once."""

MOST = 1 << 24
"""Bytes that wait to be sent at most: who writes faster than the runner reads waits then."""

Pack = Callable[[str, str], bytes]


class Stream(io.TextIOBase):
    """What stands as ``sys.stdout`` or ``sys.stderr``."""

    def __init__(self, outlet: Outlet, name: str, number: int) -> None:
        self._outlet, self._number = outlet, number
        self.name = f"<{name}>"
        self._kind = name
        self._nowhere = os.open(os.devnull, os.O_WRONLY)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Always this one."""
        return "UTF-8"

    def write(self, text: str) -> int:
        """Write; raises TypeError for what is no text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        if text:
            self._outlet.write(self._kind, self._number, text)
        return len(text)

    def writable(self) -> bool:
        """Yes."""
        return True

    def flush(self) -> None:
        """Send what was written."""
        self._outlet.flush()

    def fileno(self) -> int:
        """Return a descriptor that leads nowhere, as ipykernel's does for a kernel without a terminal."""
        return self._nowhere


class Outlet:
    """The way out of one process."""

    def __init__(self, line: socket.socket, pack: Pack) -> None:
        self._line, self._pack, self._process = line, pack, os.getpid()
        self._lock = threading.RLock()
        self._texts: list[list[str]] = []
        self._written, self._since = 0, 0.0
        self._frames: deque[bytes] = deque()
        self._room = threading.Condition(self._lock)
        self._waiting = 0
        self._over = False
        self._pipes = {self._pipe(1): "stdout", self._pipe(2): "stderr"}
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in self._pipes.values()}
        self._wake, self._woken = os.pipe()
        self._full, self._ready = select.poll(), select.poll()
        for pipe in self._pipes:
            self._full.register(pipe, select.POLLIN)
            self._ready.register(pipe, select.POLLIN)
        self._ready.register(self._wake, select.POLLIN)
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        self.stdout, self.stderr = Stream(self, "stdout", 1), Stream(self, "stderr", 2)
        self._thread = threading.Thread(target=self._work, name="outlet", daemon=True)
        self._thread.start()

    @staticmethod
    def _pipe(number: int) -> int:
        reading, writing = os.pipe()
        os.dup2(writing, number)
        os.close(writing)
        os.set_blocking(reading, False)
        return reading

    def write(self, name: str, number: int, text: str) -> None:
        """Take a text for the stream ``name``; of a forked process, by its descriptor ``number``."""
        if os.getpid() != self._process:
            os.write(number, text.encode("utf-8", "replace"))
            return
        with self._lock:
            self._drain()
            self._take(name, text)
            if self._written > LARGE or (self._since and time.monotonic() - self._since > SOON):
                self._pack_texts()
        self._wait_for_room()

    def flush(self) -> None:
        """Send all that was written so far, and return when it is sent."""
        if os.getpid() == self._process:
            with self._lock:
                self._drain()
                self._pack_texts()
            self._wait_for_room(0)

    def send(self, frame: bytes) -> None:
        """Send a message after all that was written before it; of a forked process nothing."""
        if os.getpid() == self._process:
            with self._lock:
                self._drain()
                self._pack_texts()
                self._queue(frame)
            self._wait_for_room()

    def close(self) -> None:
        """Send what is left, and no more."""
        self.flush()
        self._over = True
        self._rouse()
        self._thread.join()
        # Nobody empties the pipes any more: what is written at the very end must not wait for that.
        for number in (1, 2):
            os.dup2(self.stdout.fileno(), number)

    def _take(self, name: str, text: str) -> None:
        if not self._texts:
            self._since = time.monotonic()
            self._rouse()
        if self._texts and self._texts[-1][0] == name:
            self._texts[-1].append(text)
        else:
            self._texts.append([name, text])
        self._written += len(text)

    def _drain(self) -> None:
        """Take what stands in the pipes."""
        while found := self._full.poll(0):
            for pipe, _ in found:
                name = self._pipes[pipe]
                if text := self._decoders[name].decode(os.read(pipe, LARGE)):
                    self._take(name, text)
            if self._written > LARGE:
                self._pack_texts()

    def _pack_texts(self) -> None:
        texts, self._texts, self._written, self._since = self._texts, [], 0, 0.0
        for name, *parts in texts:
            self._queue(self._pack(name, "".join(parts)))

    def _queue(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._waiting += len(frame)
        self._rouse()

    def _rouse(self) -> None:
        with suppress(BlockingIOError):  # it is awake
            os.write(self._woken, b"x")

    def _wait_for_room(self, most: int = MOST) -> None:
        if self._waiting > most:
            with self._room:
                self._room.wait_for(lambda: self._waiting <= most)

    def _work(self) -> None:
        # The interrupt is the cell's.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            while not self._over or self._frames:
                self._look()
                self._send_frames()
        except BaseException:
            # The runner is gone, or a cell has closed what was not its own: nothing can be shown any more.
            os._exit(1)

    def _look(self) -> None:
        """Wait until there is something to do, and take what stands in the pipes."""
        self._ready.poll(SOON * 1000 if self._texts else None)
        with suppress(BlockingIOError):
            os.read(self._wake, 512)
        with self._lock:
            self._drain()
            if self._since and time.monotonic() - self._since >= SOON:
                self._pack_texts()

    def _send_frames(self) -> None:
        while self._frames:
            frame = self._frames.popleft()
            self._line.sendall(frame)
            with self._room:
                self._waiting -= len(frame)
                self._room.notify_all()
