"""A lease: the right to change something, held by one process at a time among machines that share a store.

Its holder may act during the first half of the time to live after it last sent a renewal that succeeded;
another may take it over only after it saw the object unchanged for the whole of that time. Both measure with
clocks that nobody can set, so that the time of day may be wrong on any of them. What is lost stays lost.

What this cannot exclude: a machine that a hypervisor freezes between :meth:`Lease.check` and the effect, for
longer than half the time to live. The fence, a number that only grows, is in the journal for that reason.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from opslib.errors import OpsError, Refused
from opslib.systems.lease_store import Exists, Found, LeaseStore, Missing, Record, clock, clock_name

TTL = 60.0
"""Seconds of silence after which a lease may be taken over."""

TRIES = 3
"""How often a taking or releasing is tried when the object changes meanwhile."""


@dataclass(frozen=True)
class Owner:
    """Who asks for a lease, for display; ``lock`` names a lock of this machine that is held meanwhile.

    Whoever holds the same lock later knows by that alone that this owner is gone.
    """

    run: str
    user: str
    host: str
    since: str
    lock: str = ""


@dataclass(frozen=True)
class Sighting:
    """That an owner's object was seen with ``etag`` at the reading ``at`` of the clock called ``clock``."""

    etag: str
    at: float
    clock: str


class Held(Refused):
    """Another owner has the lease. ``sighting`` is to be given to the next try, which may then take it over."""

    def __init__(self, message: str, next_step: str, record: Record, sighting: Sighting) -> None:
        super().__init__(message, next_step)
        self.record = record
        self.sighting = sighting


class Lease:
    """A lease that was taken: made by :func:`acquire`. Safe for use in several threads."""

    def __init__(self, store: LeaseStore, record: Record, etag: str, since: float, clock: Callable[[], float]) -> None:
        self._store, self._record, self._etag, self._since, self._clock = store, record, etag, since, clock
        self._half = record.ttl / 2
        self._lost = ""
        self._state = threading.Lock()
        self._stop = threading.Event()
        self._late = False
        self._heart: threading.Thread | None = None

    @property
    def fence(self) -> int:
        """The number of this taking; every later one has a larger one."""
        return self._record.fence

    @property
    def valid(self) -> bool:
        """Whether the holder may act at this moment. Once False, it is never True again."""
        return not self._judged()

    @property
    def pause(self) -> float:
        """Seconds from one renewal to the next: a quarter of the time to live, less while one is overdue."""
        return self._record.ttl / (16 if self._late else 4)

    def check(self) -> None:
        """Raise Refused, with what happened, unless the holder may act at this moment."""
        if lost := self._judged():
            raise Refused(
                f"The lease {self._store.name} of {self._record.run} is lost: {lost}.",
                "Nothing more is changed by this run. See what it did, then resume it.",
            )

    def start(self) -> None:
        """Renew from now on in a thread, with a :attr:`pause` between, until it is lost or released."""
        self._heart = threading.Thread(target=self._beat, name=f"lease {self._store.key}", daemon=True)
        self._heart.start()

    def renew(self) -> None:
        """Renew once. What goes wrong is kept for :meth:`check`; nothing is raised."""
        if self._judged():
            return
        record = self._record.model_copy(update={"beat": self._record.beat + 1})
        sent = self._clock()
        try:
            etag = self._store.write(record, self._etag)
        except OpsError as error:
            self._late = True
            self._reconsider(error)
            return
        self._late = False
        self._record, self._etag = record, etag
        with self._state:
            # Also when nobody asked meanwhile: another clock may have run out, and "lost" must not depend on asking.
            self._expire()
            self._since = sent

    def release(self) -> None:
        """Let the lease go, for anybody to take at once; never raises. Where the store is silent it runs out."""
        with self._state:
            self._lost = self._lost or "it was released"
        self._stop.set()
        if self._heart is not None:
            self._heart.join(2 * self._store.seconds)
        for _ in range(TRIES):
            free = self._record.model_copy(update={"state": "free", "beat": self._record.beat + 1})
            try:
                self._store.write(free, self._etag)
            except Exists:
                found = self._again()
                if found is None or not self._mine(found):
                    break
                self._record, self._etag = found.record, found.etag
            except OpsError:
                break
            else:
                break
        self._store.close()

    def _judged(self) -> str:
        with self._state:
            self._expire()
            return self._lost

    def _expire(self) -> None:
        if not self._lost and self._clock() - self._since >= self._half:
            self._lost = f"it was not renewed for {self._half:g} s"

    def _lose(self, why: str) -> None:
        with self._state:
            self._lost = self._lost or why

    def _reconsider(self, error: OpsError) -> None:
        """Find out what a failed renewal did: the object may be ours, unchanged or renewed, or another's."""
        if isinstance(error, Missing):
            self._lose("its object was removed")
            return
        with suppress(OpsError):
            found = self._store.read()
            if found is None:
                self._lose("its object was removed")
            elif not self._mine(found):
                self._lose(f"{found.record.run} took it with the number {found.record.fence}")
            else:
                # A renewal that was carried out without an answer counts for nothing but its ETag.
                self._record, self._etag = found.record, found.etag

    def _again(self) -> Found | None:
        with suppress(OpsError):
            return self._store.read()
        return None

    def _mine(self, found: Found) -> bool:
        return found.record.nonce == self._record.nonce

    def _beat(self) -> None:
        while not self._stop.wait(self.pause):
            self.renew()
            if self._judged():
                return


