"""The application's PostgreSQL: a few autocommit connections that come back after a restart, each call with a deadline.

The one module of the stand-in that imports psycopg. No statement opens a transaction, so nothing can be
left idle in one.
"""

from __future__ import annotations

import asyncio
import json
import select
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString

import psycopg

from opslib.errors import Unreachable
from opslib.lab.application_database import Address
from opslib.systems.deadline import shut

APPLICATION_NAME = "valuecanvas-api"

INSERT_USAGE: LiteralString = """
INSERT INTO public.llm_usage (organization_id, user_id, provider, model, prompt_tokens, completion_tokens,
                              total_tokens, cost, latency_ms, request_metadata)
SELECT o.id, (SELECT u.id FROM public.users u WHERE u.id = %(user)s), %(provider)s, %(model)s, %(prompt_tokens)s,
       %(completion_tokens)s, %(total_tokens)s, %(cost)s, %(latency_ms)s, %(metadata)s
FROM public.organizations o
ORDER BY o.id = %(organization)s DESC NULLS LAST, o.created_at
LIMIT 1
RETURNING id
"""

INSERT_AUDIT: LiteralString = """
INSERT INTO public.security_audit_log (request_id, user_id, actor, action, resource, request_path, event_type,
                                       event_data, ip_address, user_agent, severity, status_code)
VALUES (%(request_id)s, (SELECT u.id FROM public.users u WHERE u.id = %(user)s), %(actor)s, %(action)s,
        %(resource)s, %(request_path)s, 'http_request', %(event_data)s, %(ip_address)s, %(user_agent)s,
        %(severity)s, %(status_code)s)
"""

MEMBERS: LiteralString = """
SELECT m.user_id::text, m.organization_id::text
FROM public.organization_members m
WHERE m.status = 'active'
ORDER BY m.user_id
LIMIT 200
"""


class Store:
    """At most ``size`` connections, opened when needed, closed when broken. Every method raises Unreachable."""

    def __init__(self, address: Address, *, seconds: float, size: int) -> None:
        self._address, self._seconds = address, seconds
        self._free = asyncio.Semaphore(size)
        self._idle: list[tuple[str, psycopg.AsyncConnection[Any]]] = []

    async def fetch(self, query: LiteralString, values: Mapping[str, object] | Sequence[object] = ()) -> list[Any]:
        """Run one statement in its own transaction and return its rows (none for a statement without)."""
        async with self._connection() as connection:
            # The socket is shut at the deadline: a driver's own time-out waits for a server that is silent.
            bell = asyncio.get_running_loop().call_later(self._seconds, _silence, connection)
            try:
                cursor = await connection.execute(query, values)
                return await cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                raise Unreachable(_first_line(error)) from error
            finally:
                bell.cancel()

    async def members(self) -> list[tuple[str, str]]:
        """Return (user, organization) of active members, always in the same order, at most 200."""
        return [(user, organization) for user, organization in await self.fetch(MEMBERS)]

    async def add_usage(self, values: Mapping[str, object], metadata: Mapping[str, object]) -> None:
        """Write one row into ``llm_usage``; without an organization of that id the oldest one pays."""
        if not await self.fetch(INSERT_USAGE, {**values, "metadata": json.dumps(metadata)}):
            raise Unreachable("llm_usage: there is no organization to write a row for.")

    async def add_audit(self, values: Mapping[str, object], event_data: Mapping[str, object]) -> None:
        """Try to write one row into ``security_audit_log``, with the product's columns."""
        await self.fetch(INSERT_AUDIT, {**values, "event_data": json.dumps(event_data)})

    async def close(self) -> None:
        """Close what is idle; what is in use closes when it comes back broken."""
        while self._idle:
            await self._idle.pop()[1].close()
        await self._address.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with self._free:
            url, connection = await self._take() or await self._open()
            try:
                yield connection
            except asyncio.CancelledError:
                await connection.close()
                raise
            finally:
                if not connection.closed:
                    self._idle.append((url, connection))

    async def _take(self) -> tuple[str, psycopg.AsyncConnection[Any]] | None:
        while self._idle:
            url, connection = self._idle.pop()
            # A pod that was replaced has taken its sessions with it.
            if not connection.closed and not _stale(connection.fileno()) and url in await self._address.all():
                return url, connection
            await connection.close()
        return None

    async def _open(self) -> tuple[str, psycopg.AsyncConnection[Any]]:
        url = await self._address.one()
        try:
            async with asyncio.timeout(self._seconds):
                return url, await psycopg.AsyncConnection.connect(
                    url, autocommit=True, application_name=APPLICATION_NAME
                )
        except TimeoutError:
            raise Unreachable(f"no connection within {self._seconds:g} s") from None
        except psycopg.Error as error:
            raise Unreachable(_first_line(error)) from error


def _silence(connection: psycopg.AsyncConnection[Any]) -> None:
    if not connection.closed:
        shut(connection.fileno())


def _stale(fileno: int) -> bool:
    # Nothing is due on an idle connection: what can be read is the server's farewell, or its end.
    poll = select.poll()
    with suppress(OSError, ValueError):
        poll.register(fileno, select.POLLIN)
        return bool(poll.poll(0))
    return True


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
