"""Signatures in OpenSSH's format (PROTOCOL.sshsig), made and read without ``ssh-keygen``, and checkable with it.

One signature has one form here: whatever decodes to the same but is spelled otherwise is refused, so that no
byte of a signature's file can change unseen. Reading ends in a value or in ValueError, whatever the bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from opslib import files

ED25519 = b"ssh-ed25519"
LARGEST = 64 * 1024
"""No signature and no key file has more bytes."""

_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"
_MAGIC = b"SSHSIG"
_WIDTH = 70
_HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_PUBLIC = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{68}", re.ASCII)


@dataclass(frozen=True)
class Parts:
    """What a signature's file holds. ``key`` is the public key's blob, ``form`` the signature's algorithm."""

    key: bytes
    namespace: bytes
    hash: bytes
    form: bytes
    signature: bytes
    rest: bytes

    def encode(self) -> bytes:
        """Return the file's bytes, as ``ssh-keygen -Y sign`` writes them."""
        inner = _string(self.form) + _string(self.signature) + self.rest
        blob = _MAGIC + (1).to_bytes(4) + _string(self.key) + _string(self.namespace) + _string(b"")
        text = base64.b64encode(blob + _string(self.hash) + _string(inner))
        lines = [text[at : at + _WIDTH] + b"\n" for at in range(0, len(text), _WIDTH)]
        return _BEGIN + b"".join(lines) + _END


def parse(armour: bytes) -> Parts:
    """Return the parts of a signature of any kind of key; raises ValueError for all but its one canonical form.

    An ECDSA signature has a twin under the same key that this cannot tell from it; Ed25519 has none.
    """
    if len(armour) > LARGEST or not armour.startswith(_BEGIN) or not armour.endswith(_END):
        raise ValueError("is no signature in OpenSSH's format")
    try:
        blob = binascii.a2b_base64(armour[len(_BEGIN) : -len(_END)].replace(b"\n", b""), strict_mode=True)
    except binascii.Error:
        raise ValueError("is no signature in OpenSSH's format") from None
    if blob[:10] != _MAGIC + (1).to_bytes(4):
        raise ValueError("is no signature of version 1")
    key, rest = _take(blob[10:])
    namespace, rest = _take(rest)
    _, rest = _take(rest)
    algorithm, rest = _take(rest)
    inner, _ = _take(rest)
    form, inner = _take(inner)
    signature, inner = _take(inner)
    parts = Parts(key, namespace, algorithm, form, signature, inner)
    if fault := _fault(parts):
        raise ValueError(fault)
    if parts.encode() != armour:
        raise ValueError("is not in the one form that a signature has")
    return parts


def canonical(armour: bytes) -> bool:
    """Say whether ``armour`` is a signature, by any kind of key, in its one canonical form."""
    try:
        parse(armour)
    except ValueError:
        return False
    return True


def verify(data: bytes, armour: bytes, namespace: str) -> str:
    """Return the public key (``ssh-ed25519 AAAA…``) that signed ``data``; raises ValueError when none did.

    Whose key it is is for the caller to know: compare the line, or its :func:`fingerprint`.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    parts = parse(armour)
    if parts.form != ED25519:
        raise ValueError("is not by an Ed25519 key")
    if parts.namespace != namespace.encode():
        raise ValueError(f"is for another purpose than {namespace}")
    try:
        key = Ed25519PublicKey.from_public_bytes(_raw(parts.key))
        key.verify(parts.signature, _signed(data, parts.namespace, parts.hash))
    except InvalidSignature:
        raise ValueError("is of other content") from None
    return _line(parts.key)


def fingerprint(public: str) -> str:
    """Return ``SHA256:…`` of a public key's line as OpenSSH shows it; raises ValueError for another line."""
    if not _PUBLIC.fullmatch(public):
        raise ValueError("is no Ed25519 public key")
    blob = base64.b64decode(public.split(" ")[1])
    _raw(blob)
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


