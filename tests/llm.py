"""For tests of language models: rows of usage, a router that answers as it is told, and what the lab's stand-ins do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opslib.lab.broken import providers
from opslib.model import Reading
from opslib.redaction import Secret

TOGETHER, LLAMA, GPT = "together_ai", "meta-llama/Llama-3-70b-chat-hf", "gpt-4"


def reading(*rows: dict[str, Any], unknown: str | None = None) -> Reading:
    """Return a reading of these rows."""
    return Reading("llm", "LLM", "lab", datetime.now(UTC), 0.1, tuple(rows), unknown=unknown)


def usage(many: int = 30, **said: Any) -> list[dict[str, Any]]:
    """Return so many rows of usage, the newest five seconds old, one each 10 s."""
    one = {"provider": TOGETHER, "model": LLAMA, "prompt": 400, "completion": 200, "cost": 0.00054, "latency": 900}
    return [{**one, "age": 5 + 10 * number, **said} for number in range(many)]


@contextmanager
def used(settings: Any, *rows: list[dict[str, Any]]) -> Iterator[None]:
    """Have rows of usage in the lab until the block ends."""
    try:
        providers.put_usage(settings, "test", [one for part in rows for one in part])
        yield
    finally:
        providers.remove_usage(settings, "test")


@contextmanager
def router(status: int, body: Any, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """Serve one answer to everything; yields the address and the paths that were asked, each with its user's token."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.do_GET()

        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('authorization', '-')}")
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(data)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with _serving(Handler) as url:
        yield url, asked


def as_user(settings: Any, role: str = "admin") -> Any:
    """Return the settings with the token and the session of the lab's next user, so that nobody shares his limit."""
    said = providers.login(settings, role)
    session = said["cookie"].partition("session=")[2].partition(";")[0]
    token = said["authorization"].removeprefix("Bearer ")
    return settings.model_copy(update={"admin_token": Secret(token), "admin_session": Secret(session)})


@contextmanager
def lossy_replica(before: Any, after: Any) -> Iterator[tuple[str, list[str]]]:
    """Serve a replica that tells ``before``, carries a reset out without an answer, and tells ``after`` then."""
    resets: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            resets.append(self.path)
            self.connection.shutdown(socket.SHUT_RDWR)

        def do_GET(self) -> None:
            data = json.dumps({"success": True, "data": after if resets else before}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with _serving(Handler) as url:
        yield url, resets


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
