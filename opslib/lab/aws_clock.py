"""The clock of the lab's AWS: what is signed too early or too late for it is refused, in each service's own words.

Only while it is set ahead: tests give processes clocks that are days apart, to see that leases do not rest on them.

Source: IAM User Guide, "Troubleshoot AWS Signature Version 4": five minutes; S3 API Reference, error responses:
RequestTimeTooSkewed, fifteen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

Wsgi = Callable[[Any, dict[str, Any], Any], Iterable[bytes]]
DOOR = "/_lab/clock"
SECONDS, S3_SECONDS = 300, 900


class _Clock:
    ahead = 0.0


def clocked(call: Wsgi) -> Wsgi:
    """Return the server's application with that clock; ``PUT /_lab/clock`` sets by how many seconds it is ahead."""

    def answer(self: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == DOOR and environ["REQUEST_METHOD"] == "PUT":
            _Clock.ahead = float(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
            return [b"{}"]
        refused = refusal(environ, _moment()) if _Clock.ahead else None
        if refused is None:
            return call(self, environ, start_response)
        status, kind, body = refused
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def date(handler: Any, timestamp: float | None = None) -> str:
    """Return what the server writes into ``Date``, by that clock; ``timestamp``, where it is said, as it is."""
    return format_datetime(_moment() if timestamp is None else datetime.fromtimestamp(timestamp, UTC), usegmt=True)


def _moment() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=_Clock.ahead)


def refusal(environ: dict[str, Any], moment: datetime) -> tuple[str, str, bytes] | None:
    """Return status, content type and body with which a signed request is refused at that moment, or None."""
    signed, scope = environ.get("HTTP_X_AMZ_DATE", ""), environ.get("HTTP_AUTHORIZATION", "")
    try:
        apart = abs((datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) - moment).total_seconds())
    except ValueError:
        return None  # not signed, or signed in another way
    on_s3 = "/s3/aws4_request" in scope
    if apart <= (S3_SECONDS if on_s3 else SECONDS):
        return None
    now = moment.strftime("%Y%m%dT%H%M%SZ")
    if on_s3:
        said = f"<Message>The two clocks are too far apart.</Message><ServerTime>{now}</ServerTime>"
        text = f"<Error><Code>RequestTimeTooSkewed</Code>{said}</Error>"
        return "403 Forbidden", "application/xml", text.encode()
    said = f"Signature expired: {signed} is not within five minutes of {now}"
    if environ.get("HTTP_X_AMZ_TARGET"):
        shape = {"__type": "InvalidSignatureException", "message": said}
        return "400 Bad Request", "application/x-amz-json-1.1", json.dumps(shape).encode()
    text = f"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>{said}</Message></Error></ErrorResponse>"
    return "403 Forbidden", "text/xml", text.encode()
