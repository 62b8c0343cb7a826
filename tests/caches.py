"""For tests of the cache: the lab's Valkey as somebody who may do everything, and servers of one's own."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from opslib.lab.cache import find_valkey
from opslib.redaction import CacheUrl
from opslib.systems.target import ReadTarget


@contextmanager
def admin(lab) -> Iterator[redis.Redis]:
    """Open a client on the lab's server that may do everything."""
    with redis.Redis.from_url(lab.settings.cache_url.reveal(), socket_timeout=20) as client:
        yield client


@contextmanager
def changed(client: redis.Redis, **settings: object) -> Iterator[None]:
    """Set server settings (``maxmemory_policy="allkeys-lru"``) and set them back in any case."""
    names = {name.replace("_", "-"): value for name, value in settings.items()}
    before = {name: client.config_get(name)[name] for name in names}
    try:
        for name, value in names.items():
            client.config_set(name, value)
        yield
    finally:
        for name, value in before.items():
            client.config_set(name, value)


@contextmanager
def kept(client: redis.Redis, *patterns: str) -> Iterator[None]:
    """Delete the keys of ``patterns`` afterwards."""
    try:
        yield
    finally:
        for pattern in patterns:
            for key in client.scan_iter(pattern, count=1000):
                client.unlink(key)


class Server:
    """A Valkey of a test's own."""

    def __init__(self, *options: str, folder: str | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._own = None if folder else tempfile.TemporaryDirectory(prefix="opslib-cache-")
        self.folder = Path(folder or self._own.name)
        base = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        self._command = [str(find_valkey()), *base, *options]
        self.start()
        self.url = CacheUrl(f"redis://127.0.0.1:{self.port}/0")

    def start(self) -> None:
        """Start the server's process; again, after it was killed."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """Kill the server; what it has on its disk stays."""
        self.process.kill()
        self.process.wait()

    def listens(self) -> bool:
        """Tell whether it takes connections."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def client(self) -> redis.Redis:
        """Open a client as the default user."""
        return redis.Redis(port=self.port, socket_timeout=20)

    def target(self, lab, url: CacheUrl | None = None) -> ReadTarget:
        """Return reading handles whose cache is this server."""
        return ReadTarget(lab.settings.reading().model_copy(update={"read_cache_url": url or self.url}), "test")

    def pause(self) -> None:
        """Let the server's process stand still: connections open, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server and remove its folder."""
        self.resume()
        self.process.kill()
        self.process.wait()
        if self._own:
            self._own.cleanup()


@contextmanager
def server(*options: str, folder: str | None = None) -> Iterator[Server]:
    """Run a Valkey with ``options`` (``"--maxclients", "4"``) until the block ends; it listens at the start."""
    own = Server(*options, folder=folder)
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end and not own.listens():
            assert own.process.poll() is None, "the server ended at once"
            time.sleep(0.02)
        yield own
    finally:
        own.stop()
