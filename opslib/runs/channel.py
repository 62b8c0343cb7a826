"""The private line between a notebook's process and its executor: JSON lines over a Unix socket.

The notebook asks with one object ``{"verb": …}`` and gets any number of ``{"progress": …}`` objects, then
one ``{"answer": …}`` or ``{"error": …}``. Nothing but plain data crosses; actions are named, never sent.
"""

from __future__ import annotations

import json
import os
import select
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from opslib import errors
from opslib.errors import OpsError

SOCKET = "OPS_RUN_SOCKET"
"""Environment variable that leads a notebook's process to its executor; set by the runner."""

LONGEST = 32 * 1024 * 1024
"""Bytes of one message at most; a longer one ends the connection."""

DEEPEST = 64
"""How deep lists and objects of one message may lie in one another; what reads the record later has a limit, too."""

LINES = 8
"""Connections at the same time at most. A notebook uses one; more are closed unheard."""

Tell = Callable[[Mapping[str, Any]], None]


class Answering(Protocol):
    """What serves a channel: takes one request, may tell progress, returns the answer."""

    def answer(self, request: Mapping[str, Any], progress: Tell) -> Any:
        """Carry out ``request``; raises OpsError, which reaches the asking side as the same kind."""


class _Listening(socketserver.ThreadingUnixStreamServer):
    def get_request(self) -> tuple[Any, Any]:
        try:
            return super().get_request()
        except OSError:
            # Asked at once again it would fail at once again, and whoever wants to end it has to wait for its turn.
            time.sleep(0.001)
            raise


class Server:
    """Serves one executor on a Unix socket (mode 0600, one user only) until :meth:`close`.

    Requests are handed over one at a time. One whose asker is gone when its turn comes is not begun, so that
    nothing begins any more once the notebook's processes have ended.
    """

    def __init__(
        self,
        path: Path,
        serving: Answering,
        *,
        peer: int | None = None,
        patience: int = 10,
        urgent: Mapping[str, Callable[[], Any]] | None = None,
    ) -> None:
        """Listen at ``path`` for processes of the user ``peer`` (a number; this process's own user if None).

        A client that reads nothing for ``patience`` seconds is told nothing more. ``urgent`` are the verbs that do
        not wait for their turn: they say no more than a word to what is under way.
        """
        user = os.getuid() if peer is None else peer
        turn, free, soon = threading.Lock(), threading.BoundedSemaphore(LINES), dict(urgent or {})
        heard = self._heard = set[int]()

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if not free.acquire(blocking=False):
                    return
                heard.add(id(self))
                wait = struct.pack("ll", patience, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
                try:
                    if _peer(self.connection) == user:
                        _serve(self, serving, turn, soon)
                except OSError:
                    return
                finally:
                    heard.discard(id(self))
                    free.release()

        old = os.umask(0o177)
        try:
            self._server = _Listening(str(path), Handler)
        finally:
            os.umask(old)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="executor", daemon=True)
        self._thread.start()

    @property
    def heard(self) -> int:
        """How many lines are open: none when no notebook's process is there."""
        return len(self._heard)

    def close(self) -> None:
        """Stop serving; a request under way is not waited for."""
        # Wakes who waits for the next line; else shutdown would wait until they look up by themselves.
        with suppress(OSError):
            self._server.socket.shutdown(socket.SHUT_RDWR)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _serve(
    handler: socketserver.StreamRequestHandler,
    serving: Answering,
    turn: threading.Lock,
    urgent: Mapping[str, Callable[[], Any]],
) -> None:
    sending, gone = threading.Lock(), threading.Event()

    def send(message: Mapping[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with sending:
            if not gone.is_set():
                try:
                    handler.connection.sendall(data)
                except OSError:
                    # Nobody hears it any more; what was begun for them goes on to its end all the same.
                    gone.set()

    while not gone.is_set() and (raw := handler.rfile.readline(LONGEST)):
        if not raw.endswith(b"\n"):
            return
        try:
            request = _request(raw)
            if at_once := urgent.get(str(request.get("verb"))):
                send({"answer": at_once()})
                continue
            with turn:
                if _hung_up(handler.connection):
                    return
                answer = serving.answer(request, lambda said: send({"progress": dict(said)}))
            send({"answer": answer})
        except OpsError as error:
            send({"error": {"kind": type(error).__name__, "message": error.message, "next": error.next_step}})
        except Exception as error:
            # A defect of ours must reach the notebook as words, not as a silent hang.
            send({"error": {"kind": "StepFailed", "message": f"{type(error).__name__}: {error}", "next": ""}})


def _request(raw: bytes) -> Mapping[str, Any]:
    """Return the request on one line; raises UsageError on whatever the executor should not have to look at."""
    fault = "it is not an object"
    try:
        request = json.loads(raw.decode(), parse_constant=_no_number)
        # A half of a surrogate pair is no text, and could not be journalled.
        json.dumps(request, ensure_ascii=False).encode()
        if isinstance(request, dict) and _shallow(request):
            return request
    except (ValueError, RecursionError) as error:
        fault = type(error).__name__
    raise errors.UsageError(
        f"A request was not understood ({fault}).", f"Send one JSON object a line, at most {DEEPEST} levels deep."
    )


def _no_number(word: str) -> Any:
    raise ValueError(word)


def _shallow(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return True
    return False


def _inside(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _hung_up(connection: socket.socket) -> bool:
    hung_up = getattr(select, "POLLRDHUP", 0)  # macOS has none: seen there at the first answer only
    poll = select.poll()
    poll.register(connection, hung_up)
    return bool(poll.poll(0))


def _peer(connection: socket.socket) -> int:
    if not hasattr(socket, "SO_PEERCRED"):  # macOS: the socket's mode and folder guard it alone
        return os.getuid()
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


class Client:
    """The notebook's end of the line."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(self.path)
        self._file = self._socket.makefile("rb")
        self._broken = False

    def ask(self, verb: str, *, progress: Tell | None = None, **said: Any) -> Any:
        """Ask the executor and wait for its answer; raises the OpsError that it answers with."""
        data = json.dumps({"verb": verb, **said}).encode() + b"\n"
        if len(data) > LONGEST:
            raise errors.UsageError(
                f"What was to be journalled has {len(data)} bytes; at most {LONGEST} are possible.", "Read fewer rows."
            )
        with self._lock:
            try:
                if self._broken:
                    self.close()
                    self._connect()
                # An interrupt (Ctrl-C) leaves an answer on the line that belongs to nobody: that line is done with.
                self._broken = True
                message = self._answer(data, progress)
            except OSError:
                message = None
            if message is not None:
                self._broken = False
        if message is None:
            raise errors.StepFailed("The run's executor is gone.", "Look at the run with: ops archive list")
        if "error" in message:
            raise _error(message["error"])
        return message["answer"]

    def _answer(self, data: bytes, progress: Tell | None) -> Any:
        self._socket.sendall(data)
        while raw := self._file.readline(LONGEST):
            message = json.loads(raw)
            if "progress" not in message:
                return message
            if progress:
                progress(message["progress"])
        return None

    def close(self) -> None:
        """Close the line."""
        self._file.close()
        self._socket.close()


def _error(said: Mapping[str, str]) -> OpsError:
    kind = getattr(errors, said["kind"], errors.StepFailed)
    known = isinstance(kind, type) and issubclass(kind, OpsError)
    return (kind if known else errors.StepFailed)(said["message"], said["next"])