class Signer:
    """A private Ed25519 key, read once for many signatures."""

    def __init__(self, private_key_file: Path) -> None:
        """Read a key in OpenSSH's format without pass phrase; raises OSError, or ValueError for another file."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        # A key may be mounted as a link, so that links are followed here.
        data = files.read_plain(Path(os.path.realpath(private_key_file)), LARGEST)
        raw = _private(data)
        self._key = Ed25519PrivateKey.from_private_bytes(raw[:32])
        self._blob = _string(ED25519) + _string(self._key.public_key().public_bytes_raw())
        if self._blob != _string(ED25519) + _string(raw[32:]):
            raise ValueError("is a private key that does not belong to its public one")

    @property
    def public(self) -> str:
        """The public key as one line, ``ssh-ed25519 AAAA…``."""
        return _line(self._blob)

    def sign(self, data: bytes, namespace: str) -> bytes:
        """Return the signature of ``data`` for ``namespace``; ``ssh-keygen -Y verify`` reads it."""
        signature = self._key.sign(_signed(data, namespace.encode(), b"sha512"))
        return Parts(self._blob, namespace.encode(), b"sha512", ED25519, signature, b"").encode()


def sign(data: bytes, namespace: str, private_key_file: Path) -> bytes:
    """Return the signature of ``data`` by the key in a file; raises as :class:`Signer`."""
    return Signer(private_key_file).sign(data, namespace)


def generate() -> bytes:
    """Return a new private Ed25519 key's file in OpenSSH's format."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, forms.NoEncryption())


def _private(data: bytes) -> bytes:
    """Return the private key in a file in OpenSSH's format (PROTOCOL.key), then its public one, 32 bytes each.

    Read here, since the library imports every cipher for it. Raises ValueError for what is not that.
    """
    fault = "is no private key in OpenSSH's format without pass phrase"
    begin, end = (f"-----{word} OPENSSH PRIVATE KEY-----".encode() for word in ("BEGIN", "END"))
    text, ended, _ = data.partition(begin)[2].partition(end)
    try:
        blob = binascii.a2b_base64(b"".join(text.split()), strict_mode=True)
        # Cipher and derivation of its key, which are none; then how many keys there are.
        head = b"openssh-key-v1\0" + _string(b"none") * 2 + _string(b"") + (1).to_bytes(4)
        if not ended or not blob.startswith(head):
            raise ValueError(fault)
        public, rest = _take(blob[len(head) :])
        inner, rest = _take(rest)
        form, fields = _take(inner[8:])
        if form == ED25519:
            own, fields = _take(fields)
            raw, fields = _take(fields)
            _, padding = _take(fields)
    except (ValueError, binascii.Error):
        raise ValueError(fault) from None
    if form != ED25519:
        raise ValueError("is no Ed25519 key")
    whole = not rest and inner[:4] == inner[4:8] and padding == bytes(range(1, len(padding) + 1)) and len(padding) < 8
    if not whole or len(raw) != 64 or own != raw[32:] or public != _string(ED25519) + _string(own):
        raise ValueError(fault)
    return raw


def _signed(data: bytes, namespace: bytes, algorithm: bytes) -> bytes:
    digest = _HASHES[algorithm](data).digest()
    return _MAGIC + _string(namespace) + _string(b"") + _string(algorithm) + _string(digest)


def _fault(parts: Parts) -> str:
    """Return what else than its spelling keeps a signature from being one, or nothing."""
    if parts.hash not in _HASHES:
        return "is over an unknown hash"
    if not parts.namespace:
        return "is for no purpose"
    # Security keys append a byte of flags and a counter; nothing else has more than its two strings.
    if len(parts.rest) != (5 if parts.form.startswith(b"sk-") else 0):
        return "is longer than a signature of its kind"
    # The upper half of Ed25519's last number is below 2**252; OpenSSH takes it with the group's order added too.
    if parts.form.endswith(ED25519) and (len(parts.signature) != 64 or parts.signature[63] >= 16):
        return "holds a number that no signer writes"
    if parts.form == ED25519:
        try:
            _raw(parts.key)
        except ValueError as error:
            return str(error)
    return ""


def _raw(blob: bytes) -> bytes:
    form, rest = _take(blob)
    raw, rest = _take(rest)
    if form != ED25519 or len(raw) != 32 or rest:
        raise ValueError("is no Ed25519 public key")
    return raw


def _line(blob: bytes) -> str:
    return f"{ED25519.decode()} {base64.b64encode(blob).decode()}"


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def _take(data: bytes) -> tuple[bytes, bytes]:
    """Return the string at the start of ``data`` and what follows it; raises ValueError when it is cut."""
    end = 4 + int.from_bytes(data[:4])
    if len(data) < end:
        raise ValueError("is cut")
    return data[4:end], data[end:]
