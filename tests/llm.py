"""For tests of language models: rows of usage, a router that answers as it is told, and what the lab's stand-ins do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opslib.lab.broken import providers
from opslib.model import Reading

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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
