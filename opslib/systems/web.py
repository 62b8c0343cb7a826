"""HTTP through httpx: safe methods only, no redirect followed, a wall-clock deadline, and failures told apart.

The client's own time-outs count each packet anew and do not cover name resolution, so a server that
drips one byte a second would hold a notebook for ever. Here the whole exchange runs in a thread that is
given up, and its socket shut, when the deadline rings.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, get_args
from urllib.parse import urlsplit, urlunsplit

from opslib.errors import OpsError, Refused, SettingsError, Unreachable, UsageError
from opslib.redaction import Secret
from opslib.systems.web_exchange import Answer, Exchange, Method

if TYPE_CHECKING:
    import httpx

SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes of a body, decoded; a larger one is refused as a whole, for half a document proves nothing."""

KINDS: dict[str, tuple[str, str]] = {
    "dns": ("has a name that does not resolve", "Check DNS and the address in the target description."),
    "refused": ("refuses connections", "Is the service running, and the port right?"),
    "tls": ("has a TLS problem", "Check the certificate (names, validity, chain), and http against https."),
    "slow": ("gave no whole answer in time", "Look at the network and at the service's load."),
    "closed": ("closed the connection before its answer was whole", "See its log, and what stands before it."),
    "large": ("answered with more than may be read", "Ask a narrower address."),
    "protocol": ("answered with something that is no HTTP", "Check scheme and port."),
    "other": ("could not be asked", "Check the address, the network and any proxy on the way."),
}
"""Kinds of failure: what is said of the address, and what to do next."""


class Reader:
    """Asks with GET and HEAD only. A redirect is an answer, not a detour: it is returned as it came."""

    _methods: ClassVar[frozenset[str]] = frozenset({"GET", "HEAD"})

    def __init__(self, *, size_limit: int = SIZE_LIMIT, ca: Path | None = None) -> None:
        """``ca`` is a PEM file of the only certificates that are trusted; those of the machine if None."""
        self._size_limit = size_limit
        self._ca = ca
        self._client: httpx.Client | None = None

    def get(self, url: str, *, deadline: float = 5.0, headers: Mapping[str, str | Secret] | None = None) -> Answer:
        """Return what ``url`` answers to GET within ``deadline`` seconds, whatever its status.

        Raises UsageError for an address that is no plain http(s) address, and Unreachable, with one of
        :data:`KINDS`, when there was no whole answer. A value of ``headers`` may be a Secret.
        """
        return self._ask("GET", url, deadline, headers)

    def head(self, url: str, *, deadline: float = 5.0, headers: Mapping[str, str | Secret] | None = None) -> Answer:
        """Return what ``url`` answers to HEAD; as :meth:`get`, without a body."""
        return self._ask("HEAD", url, deadline, headers)

    def pour(
        self, url: str, take: Callable[[bytes], None], *, deadline: float, headers: Mapping[str, str | Secret]
    ) -> Answer:
        """Hand what ``url`` answers to ``take`` piece by piece, where that is a success; no bound but the deadline's.

        ``take`` is called in this thread; what it raises breaks the exchange off. The body of any other answer is
        in what is returned. Raises as :meth:`get`: a body that breaks off is no whole answer, though pieces were taken.
        """
        return self._ask("GET", url, deadline, headers, take=take)

    def close(self) -> None:
        """Close every connection; the next question opens a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(
        self,
        method: Method,
        url: str,
        seconds: float,
        headers: Mapping[str, str | Secret] | None,
        content: bytes | None = None,
        take: Callable[[bytes], None] | None = None,
        name: str | None = None,
    ) -> Answer:
        shown = public(url)
        plain = {name: _plain(name, value) for name, value in (headers or {}).items()}
        exchange = Exchange(self._opened(), method, url, plain, seconds, self._size_limit, content, name)
        if take is not None:
            exchange.pour()
        exchange.thread.start()
        try:
            exchange.hand_over(take)
        except BaseException:
            exchange.give_up()
            self._client = None
            raise
        answer, error = exchange.answer, exchange.error
        if answer is not None:
            return answer
        if error is None:
            exchange.give_up()
            self._client = None  # the thread given up still holds it; the next question gets a new one
            raise _unreachable("slow", shown, f"{seconds:g} s")
        kind = kind_of(error)
        if kind is None:
            raise error
        detail = f"{seconds:g} s" if kind == "slow" else str(error).partition("\n")[0]
        raise _unreachable(kind, shown, detail) from error

    def _opened(self) -> httpx.Client:
        if self._client is None:
            self._client = _client(self._methods, self._ca)
        return self._client


class Preflights(Reader):
    """Also asks as a browser does before it calls another origin: with OPTIONS, which changes nothing (RFC 9110)."""

    _methods: ClassVar[frozenset[str]] = frozenset({"GET", "HEAD", "OPTIONS"})

    def preflight(self, url: str, headers: Mapping[str, str | Secret], *, deadline: float = 5.0) -> Answer:
        """Return what ``url`` answers to OPTIONS with these headers; raises as :meth:`get`."""
        return self._ask("OPTIONS", url, deadline, headers)


class Asker(Reader):
    """Also sends a question that needs a body to a service that changes nothing by answering it.

    For the executor's declared calls (time stamps, a model's few words); a notebook holds a :class:`Reader`.
    """

    _methods: ClassVar[frozenset[str]] = frozenset({"GET", "HEAD", "POST"})

    def post(
        self,
        url: str,
        content: bytes,
        kind: str,
        *,
        deadline: float = 5.0,
        headers: Mapping[str, str | Secret] | None = None,
    ) -> Answer:
        """Return what ``url`` answers to a body of media type ``kind``; raises as :meth:`get`."""
        return self._ask("POST", url, deadline, {**(headers or {}), "content-type": kind}, content)

    def stream(
        self,
        url: str,
        content: bytes,
        take: Callable[[bytes], None],
        *,
        deadline: float,
        headers: Mapping[str, str | Secret],
    ) -> Answer:
        """Hand the answer to a body to ``take`` piece by piece, as it comes; as :meth:`pour`."""
        return self._ask("POST", url, deadline, headers, content, take)


class Writer(Asker):
    """Also sends what changes something: for ``apply`` and ``undo`` alone, which know how to look afterwards."""

    _methods: ClassVar[frozenset[str]] = frozenset(get_args(Method))

    def send(
        self,
        method: Method,
        url: str,
        content: bytes | None = None,
        *,
        deadline: float = 30.0,
        headers: Mapping[str, str | Secret] | None = None,
    ) -> Answer:
        """Return what ``url`` answers; sent once and never again by itself. Raises as :meth:`get`."""
        return self._ask(method, url, deadline, headers, content)


def public(url: str) -> str:
    """Return ``url`` without its query, as messages may show it; raises UsageError if it is no plain address."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        whole = False
    if not whole:
        raise UsageError("An address must start with http:// or https:// and name a host.")
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"The address of {parts.hostname} carries credentials.", "Give them as a header instead.")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def kind_of(error: BaseException) -> str | None:
    """Return which of :data:`KINDS` an error of the client is, or None for one that is not the network's."""
    import httpx

    causes = list(_causes(error))
    for kind, sort in (
        ("dns", socket.gaierror),
        ("refused", ConnectionRefusedError),
        ("slow", (httpx.TimeoutException, TimeoutError)),
        ("tls", ssl.SSLError),
    ):
        if any(isinstance(cause, sort) for cause in causes):
            return kind
    if isinstance(error, Unreachable):
        return error.kind
    if isinstance(error, httpx.RemoteProtocolError):
        return "closed" if "disconnected" in str(error) or "closed" in str(error) else "protocol"
    if isinstance(error, (httpx.ReadError, httpx.WriteError)):
        return "closed"
    return "other" if isinstance(error, (httpx.HTTPError, httpx.InvalidURL)) else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unreachable(kind: str, shown: str, detail: str) -> OpsError:
    said, next_step = KINDS[kind]
    return Unreachable(f"{shown} {said} ({detail}).", next_step, kind)


