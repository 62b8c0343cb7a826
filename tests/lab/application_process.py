"""Processes of the application's stand-in for the tests, its users, and doors to its servers that can be shut.

PYTEST_DONT_REWRITE: the tests import this before pytest takes its fixtures.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
import redis

from tests.waiting import until

MODEL = "meta-llama/Llama-3-70b-chat-hf"
CHAT, HEALTH, STATS, RESET = (f"/api/llm/{name}" for name in ("chat", "health", "stats", "reset"))


class Gate:
    """A door on loopback to a server, which can be shut and opened again."""

    def __init__(self, port: int) -> None:
        self._target, self._open = port, []
        self._door: socket.socket | None = None
        self.port = 0
        self.open()

    def open(self) -> None:
        self._door = socket.create_server(("127.0.0.1", self.port))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._serve, args=(self._door,), daemon=True).start()

    def shut(self) -> None:
        # A shut-down listener lets its waiting accept go; a closed one alone would not.
        for end in (self._door, *self._open):
            if end is not None:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._door, self._open = None, []

    def _serve(self, door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = door.accept()
                there = socket.create_connection(("127.0.0.1", self._target))
                self._open += [here, there]
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


class User:
    """One logged-in user: a client with bearer token, session and CSRF token."""

    def __init__(self, base: str, query: str) -> None:
        self.http = httpx.Client(base_url=base, timeout=15)
        given = self.http.post(f"/_lab/session?{query}").raise_for_status().json()
        self.id = given["userId"]
        self.http.headers["Authorization"] = f"Bearer {given['token']}"
        self.http.headers["X-CSRF-Token"] = given["csrfToken"]

    def chat(self, prompt: str | None = None, **fields: Any) -> httpx.Response:
        return self.http.post(CHAT, json={"prompt": prompt or f"nonce {uuid.uuid4()}", "model": MODEL, **fields})

    def provider(self) -> str:
        return self.chat().raise_for_status().json()["data"]["provider"]


class Running:
    """One process of the stand-in."""

    def __init__(self, stack: ExitStack, folder: Path, variables: dict[str, str]) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.base = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.log = folder / f"{uuid.uuid4()}.log"
        command = [sys.executable, "-m", "opslib.lab.application", "--port", self.base.rpartition(":")[2]]
        environment = {"PATH": os.environ["PATH"], "LAB_LOAD_PER_SECOND": "0", **variables}
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        stack.callback(self.stop)
        self.http = stack.enter_context(httpx.Client(base_url=self.base, timeout=15))
        self._stack = stack
        until(self.answers)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with suppress(httpx.TransportError):
            return self.http.get("/_lab/providers").status_code == 200
        return False

    def user(self, query: str = "role=member") -> User:
        user = User(self.base, query)
        self._stack.callback(user.http.close)
        return user

    def breaks(self, provider: str, fault: str) -> None:
        self.http.post("/_lab/faults", json={"provider": provider, "fault": fault}).raise_for_status()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()


def at(url: str, port: int) -> str:
    parts = urlsplit(url)
    credentials = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{port}"))


@contextmanager
def gate(url: str) -> Iterator[Gate]:
    opened = Gate(urlsplit(url).port or 0)
    try:
        yield opened
    finally:
        opened.shut()


@pytest.fixture(scope="module")
def lab_servers(lab: Any) -> dict[str, str]:
    database, cache = lab.settings.database_url.reveal(), lab.settings.cache_url.reveal()
    return {"DATABASE_URL": database, "REDIS_URL": cache, "LAB_DISK_PATH": str(lab.folder)}


@pytest.fixture
def start_application(lab_servers: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Running]]:
    with ExitStack() as stack:
        yield lambda **more: Running(stack, tmp_path, {**lab_servers, **more})


@pytest.fixture(scope="module")
def application(lab_servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ExitStack() as stack:
        yield Running(stack, tmp_path_factory.mktemp("application"), lab_servers)


@pytest.fixture
def valkey(lab_servers: dict[str, str]) -> Iterator[Any]:
    with redis.Redis.from_url(lab_servers["REDIS_URL"], decode_responses=True) as client:
        yield client
