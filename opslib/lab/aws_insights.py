"""Logs Insights of the lab's AWS: moto's groups and events, asked by :mod:`opslib.lab.insights`.

A query runs for one look and is complete at the next. ``PUT /_lab/insights`` says how the next queries end
(``{"ends": "Timeout"}``) and what they scan (``{"scans": 5000000000}``); ``{}`` puts it right.
Source: CloudWatch Logs API Reference, StartQuery, GetQueryResults, StopQuery.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends

from opslib.lab.insights import carried_out
from opslib.lab.insights_grammar import Malformed

Wsgi = Callable[[Any, dict[str, Any], Any], Iterable[bytes]]
DOOR = "/_lab/insights"
TARGET = "Logs_20140328."
ONE_LOOK = 2


@dataclass
class _Query:
    results: list[list[dict[str, str]]]
    scanned: int
    matched: int
    looks: int = 0
    status: str = "Running"


class _Lab:
    ends = "Complete"
    scans = 0
    queries: dict[str, _Query] = {}  # noqa: RUF012 - one server, one set of queries


class _Refused(Exception):
    """Raised with the service's own word for what is wrong."""


def asking(call: Wsgi) -> Wsgi:
    """Return the server's application with that."""

    def answer(self: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").removeprefix(TARGET)
        set_ = environ.get("PATH_INFO") == DOOR and environ["REQUEST_METHOD"] == "PUT"
        if not set_ and operation not in OPERATIONS:
            return call(self, environ, start_response)
        said = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"{}")
        status = "200 OK"
        try:
            found = _set(said) if set_ else OPERATIONS[operation](said, _region(environ))
        except _Refused as error:
            status, found = "400 Bad Request", {"__type": error.args[0], "message": error.args[1]}
        body = json.dumps(found).encode()
        start_response(status, [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _set(said: dict[str, Any]) -> dict[str, Any]:
    _Lab.ends, _Lab.scans = said.get("ends", "Complete"), int(said.get("scans", 0))
    return {}


def _region(environ: dict[str, Any]) -> str:
    # AWS4-HMAC-SHA256 Credential=<key>/<day>/<region>/logs/aws4_request, …
    parts = environ.get("HTTP_AUTHORIZATION", "").split("/")
    return parts[2] if len(parts) > 2 else "us-east-1"


def _start(said: dict[str, Any], region: str) -> dict[str, Any]:
    group = logs_backends[DEFAULT_ACCOUNT_ID][region].groups.get(said.get("logGroupName", ""))
    if group is None:
        raise _Refused("ResourceNotFoundException", "The specified log group does not exist.")
    begin, end = int(said["startTime"]) * 1000, int(said["endTime"]) * 1000
    if begin > end:
        raise _Refused("InvalidParameterException", "The start time is after the end time.")
    events = [
        {"timestamp": event.timestamp, "message": event.message, "stream": name}
        for name, stream in group.streams.items()
        for event in stream.events
        if begin <= event.timestamp <= end
    ]
    try:
        results = carried_out(said["queryString"], events, int(said.get("limit", 10_000)))
    except Malformed as error:
        raise _Refused("MalformedQueryException", f"unexpected symbol: {error}") from error
    id, size = str(uuid.uuid4()), sum(len(event["message"].encode()) for event in events)
    _Lab.queries[id] = _Query(results, _Lab.scans or size, len(results))
    return {"queryId": id}


def _results(said: dict[str, Any], region: str) -> dict[str, Any]:
    query = _found(said)
    query.looks += 1
    if query.looks >= ONE_LOOK and query.status == "Running":
        query.status = _Lab.ends
    statistics = {"recordsMatched": query.matched, "recordsScanned": query.matched, "bytesScanned": query.scanned}
    return {
        "queryLanguage": "CWLI",
        # What is found until then is handed out: part of an answer looks like one.
        "results": query.results if query.status == "Complete" else query.results[: len(query.results) // 2],
        "statistics": statistics,
        "status": query.status,
    }


def _stop(said: dict[str, Any], region: str) -> dict[str, Any]:
    query = _found(said)
    if query.status != "Running":
        raise _Refused("InvalidParameterException", "The query has ended.")
    query.status = "Cancelled"
    return {"success": True}


def _found(said: dict[str, Any]) -> _Query:
    if said.get("queryId") not in _Lab.queries:
        raise _Refused("ResourceNotFoundException", "There is no such query.")
    return _Lab.queries[said["queryId"]]


OPERATIONS: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "StartQuery": _start,
    "GetQueryResults": _results,
    "StopQuery": _stop,
}
