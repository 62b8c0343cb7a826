"""For tests of certificates: an authority, what it signs, and a host on loopback that shows it."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Authority:
    """Signs certificates, itself or through one between."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key, self._between = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.root = _made("root", self._key, "root", self._key, ca=1)
        self.middle = _made("between", self._between, "root", self._key, ca=0)
        self.file = folder / "root.pem"
        self.file.write_bytes(self.root.public_bytes(Encoding.PEM))

    def sign(
        self,
        names: tuple[str, ...] = ("localhost",),
        days: float = 200,
        *,
        since: float = 1,
        chain: bool = True,
        by_itself: bool = False,
    ) -> Path:
        """Return a PEM file of a key and its certificate that ends in ``days``; ``chain``: with the one between."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, signing = ("host", key) if by_itself else ("between", self._between)
        made = _made("host", key, issuer, signing, names=names, days=days, since=since)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        parts = [private, made.public_bytes(Encoding.PEM)]
        parts += [self.middle.public_bytes(Encoding.PEM)] if chain and not by_itself else []
        file = self.folder / f"host-{made.serial_number:x}.pem"
        file.write_bytes(b"".join(parts))
        return file


@contextmanager
def host(pem: Path) -> Iterator[int]:
    """Serve TLS with that certificate, and nothing after the handshake; the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with listening(lambda line: context.wrap_socket(line, server_side=True).close()) as port:
        yield port


@contextmanager
def listening(serve) -> Iterator[int]:
    """Hand each connection to ``serve``; the port."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def run() -> None:
            while True:
                try:
                    line, _ = door.accept()
                except OSError:
                    return
                with suppress(OSError):
                    line.settimeout(5)
                    serve(line)
                line.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield door.getsockname()[1]
        finally:
            with suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            door.close()
            thread.join(10)


def _made(subject, key, issuer, signing, *, ca=None, names=(), days=3000.0, since=1.0) -> x509.Certificate:
    now = datetime.now(UTC)
    begun = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=since))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca is not None, path_length=ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    if ca is not None:
        others = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
        ends = {"encipher_only": False, "decipher_only": False, "digital_signature": False}
        usage = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **others, **ends)
        begun = begun.add_extension(usage, critical=True)
    if names:
        said = [x509.DNSName(name) if name[0].isalpha() or name[0] == "*" else _address(name) for name in names]
        begun = begun.add_extension(x509.SubjectAlternativeName(said), critical=False)
    return begun.sign(signing, hashes.SHA256())


def _address(name: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_address(name))
