"""Signing and verifying with the real ssh-keygen; what is forged is refused in tests/runs/test_approvals.py."""

import os
import pty
import select
import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from opslib.errors import Refused, Unreachable, UsageError
from opslib.systems import ssh_keygen
from tests.scale import NIGHTLY
from tests.signing import Keys

DATA = b"what is signed\n"
AT = datetime(2026, 11, 23, 13, 6, 14, tzinfo=UTC)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def locked(tmp_path):
    key = tmp_path / "locked"
    command = [str(ssh_keygen.find()), "-q", "-t", "ed25519", "-N", "open sesame", "-f", str(key)]
    subprocess.run(command, check=True, timeout=20)
    return key


def verify(keys, armour, data=DATA, **more):
    said = {"principal": "ben@valuecanvas", "namespace": "opslib-approve", "revoked": None, "at": AT}
    return ssh_keygen.verify(data, armour, **{**said, "signers": keys.line("ben").encode(), **more})


def test_what_was_signed_verifies_and_names_its_key(keys):
    armour = ssh_keygen.sign(DATA, "opslib-approve", keys["ben"])
    assert verify(keys, armour) == keys.fingerprint("ben") == ssh_keygen.signer(armour, "opslib-approve")


@pytest.mark.parametrize(
    ("who", "options", "why"),
    [
        ("cat", 'namespaces="opslib-approve"', "is not one of ben@valuecanvas's allowed keys"),
        ("ben", 'namespaces="git"', "is not allowed for this namespace"),
        ("ben", 'valid-before="20200101"', "has expired"),
        ("ben", 'valid-after="20990101"', "is not yet valid"),
    ],
)
def test_a_key_that_is_not_allowed_is_refused_with_the_reason(keys, who, options, why):
    armour = ssh_keygen.sign(DATA, "opslib-approve", keys["ben"])
    with pytest.raises(Refused, match=why):
        verify(keys, armour, signers=keys.line(who, options, "ben@valuecanvas").encode())


@pytest.mark.skipif(not NIGHTLY, reason="takes the whole time limit of 20 seconds")
def test_an_agent_that_never_answers_does_not_hold_its_caller(keys, monkeypatch, tmp_path):
    public = tmp_path / "ben.pub"
    public.write_text(keys.public("ben"))
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        with pytest.raises(Unreachable, match="gave no answer within 20 s"):
            ssh_keygen.sign(DATA, "opslib-approve", public)


def test_it_verifies_where_there_are_no_files_in_memory_too(keys, monkeypatch):
    armour = ssh_keygen.sign(DATA, "opslib-approve", keys["ben"])
    monkeypatch.delattr(os, "memfd_create")
    assert verify(keys, armour, revoked=b"# nobody\n") == keys.fingerprint("ben")
    with pytest.raises(Refused, match="is revoked"):
        verify(keys, armour, revoked=keys.public("ben").encode())


def test_any_kind_of_key_may_sign(tmp_path):
    for kind in ("ecdsa", "rsa"):
        key = tmp_path / kind
        subprocess.run([str(ssh_keygen.find()), "-q", "-t", kind, "-N", "", "-f", str(key)], check=True, timeout=60)
        public = key.with_suffix(".pub").read_text()
        armour = ssh_keygen.sign(DATA, "opslib-approve", key)
        mark = ssh_keygen.verify(
            DATA,
            armour,
            principal="ben",
            namespace="opslib-approve",
            signers=f'ben namespaces="opslib-approve" {public}'.encode(),
            revoked=None,
            at=AT,
        )
        assert mark == ssh_keygen.fingerprint(key)


def test_the_private_and_the_public_file_have_one_fingerprint_and_no_pass_phrase_is_asked_for(locked):
    assert ssh_keygen.fingerprint(locked) == ssh_keygen.fingerprint(locked.with_suffix(".pub"))


def test_without_a_terminal_a_locked_key_fails_at_once_and_says_what_to_do(locked):
    script = (
        "import sys, pathlib\nfrom opslib.systems import ssh_keygen\n"
        "ssh_keygen.sign(b'x', 'opslib-approve', pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", script, str(locked)]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert "did not sign" in said.stderr
    assert "put the key into an ssh-agent" in said.stderr


def test_on_a_terminal_the_pass_phrase_is_asked_for(locked, tmp_path):
    signed = tmp_path / "signed"
    script = (
        "import sys, pathlib\nfrom opslib.systems import ssh_keygen\n"
        "armour = ssh_keygen.sign(b'x', 'opslib-approve', pathlib.Path(sys.argv[1]))\n"
        "pathlib.Path(sys.argv[2]).write_bytes(armour)"
    )
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", script, str(locked), str(signed)])  # never returns
    said = b""
    while b"passphrase" not in said:
        assert select.select([terminal], [], [], 60)[0], said
        said += os.read(terminal, 1024)
    os.write(terminal, b"open sesame\n")
    assert os.waitpid(child, 0)[1] == 0
    os.close(terminal)
    assert ssh_keygen.signer(signed.read_bytes(), "opslib-approve") == ssh_keygen.fingerprint(locked)


def test_a_key_that_others_can_read_does_not_sign(keys, tmp_path):
    key = tmp_path / "open"
    key.write_bytes(keys["ben"].read_bytes())
    key.chmod(0o644)
    with pytest.raises(UsageError, match="did not sign"):
        ssh_keygen.sign(DATA, "opslib-approve", key)


def test_what_is_no_key_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="There is no key file"):
        ssh_keygen.fingerprint(tmp_path / "missing")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UsageError, match="is no SSH key"):
        ssh_keygen.fingerprint(tmp_path / "text")


@pytest.mark.parametrize("word", ["", "-n", "a b", "a,b", "*", "ben\n", "../x", "x" * 81, "bén"])
def test_a_name_that_could_be_an_option_or_a_pattern_never_reaches_the_program(keys, word):
    armour = ssh_keygen.sign(DATA, "opslib-approve", keys["ben"])
    with pytest.raises(Refused, match="no name of a signer or a namespace"):
        verify(keys, armour, principal=word)
    with pytest.raises(Refused, match="no name of a signer or a namespace"):
        verify(keys, armour, namespace=word)
    with pytest.raises(Refused, match="no name of a signer or a namespace"):
        ssh_keygen.sign(DATA, word, keys["ben"])


def test_a_machine_without_the_program_says_what_to_install(keys, monkeypatch, tmp_path):
    armour = ssh_keygen.sign(DATA, "opslib-approve", keys["ben"])
    monkeypatch.setenv("PATH", str(tmp_path))
    for call in (
        lambda: ssh_keygen.sign(DATA, "opslib-approve", keys["ben"]),
        lambda: ssh_keygen.fingerprint(keys["ben"]),
        lambda: verify(keys, armour),
    ):
        with pytest.raises(UsageError, match="install openssh-client"):
            call()
