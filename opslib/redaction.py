"""Secrets, and keeping them out of every byte that is written.

Three nets, in this order: notebook code never holds a writing credential; every value, output and
traceback passes :class:`Redactor` before it is encoded; sealing refuses a run in which a known secret
is found in any byte (:meth:`Redactor.leaks`).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Self
from urllib.parse import quote, quote_plus, unquote, urlsplit, urlunsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

MARK = "«redacted»"
SHORTEST = 8
"""A shorter secret is not replaced by value: it would shred the report. Settings refuse such secrets."""


class Secret:
    """A value that prints, pickles, formats and iterates as nothing. ``reveal`` is for ``systems/`` only."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself; a test allows calls of this only inside ``opslib/systems``."""
        return self._value

    def parts(self) -> tuple[str, ...]:
        """Return every string that must not be written: the value, and what it embeds."""
        return (self._value,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({MARK})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; hand over its reference instead")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._value == self._value

    def __hash__(self) -> int:
        return hash((type(self), self._value))

    @classmethod
    def check(cls, value: str) -> str | None:
        """Return what is wrong with ``value`` in words that do not repeat it, or None."""
        if len(value) < SHORTEST:
            return f"has fewer than {SHORTEST} characters"
        return None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def make(value: object) -> Secret:
            if isinstance(value, cls):
                return value
            if not isinstance(value, str):
                raise ValueError("is not text")
            if fault := cls.check(value):
                raise ValueError(fault)
            return cls(value)

        return core_schema.no_info_plain_validator_function(make)


class SecretUrl(Secret):
    """An address that carries a password: ``public`` may be shown, the whole may not."""

    __slots__ = ()
    schemes: tuple[str, ...] = ()

    @property
    def public(self) -> str:
        """Scheme, host, port and path, without user, password and query."""
        url = urlsplit(self._value)
        port = f":{url.port}" if url.port else ""
        return urlunsplit((url.scheme, f"{url.hostname or ''}{port}", url.path, "", ""))

    @property
    def host(self) -> str:
        """The host's name or address."""
        return urlsplit(self._value).hostname or ""

    @property
    def port(self) -> int | None:
        """The port, if the address names one."""
        return urlsplit(self._value).port

    @property
    def path(self) -> str:
        """The path without its leading slash: a database's name, or its number."""
        return unquote(urlsplit(self._value).path.lstrip("/"))

    def with_path(self, path: str) -> Self:
        """Return the same address with another path (another database on the same server)."""
        return type(self)(urlunsplit(urlsplit(self._value)._replace(path="/" + quote(path, safe=""))))

    def parts(self) -> tuple[str, ...]:
        """Return the whole address, and its password as written and decoded."""
        password = urlsplit(self._value).password or ""
        return (self._value, password, unquote(password))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.public})"

    __str__ = __repr__

    @classmethod
    def check(cls, value: str) -> str | None:
        """Return what is wrong with the address, without repeating it."""
        try:
            url = urlsplit(value)
            url.port  # noqa: B018 - the property raises ValueError on a malformed port
        except ValueError:
            return "is not an address (host or port malformed)"
        if url.scheme not in cls.schemes:
            return f"does not start with {' or '.join(f'{s}://' for s in cls.schemes)}"
        if not url.hostname:
            return "names no host"
        return None


class DatabaseUrl(SecretUrl):
    """``postgresql://user:password@host:port/database``."""

    __slots__ = ()
    schemes = ("postgresql", "postgres")

    @classmethod
    def check(cls, value: str) -> str | None:
        """Return what is wrong with the address; a database must be named."""
        return super().check(value) or (None if urlsplit(value).path.strip("/") else "names no database")


class CacheUrl(SecretUrl):
    """``redis://user:password@host:port/0`` (``rediss`` with TLS)."""

    __slots__ = ()
    schemes = ("redis", "rediss")


_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<=://)[^\s/@:\"'<>]*:[^\s@\"'<>]+(?=@)",  # user:password@ in an address
        r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{16,}",
        r"\bAKIA[0-9A-Z]{16}\b|\bASIA[0-9A-Z]{16}\b",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",  # JSON web token
        r"\bsk-[A-Za-z0-9_-]{20,}\b",
        r"\bsbp_[0-9a-f]{40}\b|\bsb_secret_[A-Za-z0-9_-]{16,}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{36,}\b",
        r"\bxox[abprs]-[A-Za-z0-9-]{10,}\b",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----",
    )
)


class Redactor:
    """Replaces known secrets, in every encoding we write, and strings that look like credentials."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        values = {part for secret in secrets for part in secret.parts() if len(part) >= SHORTEST}
        self._needles = sorted({form for value in values for form in _forms(value)}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return ``text`` with every known secret and every credential pattern replaced by the mark."""
        for needle in self._needles:
            if needle in text:
                text = text.replace(needle, MARK)
        for pattern in _PATTERNS:
            text = pattern.sub(MARK, text)
        return text

    def tree(self, value: Any) -> Any:
        """Return JSON-like ``value`` with every string in it, keys included, redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.tree(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.tree(item) for item in value]
        return value

    def leaks(self, data: bytes) -> int:
        """Return how many known secrets stand in ``data``, in any of the forms; the seal's gate."""
        return sum(needle.encode() in data for needle in self._needles)


def _forms(value: str) -> set[str]:
    escaped = html.escape(value, quote=True)
    return {
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(value)[1:-1])[1:-1],
        repr(value)[1:-1],
        escaped,
        html.escape(value, quote=False),
        json.dumps(escaped)[1:-1],
    }
