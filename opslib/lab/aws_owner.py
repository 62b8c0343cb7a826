"""Who may change the policy of the bucket of backups in the lab: its owner's keys alone, as a role's policy would say.

moto looks at nobody's rights. Source: S3 API Reference, PutBucketPolicy: 403 without that right.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, unquote

Wsgi = Callable[[Any, dict[str, Any], Any], Iterable[bytes]]
OWNER = "LAB_BUCKET_OWNER"
"""Names the bucket and, after a colon, its owner's key; unset: any key will do."""
REFUSAL = b"<Error><Code>AccessDenied</Code><Message>not authorized to change this bucket's policy</Message></Error>"


def owned(call: Wsgi) -> Wsgi:
    """Return the server's application with that."""

    def answer(self: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not refused(environ):
            return call(self, environ, start_response)
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(REFUSAL)))]
        start_response("403 Forbidden", headers)
        return [REFUSAL]

    return answer


def refused(environ: dict[str, Any]) -> bool:
    """Tell whether a request would change that policy by another key than the owner's."""
    bucket, _, owner = os.environ.get(OWNER, "").partition(":")
    if not owner or environ["REQUEST_METHOD"] not in ("PUT", "DELETE"):
        return False
    said = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    named = unquote(environ.get("PATH_INFO", "")).strip("/") == bucket and "policy" in said
    return named and f"Credential={owner}/" not in environ.get("HTTP_AUTHORIZATION", "")