def _plain(name: str, value: str | Secret) -> str:
    plain = value.reveal() if isinstance(value, Secret) else value
    if not re.fullmatch(r"([!-~]([\t -~]*[!-~])?)?", plain):
        # The client would repeat the whole value in its error.
        raise UsageError(f"The header {name} has a value that no header may have.", "Look for line ends and blanks.")
    return plain


CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables of the environment that name other authorities than the usual ones."""


def everybodys_authorities() -> ssl.SSLContext:
    """Return whom everybody trusts, or whom :data:`CERTIFICATES` name; for all handles of this process alike."""
    return _authorities(*map(os.environ.get, CERTIFICATES))


@cache
def _authorities(*named: str | None) -> ssl.SSLContext:
    # Once: reading them takes longer than most exchanges, and each handle has a client of its own.
    import httpx

    return httpx.create_ssl_context()


def _client(methods: frozenset[str], ca: Path | None) -> httpx.Client:
    import httpx

    try:
        trusted = ssl.create_default_context(cafile=ca) if ca else everybodys_authorities()
    except OSError as error:
        named = ca or next(filter(None, map(os.environ.get, CERTIFICATES)), "certifi")
        raise SettingsError(f"{named} holds no certificates that one could trust ({error.strerror}).") from error

    def only_these(request: httpx.Request) -> None:
        if request.method not in methods:
            raise Refused(f"This handle does not send {request.method}.", "Ask for a step of a runbook instead.")

    return httpx.Client(
        verify=trusted,
        # Whatever the client is asked for, also past this module's own methods.
        event_hooks={"request": [only_these]},
        follow_redirects=False,
        headers={"user-agent": "opslib", "accept-encoding": "identity"},
        # A proxy of the environment must not stand between us and this machine.
        mounts={f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")},
    )
