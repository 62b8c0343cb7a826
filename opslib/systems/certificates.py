"""The certificate that a host shows: until when, for which names, from whom, and whether it leads to one we trust.

A certificate that is not trusted is described all the same, from a second handshake that believes nothing and sends
nothing. Nobody's credentials are in any of this.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from opslib.errors import SettingsError, Unreachable
from opslib.systems.web import KINDS

if TYPE_CHECKING:
    from cryptography import x509

SECONDS = 8.0
"""How long one host may take, both handshakes together."""
MOST_NAMES = 20
T = TypeVar("T")


@dataclass(frozen=True)
class Certificate:
    """What a host showed. ``fault`` is why it is not believed, in the words of OpenSSL; None where it is."""

    begins: datetime
    ends: datetime
    names: tuple[str, ...]
    issuer: str
    protocol: str
    fault: str | None = None


class Certificates:
    """Looks at hosts by a TLS handshake, and sends nothing after it."""

    def look(self, host: str, port: int, ca: Path | None = None, seconds: float = SECONDS) -> Certificate:
        """Return the certificate that ``host`` shows at ``port``.

        ``ca`` is a PEM file of the only certificates that are trusted; those of the machine if None. Raises
        Unreachable (kinds of :mod:`.web`) where there was no handshake at all.
        """
        try:
            trusting = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise SettingsError(f"{ca} holds no certificates that one could trust ({error.strerror}).") from error
        sockets: list[socket.socket] = []

        def look() -> Certificate:
            fault = None
            try:
                data, protocol = _shown(host, port, trusting, seconds, sockets)
            except ssl.SSLCertVerificationError as error:
                fault = error.verify_message or "not believed"
                data, protocol = _shown(host, port, _believing_nothing(), seconds, sockets)
            return _described(data, protocol, fault)

        return _in_time(look, seconds, sockets, f"{host}:{port}")

    def close(self) -> None:
        """There is nothing to close."""


def _shown(
    host: str, port: int, context: ssl.SSLContext, seconds: float, sockets: list[socket.socket]
) -> tuple[bytes, str]:
    with socket.create_connection((host, port), timeout=seconds) as plain:
        sockets.append(plain)
        with context.wrap_socket(plain, server_hostname=host) as line:
            sockets.append(line)
            return line.getpeercert(binary_form=True) or b"", line.version() or ""


def _believing_nothing() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _described(data: bytes, protocol: str, fault: str | None) -> Certificate:
    from cryptography import x509

    try:
        found = x509.load_der_x509_certificate(data)
        return Certificate(
            found.not_valid_before_utc,
            found.not_valid_after_utc,
            _names(found),
            found.issuer.rfc4514_string()[:200],
            protocol,
            fault,
        )
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Unreachable("It shows a certificate that cannot be read.", "Look at it with openssl.", "tls") from error


def _names(found: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    names = [*said.get_values_for_type(x509.DNSName), *map(str, said.get_values_for_type(x509.IPAddress))]
    return tuple(names[:MOST_NAMES])


def _in_time(look: Callable[[], T], seconds: float, sockets: list[socket.socket], shown: str) -> T:
    """Return what ``look`` returns, within ``seconds`` by the clock: name resolution cannot be broken off otherwise."""
    found: list[T] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            found.append(look())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if found:
        return found[0]
    if not failed:
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        raise _unreachable(shown, "slow", f"{seconds:g} s")
    error = failed[0]
    for kind, sort in (
        ("dns", socket.gaierror),
        ("refused", ConnectionRefusedError),
        ("slow", TimeoutError),
        ("tls", ssl.SSLError),
        ("closed", OSError),
    ):
        if isinstance(error, sort):
            raise _unreachable(shown, kind, str(error).partition("\n")[0][:200]) from error
    raise error


def _unreachable(shown: str, kind: str, detail: str) -> Unreachable:
    said, next_step = KINDS[kind]
    return Unreachable(f"{shown} {said} ({detail}).", next_step, kind)
