"""For tests of where the API's name leads: the lab's zone put as a test wants it, and a line to Route 53 that may fail.

:class:`Line` says PENDING, refuses as AWS documents it, loses answers, and lets somebody else be quicker.
"""

from __future__ import annotations

import threading
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from opslib.lab.broken.dependencies import name_right
from opslib.lab.cloud import client
from tests.vendors import Doors

HOST = "api.valuecanvas.com"
SPACE = "{https://route53.amazonaws.com/doc/2013-04-01/}"
RECORDS = "/rrset"


def record(kind: str, *values: str, ttl: int = 1, name: str = HOST, **more: Any) -> dict[str, Any]:
    """Return a record set as Route 53 has it."""
    held = {"TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]} if values else {}
    return {"Name": f"{name}.", "Type": kind, **held, **more}


def alias(target: str, kind: str = "A") -> dict[str, Any]:
    """Return an alias record set."""
    return record(
        kind, AliasTarget={"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": target, "EvaluateTargetHealth": False}
    )


class ZoneDoors:
    """The lab's zone behind everybody's back."""

    def __init__(self, settings: Any) -> None:
        self.doors, self._zone = Doors(settings), settings.hosted_zone
        self._client = client(settings, "route53")

    def sets(self, name: str = HOST) -> list[dict[str, Any]]:
        """Return the record sets of a name."""
        listed = self._client.list_resource_record_sets(HostedZoneId=self._zone)["ResourceRecordSets"]
        return [one for one in listed if one["Name"] == f"{name}."]

    def leads(self) -> dict[str, list[str]]:
        """Return what the API's name leads to, by type."""
        return {one["Type"]: [value["Value"] for value in one.get("ResourceRecords", ())] for one in self.sets()}

    def put(self, *sets: dict[str, Any], name: str = HOST) -> None:
        """Make these the only record sets of a name."""
        changes = [{"Action": "DELETE", "ResourceRecordSet": one} for one in self.sets(name)]
        changes += [{"Action": "CREATE", "ResourceRecordSet": one} for one in sets]
        if changes:
            self._client.change_resource_record_sets(HostedZoneId=self._zone, ChangeBatch={"Changes": changes})

    def answered_by(self, *servers: str) -> None:
        """Let the zone say that these are its name servers, whichever it was given."""
        found = record("NS", *servers, ttl=172_800, name="valuecanvas.com")
        change = {"Action": "UPSERT", "ResourceRecordSet": found}
        self._client.change_resource_record_sets(HostedZoneId=self._zone, ChangeBatch={"Changes": [change]})
        self.serve(memory=uuid.uuid4().hex)

    def serve(self, **said: Any) -> None:
        """Change how the name servers answer: ``behind``, ``silent``, ``kept_longer``."""
        self.doors.put(zone={**self.doors.state()["zone"], **said})


@contextmanager
def zone_doors(settings: Any) -> Iterator[ZoneDoors]:
    """Hand out the doors, with answers that may be kept for a second only; everything is put back afterwards."""
    made = ZoneDoors(settings)
    with made.doors.restored():
        made.put(record("A", "127.0.0.1"))
        # Last: what the name servers saw until then is nothing that one of them could be behind with.
        made.serve(memory=uuid.uuid4().hex)
        try:
            yield made
        finally:
            made.put()
            name_right(settings)
            made.serve(memory=uuid.uuid4().hex)


class Line:
    """What a test wants of it: ``pending`` looks long PENDING, or ``mute`` about changes; ``codes`` to refuse with.

    The next change's answer is ``lost`` (it is made) or ``cut`` (it is not); ``meanwhile`` is what somebody else does
    just before it.
    """

    def __init__(self, url: str) -> None:
        self.moto = urlsplit(url)
        self.mute = False
        self.pending, self.codes, self.lost, self.cut = 0, list[str](), False, False
        self.meanwhile: Callable[[], None] | None = None
        self.sent: list[list[str]] = []


@contextmanager
def line(settings: Any) -> Iterator[tuple[Any, Line]]:
    """Hand out the settings that lead to AWS over a :class:`Line`, and it."""
    made = Line(settings.aws_endpoint_url)
    handler = type("Handler", (_Handler,), {"line": made})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield settings.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{server.server_address[1]}"}), made
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    line: Line
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._pass()

    do_HEAD = do_PUT = do_DELETE = do_GET

    def do_POST(self) -> None:
        if not self.path.rstrip("/").endswith(RECORDS):
            return self._pass()
        said, body = self.line, self._body()
        said.sent.append([one.text or "" for one in ET.fromstring(body).iter(f"{SPACE}Action")])
        if said.cut:
            said.cut, self.close_connection = False, True
            return None
        if said.codes:
            return self._say(400, _error(said.codes.pop(0)), {})
        if said.meanwhile is not None:
            said.meanwhile, do = None, said.meanwhile
            do()
        if said.lost:
            said.lost, self.close_connection = False, True
            self._asked(body)
            return None
        return self._say(*self._asked(body))

    def _pass(self) -> None:
        status, data, headers = self._asked(self._body())
        if "/change/" in self.path and self.line.mute:
            return self._say(403, _error("AccessDenied"), {})
        if "/change/" in self.path and self.line.pending > 0:
            self.line.pending -= 1
            data = data.replace(b"INSYNC", b"PENDING")
        return self._say(status, data, headers)

    def _body(self) -> bytes:
        if self.headers.get("expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _asked(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        there = HTTPConnection(str(self.line.moto.hostname), self.line.moto.port or 80, timeout=20)
        told = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "expect")}
        there.request(self.command, self.path, body, told)
        answer = there.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())

    def _say(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        mine = ("connection", "content-length", "date", "server", "transfer-encoding")
        for name, value in headers.items():
            if name.lower() not in mine:
                self.send_header(name, value)
        length = headers.get("content-length", "0") if self.command == "HEAD" else str(len(data))
        self.send_header("content-length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _error(code: str) -> bytes:
    inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{code}</Message></Error><RequestId>lab</RequestId>"
    return f"<?xml version='1.0'?><ErrorResponse xmlns='{SPACE[1:-1]}'>{inner}</ErrorResponse>".encode()
