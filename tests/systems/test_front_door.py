"""The API asked at an address by its name: Host and SNI are the name, and the certificate has to fit it."""

import pytest

from opslib.errors import Unreachable
from opslib.systems.front_door import FrontDoor
from tests.hosts import Authority, host


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def door(lab, **said):
    return FrontDoor(lab.settings.reading().model_copy(update=said))


def test_both_sites_of_the_lab_answer_to_the_apis_name(lab):
    for address in ("127.0.0.1", "127.0.0.2"):
        answer = door(lab).ask(address, "/health/ready")
        assert (answer.status, '"ready"' in answer.text) == (200, True)
    assert door(lab, api_host="somebody.else.test").ask("127.0.0.1", "/health/ready").status == 400


def test_where_nothing_listens_or_outside_a_lab_is_told(lab):
    with pytest.raises(Unreachable) as told:
        door(lab).ask("127.0.0.9", "/health/ready")
    assert told.value.kind == "refused"
    with pytest.raises(Unreachable, match="a lab asks nobody else"):
        door(lab).ask("192.0.2.1", "/health/ready")


@pytest.mark.parametrize(("names", "fits"), [(("api.valuecanvas.com",), True), (("127.0.0.1", "localhost"), False)])
def test_the_certificate_has_to_be_the_names_not_the_addresss(lab, authority, monkeypatch, names, fits):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with host(authority.sign(names=names)) as port:
        with pytest.raises(Unreachable) as told:
            door(lab, application_url=f"https://api.valuecanvas.com:{port}").ask("127.0.0.1", "/", deadline=3)
        # The test's host shakes hands and says no HTTP: so far one comes only with a certificate that fits.
        assert (told.value.kind == "tls") is not fits, told.value
