"""JSON web tokens as a Supabase project with signing keys makes them: ES256, each with its key's id (RFC 7515, 7518).

A private key follows from the lab's secret and the key's id, so nothing has to remember it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SIZE = 32
"""Bytes of each half of a signature, and of each coordinate."""


def public_jwk(secret: str, key: str) -> dict[str, Any]:
    """Return the public half of the key with the id ``key``, as a set of keys lists it."""
    numbers = _private(secret, key).public_key().public_numbers()
    point = {name: text(value.to_bytes(SIZE, "big")) for name, value in (("x", numbers.x), ("y", numbers.y))}
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": key, "key_ops": ["verify"], "ext": True, **point}


def signed(claims: dict[str, Any], secret: str, key: str) -> str:
    """Return a token that says ``claims``, signed with the key of that id."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    parts = ({"alg": "ES256", "kid": key, "typ": "JWT"}, claims)
    head = ".".join(text(json.dumps(part).encode()) for part in parts)
    halves = decode_dss_signature(_private(secret, key).sign(head.encode(), ECDSA(SHA256())))
    return f"{head}.{text(b''.join(half.to_bytes(SIZE, 'big') for half in halves))}"


def claims(token: str, secret: str, key: str) -> dict[str, Any] | None:
    """Return what ``token`` says; None where it is none, or was not signed with the key of that id."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    head, _, signature = token.rpartition(".")
    data = unpacked(signature)
    if data is None or len(data) != 2 * SIZE or said(token).get("alg") != "ES256":
        return None
    halves = (int.from_bytes(data[:SIZE], "big"), int.from_bytes(data[SIZE:], "big"))
    try:
        _private(secret, key).public_key().verify(encode_dss_signature(*halves), head.encode(), ECDSA(SHA256()))
    except InvalidSignature:
        return None
    return said(token, 1)


def said(token: str, part: int = 0) -> dict[str, Any]:
    """Return what a token's part says (0: its header), unverified; nothing where it is no token."""
    parts = token.split(".")
    data = unpacked(parts[part]) if len(parts) == 3 else None
    try:
        found = json.loads(data or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def text(data: bytes) -> str:
    """Return bytes as tokens write them."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unpacked(written: str) -> bytes | None:
    """Return the bytes of what :func:`text` wrote, or None."""
    try:
        return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))
    except ValueError:
        return None


def _private(secret: str, key: str) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    # Below the curve's order with all but no doubt; the top bit off makes it certain.
    number = int.from_bytes(hashlib.sha256(f"{secret} {key}".encode()).digest(), "big") >> 1
    return ec.derive_private_key(number or 1, ec.SECP256R1())
