"""Mail by SMTP, one address a message, over TLS with a checked certificate or not at all.

Sources: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 8314 (TLS from the first byte), RFC 3834 (automatic messages).
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from urllib.parse import urlsplit

from opslib.errors import SettingsError, Unreachable
from opslib.redaction import Redactor
from opslib.settings_telling import Telling
from opslib.systems.pending import Pending, given_up

SECONDS = 45.0
"""How long one message may take, by the clock."""
SILENT_SECONDS = 15.0
"""How long one answer of the server may take."""
PORTS = {"smtps": 465, "smtp": 587}
LONGEST_WORDS = 200
LATER = 500
"""Below it, an answer that refuses means "not now" (RFC 5321, 4.2.1)."""

KINDS: dict[str, tuple[str, str]] = {
    "dns": ("has a name that does not resolve", "Check DNS and OPS_MAIL_SERVER."),
    "refused": ("refuses connections", "Is the server running, and the port right?"),
    "tls": (
        "has a TLS problem, so nothing was sent",
        "Check its certificate, OPS_MAIL_CA, and smtp:// against smtps://.",
    ),
    "slow": ("gave no answer in time", "Look at the network and at the server's load."),
    "closed": ("closed the connection before the message was taken", "See its log."),
    "unauthorized": ("does not know user or password", "Renew OPS_MAIL_PASSWORD in the target description."),
    "limited": ("does not take the message now", "It is tried again; see its log when that goes on."),
    "rejected": ("does not take the message", "Check the address, OPS_MAIL_FROM, and what the user may send."),
    "other": ("could not be asked", "Check OPS_MAIL_SERVER and the network."),
}
"""Kinds of failure: what is said of the server, and what to do next."""


class Mail:
    """Sends messages by the server of a target description; each opens a connection of its own."""

    def __init__(self, settings: Telling) -> None:
        """Raises SettingsError where the description names no server or no sender."""
        if settings.mail_server is None or settings.mail_from is None:
            raise SettingsError(
                "OPS_MAIL_SERVER and OPS_MAIL_FROM are not both in the target description.", "Mail needs both."
            )
        url = urlsplit(settings.mail_server)
        self._tls_first = url.scheme == "smtps"
        self._host, self._port = str(url.hostname), url.port or PORTS[url.scheme]
        self._settings, self._sender = settings, settings.mail_from
        try:
            self._trusting = ssl.create_default_context(cafile=settings.mail_ca)
        except OSError as error:
            raise SettingsError(
                f"OPS_MAIL_CA holds no certificates that one could trust ({error.strerror})."
            ) from error

    def send(self, to: str, subject: str, text: str, name: str) -> None:
        """Send ``text`` to the address ``to``; ``name`` is the message's own, the same when it is sent again.

        Raises Unreachable with one of :data:`KINDS`. After ``slow`` and ``closed`` it may have been taken all the same.
        """
        message = _message(self._sender, to, subject, text, name)
        Pending(f"The mail server {self._host}:{self._port}", SECONDS, lambda: self._send(message, to)).result()

    def _send(self, message: EmailMessage, to: str) -> None:
        try:
            line = self._connected()
            try:
                if self._settings.mail_user and self._settings.mail_password:
                    line.login(self._settings.mail_user, self._settings.mail_password.reveal())
                if not given_up():
                    line.send_message(message, self._sender, [to])
            finally:
                # A message that was taken is taken, however the server says good-bye.
                with suppress(Exception):
                    line.quit()
                line.close()
        except Exception as error:
            kind, detail = _told(error)
            said, next_step = KINDS[kind]
            clean = Redactor([self._settings.mail_password] if self._settings.mail_password else []).text
            shown = f"The mail server {self._host}:{self._port} {said} ({clean(detail)})."
            raise Unreachable(shown, next_step, kind) from None

    def _connected(self) -> smtplib.SMTP:
        name = socket.gethostname()
        if self._tls_first:
            return smtplib.SMTP_SSL(self._host, self._port, name, timeout=SILENT_SECONDS, context=self._trusting)
        line = smtplib.SMTP(self._host, self._port, name, timeout=SILENT_SECONDS)
        try:
            # Raises where the server offers none: whoever is in between could have taken the offer out.
            line.starttls(context=self._trusting)
        except BaseException:
            line.close()
            raise
        return line


def _message(sender: str, to: str, subject: str, text: str, name: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = sender, to
    # A line's end would begin a header of its own; the library refuses it as well.
    message["Subject"] = " ".join(subject.split())
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = f"<{name}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _told(error: Exception) -> tuple[str, str]:
    """Return the kind of a failure of the library and what the server said."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
        return _of_code(code), _said(code, words)
    if isinstance(error, smtplib.SMTPResponseException):
        kind = "unauthorized" if isinstance(error, smtplib.SMTPAuthenticationError) else _of_code(error.smtp_code)
        return kind, _said(error.smtp_code, error.smtp_error)
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (ssl.SSLError, "tls"),
        (smtplib.SMTPNotSupportedError, "tls"),
        (smtplib.SMTPServerDisconnected, "closed"),
        (socket.gaierror, "dns"),
        (ConnectionRefusedError, "refused"),
        (ConnectionError, "closed"),
        (TimeoutError, "slow"),
    )
    kind = next((kind for one, kind in kinds if isinstance(error, one)), "other")
    return kind, str(error).partition("\n")[0][:LONGEST_WORDS] or type(error).__name__


def _of_code(code: int) -> str:
    return "limited" if code < LATER else "rejected"


def _said(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {' '.join(text.split())[:LONGEST_WORDS]}"
