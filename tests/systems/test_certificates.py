"""Certificates of hosts on loopback, each wrong in its own way: told from one another, and described all the same."""

import time

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.systems.certificates import Certificates
from tests.hosts import Authority, host, listening


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def look(authority, port, name="localhost", **more):
    return Certificates().look(name, port, authority.file, **more)


def test_a_certificate_that_is_believed_is_described(authority):
    with host(authority.sign(("localhost", "127.0.0.1"), 200)) as port:
        found, by_number = look(authority, port), look(authority, port, "127.0.0.1")
    assert (found.fault, by_number.fault) == (None, None)
    assert found.names == ("localhost", "127.0.0.1")
    assert (found.ends - found.begins).days == 201
    assert (found.issuer, found.protocol) == ("CN=between", "TLSv1.3")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"days": -1, "since": 90}, "expired"),
        ({"since": -2}, "not yet valid"),
        ({"names": ("app.valuecanvas.test",)}, "Hostname mismatch"),
        ({"names": ()}, "Hostname mismatch"),
        ({"chain": False}, "unable to get local issuer"),
        ({"by_itself": True}, "self-signed"),
    ],
    ids=["expired", "not-yet", "another-name", "no-name", "incomplete", "self-signed"],
)
def test_one_that_is_not_believed_is_described_with_the_reason(authority, made, said):
    with host(authority.sign(**made)) as port:
        found = look(authority, port)
    assert said.replace("-", " ").lower() in found.fault.replace("-", " ").lower()
    assert found.names == made.get("names", ("localhost",))


def test_an_authority_of_the_machine_is_not_ours(authority):
    with host(authority.sign()) as port:
        assert Certificates().look("localhost", port).fault


@pytest.mark.parametrize(
    ("serve", "kind"),
    [
        (lambda line: line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "tls"),
        (lambda line: None, "closed"),
    ],
    ids=["plain", "cut"],
)
def test_a_host_that_shows_no_certificate_is_told(authority, serve, kind):
    with listening(serve) as port, pytest.raises(Unreachable) as told:
        look(authority, port)
    assert told.value.kind in (kind, "tls", "closed")
    assert f"localhost:{port}" in told.value.message


def test_a_silent_host_is_given_up(authority):
    with listening(lambda line: time.sleep(2)) as port, pytest.raises(Unreachable) as told:
        look(authority, port, seconds=0.5)
    assert told.value.kind == "slow"


def test_a_closed_port_refuses(authority):
    with listening(lambda line: None) as port:
        pass
    with pytest.raises(Unreachable) as told:
        look(authority, port)
    assert told.value.kind == "refused"


def test_a_file_that_holds_no_authority_is_the_descriptions_fault(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(SettingsError, match="no certificates that one could trust"):
        Certificates().look("localhost", 1, tmp_path / "ca.pem")
