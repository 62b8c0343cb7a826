"""Secrets, and keeping them out of every byte that is written.

Three nets, in this order: notebook code never holds a writing credential; every value, output and
traceback passes :class:`Redactor` before it is written; sealing refuses a run in which a known secret
(:meth:`Redactor.leaks`) or what looks like one (:mod:`opslib.redaction_patterns`) stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from opslib import redaction_patterns
from opslib.redaction_known import SHORTEST, known, weakness
from opslib.redaction_views import Span, levels

MARK = "«redacted»"
_BETWEEN = "\x07\n "
"""Stands between the strings of a tree when they are looked through at once: ends lines and terminal sequences."""


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
        return weakness(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        def make(value: object) -> Secret:
            if isinstance(value, cls):
                return value
            if not isinstance(value, str):
                raise ValueError("is not text")
            if fault := cls.check(value):
                raise ValueError(fault)
            return cls(value)

        # Reading an archive needs no settings, and so none of this.
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(make)


class SecretUrl(Secret):
    """An address that carries a password: ``public`` may be shown, the whole may not."""

    __slots__ = ()
    schemes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """What may stand in the query. Others lead elsewhere (``host``), or loosen a session's guards (``options``)."""
    plain = re.compile(r".*")
    """What the path, without its slash, may look like."""

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

    @property
    def place(self) -> str:
        """Host and port as ``host:port``, with PostgreSQL's own port where none is named."""
        return f"{self.host}:{self.port or 5432}"

    def at_place(self, place: str) -> Self:
        """Return the same address at another ``host:port``."""
        url = urlsplit(self._value)
        user, at, _ = url.netloc.rpartition("@")
        return type(self)(urlunsplit(url._replace(netloc=f"{user}{at}{place}")))

    def parts(self) -> tuple[str, ...]:
        """Return the whole address, and its password as written and decoded; nothing of one without user and query."""
        url = urlsplit(self._value)
        if "@" not in url.netloc and not url.query:
            return ()
        password = url.password or ""
        return (self._value, password, unquote(password))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.public})"

    __str__ = __repr__

    @classmethod
    def check(cls, value: str) -> str | None:
        """Return what is wrong with the address or its password, without repeating it."""
        if fault := cls._address_fault(value):
            return fault
        url = urlsplit(value)
        password = unquote(url.password or "")
        # Hiding it would hide that name in every report, and by that tell the password.
        named = password in (url.username, url.hostname, url.path.strip("/"))
        fault = "is a name in the same address" if named else weakness(password)
        return f"has a password that {fault}" if password and fault else None

    @classmethod
    def _address_fault(cls, value: str) -> str | None:
        # urlsplit drops line ends that those who connect would see.
        if not value.isprintable() or " " in value or not unquote(value).isprintable():
            return "holds blanks or characters that cannot be printed"
        if "#" in value or re.search(r"%(?![0-9A-Fa-f]{2})", value) or urlsplit(value).netloc.count("@") > 1:
            # The client would cut it elsewhere than we do, and so connect to another server.
            return "holds a # or a % or a second @ that is not written as %23, %25, %40"
        try:
            url = urlsplit(value)
            url.port  # noqa: B018 - the property raises ValueError on a malformed port
        except ValueError:
            return "is not an address (host or port malformed)"
        if url.scheme not in cls.schemes:
            return f"does not start with {' or '.join(f'{s}://' for s in cls.schemes)}"
        if not url.hostname:
            return "names no host"
        if not re.fullmatch(r"[a-z0-9:][a-z0-9._:-]*", url.hostname) or url.netloc.endswith(":"):
            return "names a host that is none, or several, or no port after the colon"
        if any(name not in cls.options for name, _ in parse_qsl(url.query, keep_blank_values=True)):
            return f"has an option other than {', '.join(cls.options)}"
        if not cls.plain.fullmatch(unquote(url.path.removeprefix("/"))):
            return "has a path that is no plain name"
        return None


class DatabaseUrl(SecretUrl):
    """``postgresql://user:password@host:port/database``."""

    __slots__ = ()
    schemes = ("postgresql", "postgres")
    options = ("sslmode", "sslrootcert", "sslcert", "sslkey")
    plain = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,62})?")

    @classmethod
    def _address_fault(cls, value: str) -> str | None:
        return super()._address_fault(value) or (None if urlsplit(value).path.strip("/") else "names no database")


class CacheUrl(SecretUrl):
    """``redis://user:password@host:port/0`` (``rediss`` with TLS)."""

    __slots__ = ()
    schemes = ("redis", "rediss")
    options = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
    plain = re.compile(r"(0|[1-9][0-9]{0,3})?")


class Redactor:
    """Replaces known secrets, in whatever encoding, and strings that look like credentials."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        values = {part for secret in secrets for part in secret.parts() if len(part) >= SHORTEST}
        self._known = known(tuple(sorted(values)))

    def text(self, text: str) -> str:
        """Return ``text`` with every known secret and every credential pattern replaced by the mark."""
        return self.texts([text])[0]

    def begun(self, text: str) -> str:
        """Return a text that goes on elsewhere without the known secrets that stand whole in it.

        A part would hide the rest from :meth:`texts`, which is for when all pieces are there.
        """
        seen = list(levels(text))
        return _masked(text, 0, _merged(self._known.spans(seen, whole=True)))

    def texts(self, pieces: list[str]) -> list[str]:
        """Return pieces of one text, redacted as if they were whole: a secret that was cut in two is found.

        The mark stands in the first of the pieces that a secret reaches into; they stay as many as they were.
        """
        spans = _merged(self._spans("".join(pieces)))
        if not spans:
            return list(pieces)
        clean, at = [], 0
        for piece in pieces:
            clean.append(_masked(piece, at, spans))
            at += len(piece)
        return clean

    def tree(self, value: Any) -> Any:
        """Return JSON-like ``value`` with every string in it, keys included, redacted."""
        # One look through all of its strings; only where there is something, a look at each half.
        if next(self._spans(_BETWEEN.join(_strings(value))), None) is None:
            return _plain(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.tree(item) for key, item in value.items()}
        if len(value) == 1:
            return [self.tree(value[0])]
        half = len(value) // 2
        return [*self.tree(value[:half]), *self.tree(value[half:])]

    def leaks(self, data: bytes) -> int:
        """Return how many known secrets stand in ``data``, in whatever encoding; the seal's gate."""
        seen = list(levels(data.decode("utf-8", "replace")))
        return len(self._known.standing(seen))

    def suspicious(self, text: str) -> list[redaction_patterns.Found]:
        """Return what looks like a credential in ``text`` as it is, by rule and place."""
        return redaction_patterns.find(text)

    def _spans(self, text: str) -> Iterator[Span]:
        seen = list(levels(text))
        yield from self._known.spans(seen)
        for level in dict.fromkeys((seen[0], seen[-1])):
            found = redaction_patterns.find(level.text)
            yield from level.home([(hit.start, hit.end) for hit in found])


def _merged(spans: Iterable[Span]) -> list[Span]:
    whole: list[Span] = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], end))
        else:
            whole.append((start, end))
    return whole


def _masked(piece: str, at: int, spans: list[Span]) -> str:
    kept, last = [], 0
    for start, end in spans:
        if end <= at or start >= at + len(piece):
            continue
        kept.append(piece[last : max(0, start - at)])
        if start >= at:
            kept.append(MARK)
        last = min(len(piece), end - at)
    return "".join([*kept, piece[last:]])


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
