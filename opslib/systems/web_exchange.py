"""One HTTP exchange in a thread of its own, which can be given up from outside, and what was answered.

Only :mod:`opslib.systems.web` makes them; it opens the client.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from opslib.errors import Unreachable

if TYPE_CHECKING:
    import httpx

PIECES = 64
"""Pieces of a body (64 KiB each at most) that wait to be taken."""

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class Answer:
    """What an address answered: status, headers (lower-case names), body as text, seconds to the last byte, body.

    ``cookies`` are its Set-Cookie headers, one by one: joined they cannot be told apart. ``first`` is the seconds until
    status and headers were there.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float
    data: bytes = b""
    cookies: tuple[str, ...] = field(default=(), repr=False)
    first: float = 0.0


@dataclass
class Exchange:
    """One request in a thread of its own, which can be given up from outside."""

    client: httpx.Client
    method: Method
    url: str
    headers: Mapping[str, str]
    seconds: float
    size_limit: int
    content: bytes | None = None
    name: str | None = None
    """Whose certificate counts (SNI, RFC 6066), where ``url`` has an address in place of the name."""
    answer: Answer | None = None
    error: Exception | None = None
    sockets: list[socket.socket] = field(default_factory=list)
    given_up: bool = False
    pieces: queue.Queue[bytes | None] | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)

    def pour(self) -> None:
        """Have the body of a success handed over piece by piece instead of kept."""
        self.pieces = queue.Queue(PIECES)

    def hand_over(self, take: Callable[[bytes], None] | None) -> None:
        """Wait for the end, at most until the deadline, and hand over each piece that comes meanwhile."""
        until = time.monotonic() + self.seconds
        while take is not None and self.pieces is not None:
            try:
                piece = self.pieces.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return
            if piece is None:
                break
            take(piece)
        self.thread.join(max(0.0, until - time.monotonic()))

    def give_up(self) -> None:
        """Shut the connection both ways, so that the thread comes to its end."""
        self.given_up = True
        for one in self.sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        started = time.monotonic()
        try:
            with self.client.stream(
                self.method,
                self.url,
                headers=self.headers,
                content=self.content,
                timeout=self.seconds,
                extensions={"trace": self._trace, **({"sni_hostname": self.name} if self.name else {})},
            ) as response:
                first = time.monotonic() - started
                self._know(response.extensions.get("network_stream"))
                data = self._poured(response) if self.pieces and response.is_success else self._body(response)
            text = data.decode(response.encoding or "utf-8", "replace")
            cookies = tuple(response.headers.get_list("set-cookie"))
            took = time.monotonic() - started
            self.answer = Answer(response.status_code, dict(response.headers), text, took, data, cookies, first)
        except Exception as error:
            self.error = error
        finally:
            self._put(None)

    def _poured(self, response: httpx.Response) -> bytes:
        for chunk in response.iter_bytes():
            self._put(chunk)
        return b""

    def _put(self, piece: bytes | None) -> None:
        while self.pieces is not None and not self.given_up:
            try:
                self.pieces.put(piece, timeout=0.2)
                return
            except queue.Full:
                # Who takes them writes to a disk; the server waits as long.
                continue

    def _body(self, response: httpx.Response) -> bytes:
        data = bytearray()
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > self.size_limit:
                raise Unreachable(f"more than {self.size_limit} bytes", kind="large")
        return bytes(data)

    def _trace(self, event: str, said: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._know(said.get("return_value"))

    def _know(self, stream: Any) -> None:
        one = stream.get_extra_info("socket") if stream is not None else None
        if isinstance(one, socket.socket):
            self.sockets.append(one)
            if self.given_up:
                self.give_up()
