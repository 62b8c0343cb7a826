"""Several replicas of the application behind one port, as pods are behind a service: each with a memory of its own.

A balancer with session affinity by client address: who comes from one address meets one replica each time, and on
loopback that is the first. Each replica is also found by itself, below ``/_lab/replica/0`` and so on, as a pod is at
its own address. Sign-ins are valid everywhere; breakers, counters and request limits are each replica's.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from opslib.lab.application_options import PLACE

_OWN = re.compile(rf"{PLACE}/([0-9])(?=/|$)")


class Balanced:
    """Hands each request to one of the replicas."""

    def __init__(self, replicas: Sequence[Starlette]) -> None:
        self._replicas, self._outer = replicas, Starlette(lifespan=self._life)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            return await self._outer(scope, receive, send)
        found = _OWN.match(scope["path"])
        if found and int(found[1]) < len(self._replicas):
            path = scope["path"][found.end() :] or "/"
            own = {**scope, "path": path, "raw_path": path.encode()}
            return await self._replicas[int(found[1])](own, receive, send)
        address = (scope.get("client") or ("127.0.0.1", 0))[0]
        return await self._replicas[_number(address) % len(self._replicas)](scope, receive, send)

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for one in self._replicas:
                await stack.enter_async_context(one.router.lifespan_context(one))
            yield


def _number(address: str) -> int:
    last = address.rpartition(".")[2]
    return int(last) - 1 if last.isdecimal() else 0
