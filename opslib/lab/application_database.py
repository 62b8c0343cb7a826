"""Where the application's database is: what its pods were started with (DATABASE_URL), as production does it.

The names in there are the lab's own; ``lab.json`` says at which port each server is. User and password are those of
the stand-in's own environment, which is all that counts where there is no cluster.
"""

from __future__ import annotations

import itertools
import json
import time
from urllib.parse import urlsplit, urlunsplit

from opslib.errors import Unreachable
from opslib.lab.application_keys import Keys
from opslib.lab.application_options import Options
from opslib.lab.production import NAMES

VARIABLE = "DATABASE_URL"
FRESH_SECONDS = 0.5
SERVERS = {name.rpartition(":")[0]: server for server, name in NAMES.items()}


class Address:
    """The addresses that the pods have by now, and one of them at a time."""

    def __init__(self, options: Options) -> None:
        self._own, self._names = options.database_url, options.names
        self._keys = Keys(options) if options.pods_url and options.names else None
        self._turn = itertools.count()
        self._known: list[str] = []
        self._looked = 0.0

    async def all(self) -> list[str]:
        """Return the addresses by pod; while nobody can be asked, those that were known. Raises Unreachable."""
        if self._keys is None:
            return [self._own] if self._own else []
        if time.monotonic() > self._looked + FRESH_SECONDS:
            try:
                hosts = [urlsplit(url).hostname for url in await self._keys.every(VARIABLE)]
            except Unreachable:
                hosts = []
                if not self._known:
                    raise
            self._looked = time.monotonic()
            # Pods that run keep their address, whatever happens to the cluster's own API.
            self._known = [self._at(host or "") for host in hosts] or self._known
        return self._known

    async def one(self) -> str:
        """Return the address of the next pod in turn; raises Unreachable."""
        found = await self.all()
        if not found:
            raise Unreachable("DATABASE_URL is not set.")
        return found[next(self._turn) % len(found)]

    async def close(self) -> None:
        """Close what asks the cluster."""
        if self._keys is not None:
            await self._keys.close()

    def _at(self, host: str) -> str:
        server = SERVERS.get(host)
        try:
            said = json.loads(self._names.read_text(encoding="utf-8")) if self._names else {}
            port = said["services"][server]["port"]
        except (OSError, ValueError, KeyError):
            raise Unreachable(f"could not translate host name {host!r}") from None
        url = urlsplit(self._own)
        return urlunsplit(url._replace(netloc=f"{url.netloc.rpartition('@')[0]}@127.0.0.1:{port}"))
