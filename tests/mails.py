"""A mail server of a test's own, on loopback and over TLS, that keeps what it takes."""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default

from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD = "notices", "9f2c-Mail-Pw-77ab"


class Box:
    """What the server took: ``messages`` as (address, message); ``refuses`` is what it says instead of taking one."""

    def __init__(self):
        self.messages, self.refuses, self.drops = [], "", 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refuses.startswith("55"):
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refuses:
            return self.refuses
        message = message_from_bytes(envelope.content, policy=default)
        self.messages += [(address, message) for address in envelope.rcpt_tos]
        if self.drops:
            # It was taken, and its sender never hears so.
            self.drops -= 1
            server.transport.abort()
        return "250 OK"


def _known(server, session, envelope, mechanism, said):
    right = (said.login, said.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right)


@contextmanager
def mail_server(context: ssl.SSLContext | None, *, first=True, passwords=False):
    """Yield (OPS_MAIL_SERVER, box); without ``first`` TLS is by STARTTLS, without ``context`` there is none."""
    box, more = Box(), {}
    if context is not None and not first:
        more = {"tls_context": context, "require_starttls": True}
    if passwords:
        more |= {"authenticator": _known, "auth_required": True, "auth_require_tls": not first}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def opened():
        def one():
            return SMTP(box, hostname="localhost", loop=loop, **more)

        return await loop.create_server(one, "127.0.0.1", 0, ssl=context if first else None)

    server = asyncio.run_coroutine_threadsafe(opened(), loop).result(10)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"{'smtps' if first and context else 'smtp'}://localhost:{port}", box
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
