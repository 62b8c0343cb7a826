"""JSON web tokens as the lab's Supabase signs and checks them: HS256 with a secret of the lab (RFC 7515, 7519)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

ISSUED, EXPIRES = 1_764_547_200, 4_000_000_000
"""When the project's own keys were made and until when they count, in epoch seconds."""


def project_key(project: str, role: str, secret: str) -> str:
    """Return the project's key of ``role`` (anon, service_role)."""
    return signed({"iss": "supabase", "ref": project, "role": role, "iat": ISSUED, "exp": EXPIRES}, secret)


def signed(claims: dict[str, Any], secret: str) -> str:
    """Return a token that says ``claims``."""
    head = ".".join(_text(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{head}.{_signature(head, secret)}"


def claims(token: str, secret: str) -> dict[str, Any] | None:
    """Return what ``token`` says; None where it is none, or was not signed with ``secret``."""
    head, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_signature(head, secret).encode(), signature.encode()):
        return None
    try:
        said = json.loads(base64.urlsafe_b64decode(head.partition(".")[2] + "=="))
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def renewed(secret: str, times: int) -> str:
    """Return the secret as it is after so many rotations."""
    return secret if not times else hashlib.sha256(f"{secret} {times}".encode()).hexdigest()


def _signature(head: str, secret: str) -> str:
    return _text(hmac.digest(secret.encode(), head.encode(), "sha256"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
