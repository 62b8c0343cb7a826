"""Values as plain JSON data, as canonical bytes, and as digests of those bytes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import rfc8785


def to_json(value: Any) -> Any:
    """Return ``value`` as plain JSON data (dict, list, str, int, float, bool, None).

    Times become ISO 8601 in UTC, durations seconds, Decimals numbers (whole ones integers; infinite ones
    and NaN their names); bytes are refused, so that nothing binary slips into a journal.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value) if f.repr}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item) for item in value]
    for kind, form in _FORMS:
        if isinstance(value, kind):
            return form(value)
    raise TypeError(f"{type(value).__name__} has no JSON form; give text, numbers, times, rows or values")


def _numeric(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    return int(value) if value == value.to_integral_value() else float(value)


_FORMS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (datetime, lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z")),
    (date, lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    (Decimal, _numeric),
)


def canonical(value: Any) -> bytes:
    """Return the canonical JSON bytes of ``value`` (RFC 8785), the form that digests are taken of.

    Integers beyond 2**53 have no canonical JSON form and become strings first.
    """
    said = to_json(value)
    try:
        return _ENCODER.encode(_plain(said)).encode()
    except (_NotPlain, UnicodeEncodeError):
        return rfc8785.dumps(_safe_numbers(said))


def digest(value: Any) -> str:
    """Return the SHA-256 (64 hex digits) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical(value)).hexdigest()


class _NotPlain(Exception):
    """A value that Python's own encoder may write in another form than the canonical one."""


_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))
"""Many times faster than what is written in Python; the same bytes for what :func:`_plain` lets through."""


def _plain(value: Any) -> Any:
    """Return ``value`` with safe numbers; raises _NotPlain for numbers, names and kinds that need more care."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is dict:
        # Other names are sorted by their UTF-16.
        if not all(map(str.isascii, value)):
            raise _NotPlain
        return {key: _plain(item) for key, item in value.items()}
    if kind is list:
        return [_plain(item) for item in value]
    if kind is int:
        return value if -(2**53) < value < 2**53 else str(value)
    if kind is float:
        if value.is_integer() and -(2**53) < value < 2**53:
            return int(value)
        if 1e-4 <= abs(value) < 2**53:
            return value
    raise _NotPlain


def _safe_numbers(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) >= 2**53:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _safe_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_safe_numbers(item) for item in value]
    return value
