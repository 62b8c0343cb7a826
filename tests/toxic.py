"""A TCP proxy that does what networks do: late, silent, refused, cut, dripping, short; and replies that get lost."""

from __future__ import annotations

import select
import socket
import struct
import threading
from contextlib import contextmanager, suppress

FAULTS = ("latency", "blackhole", "down", "reset", "drip", "truncate", "stall")


def received(source):
    """Return what comes next, or nothing at the end; never blocks for long, for that would put a reset off."""
    try:
        while not select.select([source], [], [], 0.05)[0]:
            pass
    except ValueError:
        return b""
    return source.recv(65536)


class Toxic:
    """Forwards to ``port`` on loopback with one fault at a time; :meth:`become` changes it, for open connections too.

    ``latency``: each piece comes ``seconds`` late. ``blackhole``: takes everything, answers nothing. ``down``:
    connections break and new ones are refused. ``reset``, ``truncate``, ``stall``: after ``after`` bytes a reset,
    an orderly end, or silence. ``drip``: one byte each ``seconds``. The answers suffer; with ``upward`` the requests.
    """

    def __init__(self, port, fault="pass", *, after=0, seconds=0.05, upward=False):
        self._to = port
        self._pairs = []
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.become(fault, after=after, seconds=seconds, upward=upward)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def become(self, fault, *, after=0, seconds=0.05, upward=False):
        """Have another fault from now on; ``pass`` is none."""
        self.left, self.seconds, self.upward, self.fault = after, seconds, upward, fault
        if fault == "down":
            self._stop_listening()
            self._cut(*self._pairs)

    def lead_to(self, port):
        """Be the address of another server: open connections break, new ones go there."""
        self._to = port
        self._cut(*self._pairs)

    def close(self):
        """Close the listener and every connection."""
        self._closed.set()
        self._stop_listening()
        self._cut(*self._pairs)

    @staticmethod
    @contextmanager
    def nobody_home():
        """Yield a port whose queue of connections is full: what knocks there gets no answer at all."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(listener.getsockname())
            yield listener.getsockname()[1]
            for one in waiting:
                one.close()

    def request(self, data, near, far):
        """Pass on what the client sent."""
        self._pass(data, far, self.upward, (near, far))

    def answer(self, data, near, far):
        """Pass on what the server sent."""
        self._pass(data, near, not self.upward, (near, far))

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    near.close()
                    continue
                self._pairs.append((near, far))
                for source, hand_on in ((near, self.request), (far, self.answer)):
                    threading.Thread(target=self._pump, args=(source, hand_on, near, far), daemon=True).start()

    def _pump(self, source, hand_on, near, far):
        with suppress(OSError):
            while data := received(source):
                hand_on(data, near, far)
        if self.fault not in ("blackhole", "stall"):
            self._cut((near, far))

    def _pass(self, data, sink, suffers, pair):
        fault = self.fault if suffers else "pass"
        if fault == "blackhole":
            return
        if fault == "drip":
            for byte in data:
                self._closed.wait(self.seconds)
                sink.sendall(bytes([byte]))
            return
        if fault in ("reset", "truncate", "stall"):
            data = data[: max(0, self.left)]
            self.left -= len(data)
        elif fault == "latency":
            self._closed.wait(self.seconds)
        sink.sendall(data)
        if fault in ("reset", "truncate", "stall") and self.left <= 0:
            if fault == "stall":
                self._closed.wait()
            self._cut(pair, reset=fault == "reset")

    def _stop_listening(self):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _cut(self, *pairs, reset=False):
        for one in (one for pair in pairs for one in pair):
            with suppress(OSError):
                if reset:
                    # An end with no time to linger is a reset.
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    one.shutdown(socket.SHUT_RDWR)
            if reset:
                with suppress(OSError):
                    one.close()


class Saying(Toxic):
    """Answers requests itself while ``says`` holds an answer, and passes nothing on; ``said`` counts them."""

    def __init__(self, port):
        self.says, self.said = b"", 0
        super().__init__(port)

    def request(self, data, near, far):
        """Pass on what the client sent, or answer it."""
        if not self.says:
            super().request(data, near, far)
            return
        self.said += 1
        near.sendall(self.says)
        self._cut((near, far))


class Forgetful(Toxic):
    """Loses the reply to the requests that hold ``marker``, ``times`` times, by cutting the connection.

    ``before``: the request never arrives. ``after``: it is carried out, and its reply dropped. ``late``: the
    client's side is cut at once, and the request arrives ``seconds`` afterwards.
    """

    def __init__(self, port, marker, when, *, times=1, seconds=0.5):
        self.marker, self.when, self.times = marker, when, times
        self.lost = 0
        self._deaf = set()
        super().__init__(port, seconds=seconds)

    def request(self, data, near, far):
        """Pass on what the client sent, or lose it, or what will be said to it."""
        if self.lost < self.times and self.marker in data:
            self.lost += 1
            if self.when == "before":
                self._cut((near, far))
                return
            self._deaf.add(near)
            if self.when == "late":
                with suppress(OSError):
                    near.shutdown(socket.SHUT_RDWR)
                self._closed.wait(self.seconds)
        far.sendall(data)

    def answer(self, data, near, far):
        """Pass on what the server sent, unless it is the reply that gets lost."""
        # "Go on" is no reply yet: the request's body is still to come.
        if near in self._deaf and not data.startswith(b"HTTP/1.1 100"):
            self._cut((near, far))
            return
        near.sendall(data)

    def _pump(self, source, hand_on, near, far):
        with suppress(OSError):
            while data := received(source):
                hand_on(data, near, far)
        if not (source is near and near in self._deaf and self.when == "late"):
            self._cut((near, far))
