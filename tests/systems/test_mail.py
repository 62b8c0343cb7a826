"""Mail by SMTP against a real server over TLS: what is sent, and that nothing leaves without TLS as it must be."""

import ssl
import time

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.redaction import Secret
from opslib.settings_telling import Telling
from opslib.systems import mail
from opslib.systems.mail import Mail
from tests.hosts import Authority, listening
from tests.mails import PASSWORD, USER, mail_server

TO = "on-call@valuecanvas.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def shown(authority, **made):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.sign(**made))
    return context


def described(address, authority, **said):
    given = {"OPS_MAIL_SERVER": address, "OPS_MAIL_FROM": "ops@valuecanvas.example", "OPS_MAIL_CA": authority.file}
    return Telling.model_validate({**given, **said})


def send(target, subject="schedule triage: CRITICAL", text="Due 05:00.\n", name="a1b2"):
    Mail(target).send(TO, subject, text, name)


@pytest.mark.parametrize("first", [True, False], ids=["tls-first", "starttls"])
def test_a_message_arrives_whole_over_tls_with_a_name_of_its_own(authority, first):
    with mail_server(shown(authority), first=first, passwords=True) as (address, box):
        target = described(address, authority, OPS_MAIL_USER=USER, OPS_MAIL_PASSWORD=PASSWORD)
        send(target, text="Fällig 05:00 – es brennt.\n")
        send(target, text="Fällig 05:00 – es brennt.\n")
    (to, message), (_, again) = box.messages
    assert (to, message["To"], message["From"]) == (TO, TO, "ops@valuecanvas.example")
    assert message["Subject"] == "schedule triage: CRITICAL"
    assert message.get_content().splitlines() == ["Fällig 05:00 – es brennt."]
    assert message["Auto-Submitted"] == "auto-generated"
    # Sent again it is the same message.
    assert message["Message-ID"] == again["Message-ID"] == "<a1b2@valuecanvas.example>"


@pytest.mark.parametrize("first", [True, False], ids=["tls-first", "starttls"])
@pytest.mark.parametrize(
    "made",
    [{"names": ("mail.valuecanvas.test",)}, {"by_itself": True}, {"days": -1, "since": 90}],
    ids=["another-name", "self-signed", "expired"],
)
def test_a_server_with_a_wrong_certificate_is_told_nothing(authority, first, made):
    with mail_server(shown(authority, **made), first=first, passwords=True) as (address, box):
        target = described(address, authority, OPS_MAIL_USER=USER, OPS_MAIL_PASSWORD=PASSWORD)
        with pytest.raises(Unreachable) as told:
            send(target)
    assert (told.value.kind, box.messages) == ("tls", [])


def test_an_authority_that_the_description_does_not_name_is_not_believed(authority):
    with mail_server(shown(authority)) as (address, box), pytest.raises(Unreachable) as told:
        send(described(address, authority, OPS_MAIL_CA=None))
    assert (told.value.kind, box.messages) == ("tls", [])


def test_a_server_that_offers_no_tls_is_told_nothing(authority):
    with mail_server(None) as (address, box), pytest.raises(Unreachable) as told:
        send(described(address, authority))
    assert (told.value.kind, box.messages) == ("tls", [])


def test_a_wrong_password_is_told_without_it(authority):
    wrong = "another-Pw-1298"
    with mail_server(shown(authority), passwords=True) as (address, box):
        target = described(address, authority, OPS_MAIL_USER=USER, OPS_MAIL_PASSWORD=wrong)
        with pytest.raises(Unreachable) as told:
            send(target)
    assert (told.value.kind, box.messages) == ("unauthorized", [])
    assert wrong not in str(told.value)


@pytest.mark.parametrize(
    ("said", "kind"),
    [("451 Try again later", "limited"), ("550 No such mailbox", "rejected"), ("554 Spam", "rejected")],
)
def test_what_the_server_does_not_take_is_told_in_its_words(authority, said, kind):
    with mail_server(shown(authority)) as (address, box):
        box.refuses = said
        with pytest.raises(Unreachable, match=said) as told:
            send(described(address, authority))
    assert (told.value.kind, box.messages) == (kind, [])


def test_a_server_that_takes_it_and_goes_is_told_as_closed(authority):
    with mail_server(shown(authority)) as (address, box):
        box.drops = 1
        with pytest.raises(Unreachable) as told:
            send(described(address, authority))
    assert (told.value.kind, len(box.messages)) == ("closed", 1)


def test_a_server_that_is_down_or_silent_is_given_up(authority, monkeypatch):
    with listening(lambda line: None) as port:
        pass
    with pytest.raises(Unreachable) as told:
        send(described(f"smtps://localhost:{port}", authority))
    assert told.value.kind == "refused"
    monkeypatch.setattr(mail, "SECONDS", 0.3)
    with listening(lambda line: time.sleep(1)) as port, pytest.raises(Unreachable) as told:
        send(described(f"smtps://localhost:{port}", authority))
    assert told.value.kind == "slow"


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028"])
def test_a_subject_begins_no_header_of_its_own(authority, end):
    with mail_server(shown(authority)) as (address, box):
        send(described(address, authority), subject=f"triage{end}Bcc: eve@example.org{end}{end}Pay me.")
    ((to, message),) = box.messages
    assert (to, message["Bcc"]) == (TO, None)
    assert message["Subject"] == "triage Bcc: eve@example.org Pay me."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPS_MAIL_FROM", "ops@valuecanvas.example\nBcc: eve@example.org"),
        ("OPS_MAIL_FROM", "Ops <ops@valuecanvas.example>"),
        ("OPS_MAIL_SERVER", "http://localhost"),
        ("OPS_MAIL_SERVER", "smtp://user:password@localhost"),
        ("OPS_MAIL_USER", "a\nb"),
    ],
)
def test_a_description_of_another_form_is_refused(authority, name, value):
    with pytest.raises(ValueError, match=name):
        described("smtps://localhost", authority, **{name: value})


def test_without_a_server_or_with_no_certificates_nothing_is_opened(authority, tmp_path):
    with pytest.raises(SettingsError, match="OPS_MAIL_SERVER"):
        Mail(Telling())
    with pytest.raises(SettingsError, match="OPS_MAIL_CA"):
        Mail(described("smtps://localhost", authority, OPS_MAIL_CA=tmp_path / "none.pem"))


def test_the_password_is_a_secret(authority):
    target = described("smtps://localhost", authority, OPS_MAIL_PASSWORD=PASSWORD)
    assert isinstance(target.mail_password, Secret)
    assert PASSWORD not in repr(target)
