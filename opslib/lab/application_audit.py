"""The audit trail's writer: one attempted row per request, behind the answer, never in its way."""

from __future__ import annotations

import asyncio
import logging

from opslib.errors import Unreachable
from opslib.lab.application_store import Store

QUEUED = 500
SILENT = ("/health", "/metrics", "/node-metrics", "/_lab")
"""Paths that are not audited: the product's two, and the lab's own."""

log = logging.getLogger("application.audit")


class AuditTrail:
    """Tries to write into ``security_audit_log``; a table that lacks columns makes it fail, as in the product."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: asyncio.Queue[tuple[dict[str, object], dict[str, object]]] = asyncio.Queue(QUEUED)
        self._trouble = ""

    def note(self, row: dict[str, object], event_data: dict[str, object]) -> None:
        """Queue one row; when the database is too slow for that, it is dropped and the log says so."""
        try:
            self._queue.put_nowait((row, event_data))
        except asyncio.QueueFull:
            self._say("more requests than audit rows can be written")

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            row, event_data = await self._queue.get()
            try:
                await self._store.add_audit(row, event_data)
                self._trouble = ""
            except Unreachable as error:
                self._say(error.message)

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.error("the audit trail is not written: %s", trouble)
        self._trouble = trouble
