"""One changing run at a time per target and area, on one machine and across machines.

First the machine's own lock, then, where the target's description names a lease bucket, a lease there.
Nothing waits for anybody, so that two runs cannot wait for one another; and nothing is kept in the systems
that are operated on: a lock in a database is silently free on the server that takes over from it.
"""

from __future__ import annotations

import getpass
import hashlib
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from opslib.areas import AREAS
from opslib.canonical import canonical, to_json
from opslib.errors import Refused, UsageError
from opslib.model import now
from opslib.redaction import SecretUrl
from opslib.runs import local_lock
from opslib.runs.local_lock import LocalLock
from opslib.settings import Settings
from opslib.systems.lease import TTL, Held, Lease, Owner, Sighting, acquire
from opslib.systems.lease_store import LeaseStore, StoreTime, clock

SKEW_SECONDS = 2.0
"""A clock that differs more from the store's is told of; leases do not depend on it."""

PORTS = {"postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379}


def target_id(settings: Settings) -> str:
    """Return the name that a target has in locks: environment, and a digest of what can be written.

    Machines that describe the same target differently (host by name and by address) get different names and
    do not lock each other out: their descriptions must agree in the addresses.
    """
    written = [_place(settings.database_url), _place(settings.cache_url), settings.backup_bucket]
    return f"{settings.environment}-{hashlib.sha256(canonical(written)).hexdigest()[:16]}"


def skew_seconds(store: StoreTime, here: datetime, reading: float) -> float:
    """Return how far the clock of this machine is ahead of the store's, at least; 0 within what cannot be told.

    ``here`` is the time of day at ``reading`` of the clock that nobody sets. The store tells whole seconds.
    """
    least = (here - store.said).total_seconds() - (reading - store.sent) - 1.0
    most = (here - store.said).total_seconds() - (reading - store.received)
    return least if least > 0 else min(most, 0.0)


class Locks:
    """The locks of one run on one target. Thread-safe; use it in a ``with`` block, or call :meth:`close`."""

    def __init__(self, settings: Settings, run: str, *, folder: Path | None = None, ttl: float = TTL) -> None:
        """``folder`` is where this machine's locks are (default: one shared by its users), ``ttl`` in seconds."""
        self.findings: list[str] = []
        self._settings, self._run, self._ttl = settings, run, ttl
        self._target = target_id(settings)
        self._folder = folder or local_lock.shared_folder()
        self._user, self._host = getpass.getuser()[:200], socket.gethostname()[:300]
        self._local: dict[str, LocalLock] = {}
        self._leases: dict[str, Lease] = {}
        self._busy = threading.Lock()

    def take(self, area: str) -> None:
        """Take the lock of ``area``, or do nothing when this run has it; never waits.

        Raises Refused when another run has it (naming it), or when nobody can know whether one has.
        """
        if area not in AREAS:
            raise UsageError(f"There is no area {area!r} to lock.", f"Choose one of: {', '.join(AREAS)}.")
        with self._busy:
            if area not in self._local:
                self._take(area)

    def check(self) -> None:
        """Raise Refused when a lock of this run is lost, or may be; call it right before each effect."""
        with self._busy:
            for area, lock in self._local.items():
                if not lock.held:
                    raise Refused(
                        f"The lock {lock.path} of {area} was removed, so that it locks nobody out.",
                        "Nothing more is changed by this run. See what it did, then resume it.",
                    )
            for lease in self._leases.values():
                lease.check()

    @property
    def fences(self) -> dict[str, int]:
        """The number of each lease by its area, for the journal: whoever acts later has a larger one."""
        return {area: lease.fence for area, lease in self._leases.items()}

    def close(self) -> None:
        """Let all locks go; never raises."""
        with self._busy:
            for area in list(self._local):
                if lease := self._leases.pop(area, None):
                    with suppress(Exception):
                        lease.release()
                # The lease first: whoever gets the local lock may conclude from it that the lease's owner is gone.
                lock = self._local.pop(area)
                lock.write({})
                lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, area: str) -> None:
        local_lock.prepare(self._folder)
        lock = local_lock.take(self._folder / f"{self._target}.{area}.lock")
        if not isinstance(lock, LocalLock):
            raise self._held(area, lock, "")
        seen = lock.text()
        mine = {"run": self._run, "user": self._user, "host": self._host, "since": to_json(now())}
        # Whoever comes while the store is asked is told who we are; what was seen there is kept for the next try.
        lock.write(seen | mine)
        try:
            if bucket := self._settings.lease_bucket:
                self._leases[area] = self._lease(bucket, area, lock, Owner(**mine, lock=lock.proof), _sighting(seen))
        except BaseException:
            lock.close()
            raise
        self._local[area] = lock
        lock.write(mine)

    def _lease(self, bucket: str, area: str, lock: LocalLock, owner: Owner, sighting: Sighting | None) -> Lease:
        store = LeaseStore.of(self._settings, bucket, f"leases/{self._target}/{area}.json", max(self._ttl / 8, 2))
        try:
            lease = acquire(store, owner, ttl=self._ttl, sighting=sighting)
        except Held as held:
            store.close()
            seen = held.sighting
            lock.write({"etag": seen.etag, "at": repr(seen.at), "clock": seen.clock})
            raise self._held(area, held.record.model_dump(), held.next_step) from held
        except BaseException:
            store.close()
            raise
        lease.start()
        self._note_skew(store.time)
        return lease

    def _held(self, area: str, owner: Mapping[str, object], more: str) -> Refused:
        said = {name: _shown(owner.get(name)) for name in ("run", "user", "host", "since")}
        run = said["run"]
        who = (
            f"{run}, started by {said['user']}@{said['host']} at {said['since']}"
            if run
            else "a run that did not say so"
        )
        verb = "are" if area.endswith("s") else "is"
        stop = f"Wait for its end, or end it with: ops stop {run}." if run else "Try again when it has ended."
        return Refused(
            f"The {area} of {self._settings.environment} {verb} being changed by {who}.",
            f"{stop} {more}".strip(),
        )

    def _note_skew(self, store: StoreTime | None) -> None:
        skew = skew_seconds(store, now(), clock()) if store else 0.0
        if abs(skew) > SKEW_SECONDS:
            way = "ahead of" if skew > 0 else "behind"
            self.findings.append(
                f"This machine's clock is {timedelta(seconds=round(abs(skew)))} {way} the object store's; "
                "times of this run are wrong by that, its locks are not."
            )


def _place(url: SecretUrl) -> str:
    scheme = url.public.partition("://")[0]
    return f"{url.host.lower().rstrip('.')}:{url.port or PORTS[scheme]}/{url.path}"


def _sighting(text: Mapping[str, str]) -> Sighting | None:
    with suppress(KeyError, ValueError):
        return Sighting(text["etag"], float(text["at"]), text["clock"])
    return None


def _shown(word: object) -> str:
    """Return what a stranger may have written, without what a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in str(word or ""))[:120]