def acquire(
    store: LeaseStore,
    owner: Owner,
    *,
    ttl: float = TTL,
    sighting: Sighting | None = None,
    clock: Callable[[], float] = clock,
) -> Lease:
    """Take the lease now or raise Refused now; it never waits for an owner. The caller starts the renewing.

    ``sighting`` is what an earlier try was told by :class:`Held`. ``owner.lock`` must be held by the caller.
    """
    for _ in range(TRIES):
        try:
            found = store.read()
            if found and found.record.state == "held":
                _may_take_over(found, owner, sighting, clock())
            if lease := _take(store, owner, ttl, found, clock):
                return lease
        except Refused:
            raise
        except OpsError as error:
            raise Refused(
                f"The lease {store.name} could not be taken. {error.message}",
                f"{error.next_step} Nothing was changed.".strip(),
            ) from error
    raise Refused(f"The lease {store.name} changes hands all the time.", "Try again.")


def _take(store: LeaseStore, owner: Owner, ttl: float, found: Found | None, clock: Callable[[], float]) -> Lease | None:
    """Write ourselves as the owner in place of what was found; None when it has changed since."""
    record = Record(
        state="held",
        fence=found.record.fence + 1 if found else 1,
        ttl=ttl,
        beat=0,
        nonce=secrets.token_hex(16),
        run=owner.run,
        user=owner.user,
        host=owner.host,
        since=owner.since,
        lock=owner.lock,
    )
    sent = clock()
    try:
        etag = store.write(record, found.etag if found else None)
    except OpsError as error:
        now = store.read()
        if now is None or now.record.nonce != record.nonce:
            if isinstance(error, (Exists, Missing)):
                return None
            raise
        etag = now.etag
    return Lease(store, record, etag, sent, clock)


def _may_take_over(found: Found, owner: Owner, sighting: Sighting | None, now: float) -> None:
    """Raise Held unless the owner is known to be gone: its machine's lock is ours, or it was silent for its time."""
    record = found.record
    if record.lock and record.lock == owner.lock:
        return
    seen = Sighting(found.etag, now, clock_name())
    if sighting and (sighting.etag, sighting.clock) == (seen.etag, seen.clock) and sighting.at <= now:
        seen = sighting
    silent = now - seen.at
    if silent >= record.ttl:
        return
    raise Held(
        f"{record.run}, started by {record.user}@{record.host}, has a lease on this since {record.since}.",
        f"Wait for it. If it is dead, its lease can be taken over in {record.ttl - silent:.0f} s.",
        record,
        seen,
    )
