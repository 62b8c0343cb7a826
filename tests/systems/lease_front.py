"""What stands between a lease and its store in tests: a store in memory, and a front of a real one; both can fail."""

from __future__ import annotations

import hashlib
import http.client
import io
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError, ReadTimeoutError

FAULTS = ("lost", "unanswered", "late")
"""A write that never arrives; one that is carried out without an answer; one that arrives after its sender gave up."""

DATED = {"HTTPHeaders": {"date": "Mon, 23 Nov 2026 12:00:00 GMT"}}


class MemoryStore:
    """S3's conditional writes on single objects, in memory, each call atomic; the client's interface of boto3."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fault = ""
        self.before: Callable[[], None] | None = None
        self._late: list[dict[str, Any]] = []

    def get_object(self, Key: str, **_: Any) -> dict[str, Any]:
        if Key not in self.objects:
            raise failure("NoSuchKey", "GetObject")
        data = self.objects[Key]
        return {
            "ETag": etag(data),
            "Body": io.BytesIO(data),
            "ResponseMetadata": DATED,
        }

    def put_object(self, **asked: Any) -> dict[str, Any]:
        before, self.before = self.before, None
        if before:
            before()
        fault, self.fault = self.fault, ""
        if fault == "late":
            self._late.append(asked)
        if fault == "unanswered":
            with suppress(ClientError):
                self._put(**asked)
        if fault:
            raise ReadTimeoutError(endpoint_url="memory")
        return self._put(**asked)

    def arrive(self) -> None:
        """Carry out the writes that are late."""
        late, self._late = self._late, []
        for asked in late:
            with suppress(ClientError):
                self._put(**asked)

    def close(self) -> None:
        """There is nothing to close."""

    def _put(self, Key: str, Body: bytes, IfMatch: str = "", IfNoneMatch: str = "", **_: Any) -> dict[str, Any]:
        there = self.objects.get(Key)
        if IfMatch and there is None:
            raise failure("NoSuchKey", "PutObject")
        if (IfNoneMatch and there is not None) or (IfMatch and there is not None and etag(there) != IfMatch):
            raise failure("PreconditionFailed", "PutObject")
        self.objects[Key] = Body
        return {"ETag": etag(Body), "ResponseMetadata": DATED}


def etag(data: bytes) -> str:
    """Return the ETag that S3 gives an object."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def failure(code: str, operation: str) -> ClientError:
    """Return the error that boto3 raises for an answer of S3."""
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


class Front:
    """An HTTP server before a store's: one request at a time, so that a conditional write is as atomic as S3 says.

    ``faults`` are used up one a write: "lost" and "unanswered" as in :data:`FAULTS`; while ``silent`` is set,
    requests are taken and not answered (``held`` of them). ``date`` is the time that the store says it is, if set.
    """

    def __init__(self, url: str) -> None:
        self.faults: list[str] = []
        self.silent = threading.Event()
        self.date = ""
        self.writes = 0
        self.held = 0
        front, one, to = self, threading.Lock(), urlsplit(url).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if front.silent.is_set():
                    front.held += 1
                    while front.silent.is_set():
                        time.sleep(0.02)
                    self.close_connection = True
                    return
                with one:
                    front.forward(self, to, body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def forward(self, handler: BaseHTTPRequestHandler, to: str, body: bytes) -> None:
        """Pass one request on, or fail as told."""
        writing = handler.command == "PUT"
        self.writes += writing
        fault = self.faults.pop(0) if writing and self.faults else ""
        if fault == "lost":
            handler.close_connection = True
            return
        store = http.client.HTTPConnection(to, timeout=20)
        store.request(handler.command, handler.path, body, dict(handler.headers.items()))
        answer = store.getresponse()
        data = answer.read()
        store.close()
        if fault == "unanswered":
            handler.close_connection = True
            return
        # Who asked may have been killed meanwhile.
        with suppress(ConnectionError):
            self._answer(handler, answer, data)

    def _answer(self, handler: BaseHTTPRequestHandler, answer: http.client.HTTPResponse, data: bytes) -> None:
        handler.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                handler.send_header(name, self.date if self.date and name.lower() == "date" else value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
