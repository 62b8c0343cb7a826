"""A small steady load, so that diagnostics have something to see: reads of the database, gets and sets of answers.

It writes nothing to the database and only ``llm:cache:`` keys, of which there are at most KEYS; when a server
is gone it waits and goes on.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any, LiteralString

from opslib.errors import Unreachable
from opslib.lab.application_cache import Cache
from opslib.lab.application_store import Store

POPULAR = 40
KEYS = 1000
REFRESH = 300
PAUSE_SECONDS = 1.0
MODEL = "meta-llama/Llama-3-70b-chat-hf"

SAMPLE: LiteralString = """
SELECT c.organization_id, c.user_id, c.id
FROM public.cases c
ORDER BY c.created_at DESC
LIMIT 50
"""

READS: tuple[LiteralString, ...] = (
    "SELECT id, title, status, priority FROM public.cases"
    " WHERE organization_id = %(organization)s AND status IN ('open', 'in_progress')"
    " ORDER BY created_at DESC LIMIT 20",
    "SELECT count(*) FROM public.cases WHERE user_id = %(user)s AND status = 'open'",
    "SELECT role, content, created_at FROM public.messages WHERE case_id = %(case)s ORDER BY created_at LIMIT 50",
    "SELECT provider, count(*), sum(cost), avg(latency_ms) FROM public.llm_usage"
    " WHERE organization_id = %(organization)s AND created_at > now() - interval '1 hour' GROUP BY provider",
)

log = logging.getLogger("application.load")


class Load:
    """About ``per_second`` small operations a second, one of two on the database; 0 switches it off."""

    def __init__(self, store: Store, cache: Cache, per_second: float) -> None:
        self._store, self._cache, self._per_second = store, cache, per_second
        self._sample: list[Any] = []
        self._trouble = {"database": "", "cache": ""}

    async def run(self) -> None:
        """Go on until cancelled."""
        turn = 0
        while self._per_second > 0:
            await asyncio.sleep(1 / self._per_second)
            system = "cache" if turn % 2 else "database"
            try:
                await (self._answers() if system == "cache" else self._read(turn))
                self._note(system, "")
            except Unreachable as error:
                self._note(system, error.message)
                await asyncio.sleep(PAUSE_SECONDS)
            turn += 1

    async def _read(self, turn: int) -> None:
        if turn % REFRESH == 0 or not self._sample:
            self._sample = await self._store.fetch(SAMPLE)
        if self._sample:
            organization, user, case = random.choice(self._sample)
            values = {"organization": organization, "user": user, "case": case}
            await self._store.fetch(random.choice(READS), values)

    async def _answers(self) -> None:
        # Most questions are asked again and again, the rest rarely: hits and misses, as in real life.
        number = random.randrange(POPULAR) if random.random() < 0.7 else random.randrange(KEYS)
        prompt = f"lab question {number}"
        if await self._cache.answer(prompt, MODEL) is None:
            await self._cache.keep(prompt, MODEL, f"lab answer {number} " * (1 + number % 20), (12, 40), 0.0000468)

    def _note(self, system: str, trouble: str) -> None:
        # Said once when it begins and once when it ends: an outage must not fill the log.
        if trouble and trouble != self._trouble[system]:
            log.warning("the background load waits for the %s: %s", system, trouble)
        elif self._trouble[system] and not trouble:
            log.info("the background load has the %s back", system)
        self._trouble[system] = trouble
