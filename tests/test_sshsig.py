"""Signatures that ssh-keygen reads, and that it writes: both ways, and nothing but the one form."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import sshsig
from tests.scale import count

NAMESPACE = "opslib-archive"
ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "key"
    file.write_bytes(sshsig.generate())
    file.chmod(0o600)
    return file


def keygen(*words: object, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ssh-keygen", *map(str, words)], input=data, capture_output=True, check=False)


def made(folder: Path, kind: str, *options: str) -> Path:
    assert keygen("-q", "-t", kind, "-N", "", "-C", "a comment", "-f", folder / kind, *options).returncode == 0
    return folder / kind


def accepted(folder: Path, data: bytes, armour: bytes) -> bool:
    (folder / "sig").write_bytes(armour)
    return keygen("-Y", "check-novalidate", "-n", NAMESPACE, "-s", folder / "sig", data=data).returncode == 0


@pytest.mark.parametrize("data", [b"", b"hello\n", bytes(range(256)) * 500])
def test_ssh_keygen_verifies_what_is_signed_here(tmp_path: Path, key: Path, data: bytes) -> None:
    armour = sshsig.sign(data, NAMESPACE, key)
    assert sshsig.verify(data, armour, NAMESPACE) == sshsig.Signer(key).public
    signers = tmp_path / "signers"
    signers.write_text(f'host@vm namespaces="{NAMESPACE}" {sshsig.Signer(key).public}\n')
    (tmp_path / "sig").write_bytes(armour)
    done = keygen(*("-Y", "verify", "-f", signers, "-I", "host@vm", "-n", NAMESPACE, "-s", tmp_path / "sig"), data=data)
    assert done.returncode == 0, done.stderr
    assert sshsig.fingerprint(sshsig.Signer(key).public).encode() in done.stdout
    assert not accepted(tmp_path, data + b"x", armour)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_what_ssh_keygen_signs_verifies_here(tmp_path: Path, algorithm: str) -> None:
    theirs = made(tmp_path, "ed25519")
    done = keygen("-Y", "sign", "-f", theirs, "-n", NAMESPACE, "-O", f"hashalg={algorithm}", data=b"hello")
    public = sshsig.verify(b"hello", done.stdout, NAMESPACE)
    assert theirs.with_suffix(".pub").read_text() == f"{public} a comment\n"
    said = keygen("-l", "-E", "sha256", "-f", theirs.with_suffix(".pub")).stdout.decode()
    assert said.split(" ")[1] == sshsig.fingerprint(public)
    if algorithm == "sha512":
        assert done.stdout == sshsig.sign(b"hello", NAMESPACE, theirs), "not the same bytes as ssh-keygen's"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_signature_by_any_kind_of_key_is_canonical_as_ssh_keygen_writes_it(tmp_path: Path, kind: str) -> None:
    armour = keygen("-Y", "sign", "-f", made(tmp_path, kind), "-n", "opslib-approve", data=b"hello").stdout
    assert sshsig.canonical(armour)
    assert not sshsig.canonical(armour + b"\n")
    assert not sshsig.canonical(armour.replace(b"\n", b"\r\n"))
    if kind != "ed25519":
        with pytest.raises(ValueError, match="Ed25519"):
            sshsig.verify(b"hello", armour, "opslib-approve")


def test_other_content_purpose_or_key_is_refused(key: Path, tmp_path: Path) -> None:
    armour = sshsig.sign(b"hello", NAMESPACE, key)
    for data, namespace in ((b"hello!", NAMESPACE), (b"hello", "opslib-approve"), (b"hello", "")):
        with pytest.raises(ValueError, match="is "):
            sshsig.verify(data, armour, namespace)
    other = sshsig.parse(sshsig.sign(b"hello", NAMESPACE, made(tmp_path, "ed25519")))
    with pytest.raises(ValueError, match="other content"):
        sshsig.verify(b"hello", replace(sshsig.parse(armour), key=other.key).encode(), NAMESPACE)


def test_the_twin_of_a_signature_is_refused_though_ssh_keygen_may_take_it(key: Path) -> None:
    parts = sshsig.parse(sshsig.sign(b"hello", NAMESPACE, key))
    number = int.from_bytes(parts.signature[32:], "little") + ORDER
    twin = replace(parts, signature=parts.signature[:32] + number.to_bytes(32, "little"))
    with pytest.raises(ValueError, match="no signer writes"):
        sshsig.verify(b"hello", twin.encode(), NAMESPACE)


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "a line more": lambda armour: armour + b"\n",
    "no last line end": lambda armour: armour[:-1],
    "a line before": lambda armour: b"\n" + armour,
    "Windows line ends": lambda armour: armour.replace(b"\n", b"\r\n"),
    "spaces": lambda armour: armour.replace(b"\n", b" \n", 2),
    "another width": lambda armour: armour.replace(b"\n", b"", 3).replace(b"-----U1", b"-----\nU1"),
    "another name": lambda armour: armour.replace(b"SSH SIGNATURE", b"SSH  SIGNATURE"),
    "no padding": lambda armour: armour.replace(b"==", b""),
    "more padding": lambda armour: armour.replace(b"==", b"===="),
    "a zero byte": lambda armour: armour.replace(b"\n", b"\0\n", 2),
    "nothing": lambda armour: b"",
    "its frame alone": lambda armour: b"".join(armour.splitlines(keepends=True)[:: len(armour.splitlines()) - 1]),
    "twice": lambda armour: armour * 2,
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_spelling_of_a_signature_is_refused(key: Path, name: str) -> None:
    armour = sshsig.sign(b"hello", NAMESPACE, key)
    assert sshsig.canonical(armour)
    assert not sshsig.canonical(SPELLINGS[name](armour))
    with pytest.raises(ValueError, match="is "):
        sshsig.verify(b"hello", SPELLINGS[name](armour), NAMESPACE)


def test_no_byte_of_a_signature_can_change(key: Path) -> None:
    armour = sshsig.sign(b"hello", NAMESPACE, key)
    for at in range(len(armour)):
        for flip in (1, 2, 16, 32, 128):
            changed = armour[:at] + bytes([armour[at] ^ flip]) + armour[at + 1 :]
            with pytest.raises(ValueError, match=r"is |holds "):
                sshsig.verify(b"hello", changed, NAMESPACE)


@settings(max_examples=count(300, 20_000), deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_reading_a_signature_ends_in_a_value_or_in_one_kind_of_error(data: bytes, framed: bool) -> None:
    parts = sshsig.Parts(data, data[:20], b"sha512", data[20:30], data[::-1], b"")
    for armour in (data, parts.encode() if framed else b"-----BEGIN SSH SIGNATURE-----\n" + data):
        sshsig.canonical(armour)
        with suppress(ValueError):
            sshsig.verify(b"", armour, NAMESPACE)


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "ssh-rsa AAAA", "ssh-ed25519 " + "A" * 68, "\n"])
def test_what_is_no_public_key_has_no_fingerprint(text: str) -> None:
    with pytest.raises(ValueError, match="is no Ed25519 public key"):
        sshsig.fingerprint(text)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "pass phrase", "text", "empty"])
def test_a_key_that_cannot_sign_here_is_refused(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key"
    if kind in ("ecdsa", "rsa"):
        file = made(tmp_path, kind)
    elif kind == "pass phrase":
        keygen("-q", "-t", "ed25519", "-N", "long enough", "-f", file)
    else:
        file.write_text("no key" if kind == "text" else "")
    with pytest.raises(ValueError, match="key"):
        sshsig.Signer(file)


def test_a_signature_is_read_back_into_its_parts(key: Path) -> None:
    armour = sshsig.sign(b"hello", NAMESPACE, key)
    parts = sshsig.parse(armour)
    assert (parts.namespace, parts.hash, parts.form, parts.rest) == (NAMESPACE.encode(), b"sha512", b"ssh-ed25519", b"")
    assert len(parts.signature) == 64
    assert parts.encode() == armour
    assert max(map(len, armour.splitlines())) == 70


BAD: dict[str, tuple[dict[str, bytes], str]] = {
    "hash": ({"hash": b"md5"}, "is over an unknown hash"),
    "purpose": ({"namespace": b""}, "is for no purpose"),
    "more": ({"rest": b"\0"}, "is longer than a signature of its kind"),
    "five more": ({"rest": b"\0" * 5}, "is longer than a signature of its kind"),
    "short": ({"signature": b"\0" * 63}, "holds a number that no signer writes"),
    "long": ({"signature": b"\0" * 65}, "holds a number that no signer writes"),
    "high": ({"signature": b"\0" * 63 + b"\x10"}, "holds a number that no signer writes"),
    "key": ({"key": b"\0\0\0\x01x"}, "is cut"),
    "short key": ({"key": b"\0\0\0\x0bssh-ed25519\0\0\0\x1f" + b"x" * 31}, "is no Ed25519 public key"),
    "key and more": ({"key": b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"x" * 33}, "is no Ed25519 public key"),
    "other key": ({"key": b"\0\0\0\x0bssh-ed25518\0\0\0\x20" + b"x" * 32}, "is no Ed25519 public key"),
    "no security key": ({"form": b"sk-ssh-ed25519@openssh.com"}, "is longer than a signature of its kind"),
}


@pytest.mark.parametrize("name", BAD)
def test_parts_that_make_no_signature_are_refused_with_the_reason(key: Path, name: str) -> None:
    changed, why = BAD[name]
    armour = replace(sshsig.parse(sshsig.sign(b"hello", NAMESPACE, key)), **changed).encode()
    with pytest.raises(ValueError, match=f"^{why}$"):
        sshsig.parse(armour)


def test_the_highest_number_that_a_signer_may_write_is_a_signature_of_other_content(key: Path) -> None:
    parts = replace(sshsig.parse(sshsig.sign(b"hello", NAMESPACE, key)), signature=b"\0" * 63 + b"\x0f")
    assert sshsig.canonical(parts.encode())
    with pytest.raises(ValueError, match=r"^is of other content$"):
        sshsig.verify(b"hello", parts.encode(), NAMESPACE)


def test_a_security_keys_signature_has_five_bytes_more(key: Path) -> None:
    own = sshsig.parse(sshsig.sign(b"hello", NAMESPACE, key))
    for form in (b"sk-ssh-ed25519", b"sk-ecdsa-sha2-nistp256@openssh.com"):
        assert sshsig.canonical(replace(own, form=form, rest=b"\0" * 5).encode())
        with pytest.raises(ValueError, match=r"^is not by an Ed25519 key$"):
            sshsig.verify(b"hello", replace(own, form=form, rest=b"\0" * 5).encode(), NAMESPACE)


def test_what_is_no_signature_says_why(key: Path) -> None:
    armour = sshsig.sign(b"hello", NAMESPACE, key)
    begin, end = armour.splitlines(keepends=True)[0], armour.splitlines(keepends=True)[-1]

    def framed(blob: bytes) -> bytes:
        text = base64.b64encode(blob)
        return begin + b"".join(text[at : at + 70] + b"\n" for at in range(0, len(text), 70)) + end

    blob = base64.b64decode(b"".join(armour.splitlines()[1:-1]))
    assert framed(blob) == armour
    for data, why in (
        (b"", "is no signature in OpenSSH's format"),
        (begin + b"!" + end, "is no signature in OpenSSH's format"),
        (framed(blob.replace(b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\2")), "is no signature of version 1"),
        (framed(blob[:-1]), "is cut"),
        (framed(b"SSHSIG\0\0\0\1"), "is cut"),
        (framed(blob + b"\0"), "is not in the one form that a signature has"),
    ):
        with pytest.raises(ValueError, match=f"^{why}$"):
            sshsig.parse(data)


def test_a_large_file_is_no_signature_however_it_begins(key: Path) -> None:
    parts = sshsig.parse(sshsig.sign(b"hello", NAMESPACE, key))
    sizes = {}
    for size in (48_000, 50_000):
        armour = replace(parts, form=b"ssh-rsa", signature=b"s" * size).encode()
        sizes[len(armour) <= 65_536] = sshsig.canonical(armour)
    assert sizes == {True: True, False: False}


def test_a_private_key_may_be_mounted_as_a_link(key: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(key)
    assert sshsig.Signer(tmp_path / "link").public == sshsig.Signer(key).public


def packed(own: bytes, raw: bytes, check: bytes = b"1234" * 2, padding: bytes = b"\x01\x02\x03\x04") -> bytes:
    """Return a private key's file in OpenSSH's form, of these parts."""
    form = sshsig._string(b"ssh-ed25519")
    inner = check + form + sshsig._string(own) + sshsig._string(raw) + sshsig._string(b"") + padding
    none = sshsig._string(b"none") * 2 + sshsig._string(b"")
    blob = b"openssh-key-v1\0" + none + (1).to_bytes(4) + sshsig._string(form + sshsig._string(own))
    text = base64.encodebytes(blob + sshsig._string(inner))
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + text + b"-----END OPENSSH PRIVATE KEY-----\n"


def test_a_private_key_whose_parts_do_not_belong_together_is_refused(tmp_path: Path, key: Path) -> None:
    own, file = sshsig._take(sshsig._take(sshsig.Signer(key)._blob)[1])[0], tmp_path / "key"
    raw = sshsig._private(key.read_bytes())
    file.write_bytes(packed(own, raw))
    assert sshsig.Signer(file).public == sshsig.Signer(key).public
    other = bytes(32)
    for data, why in (
        (packed(other, raw), "no private key"),
        (packed(own, raw, check=b"12345678"), "no private key"),
        (packed(own, raw, padding=b"\x01\x03"), "no private key"),
        (packed(other, raw[:32] + other), "does not belong to its public one"),
    ):
        file.write_bytes(data)
        with pytest.raises(ValueError, match=why):
            sshsig.Signer(file)
