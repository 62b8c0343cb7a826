"""Redis or Valkey for the executor: what a reading session asks, UNLINK of the cache's own keys, two settings, a proof.

The proof is a key of our own, written, read and removed at once: that a server takes writes is not seen otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from opslib.redaction import CacheUrl
from opslib.systems.cache import Command, ReadOnlyCache
from opslib.systems.cache_commands import Argument

MOST_KEYS = 1000
"""Keys of one UNLINK at most: the server looks each up while everybody else waits."""


PROOF = b"opslib:proof:"
"""What our own keys begin with; each is gone within a minute, whatever becomes of us."""
PROOF_SECONDS = 60

POLICIES = (
    *("noeviction", "volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random"),
    *("allkeys-lru", "allkeys-lfu", "allkeys-random"),
)
"""What a server may do when its memory is full (``maxmemory-policy``)."""


class Cache(ReadOnlyCache):
    """A session that removes keys of ``family``, sets how much memory there is and what is done when it is full,
    and sends nothing else that writes.

    A key that begins otherwise, or with one of ``protected``, is refused before a byte is sent, whoever asks.
    """

    def __init__(self, url: CacheUrl, application: str, family: str, protected: Sequence[str] = ()) -> None:
        super().__init__(url, application)
        self._family = family.encode()
        self._protected = tuple(prefix.encode() for prefix in protected)

    def unlink(self, keys: Sequence[bytes]) -> int:
        """Remove ``keys`` and return how many of them were there; memory is freed aside, without a stall."""
        batches = [keys[start : start + MOST_KEYS] for start in range(0, len(keys), MOST_KEYS)]
        return sum(int(answer) for answer in self.ask_many([("UNLINK", *batch) for batch in batches]))

    def set_memory(self, size: int, policy: str) -> None:
        """Set ``maxmemory`` (bytes; 0: no limit) and ``maxmemory-policy`` at once, until the server's next start."""
        self.ask("CONFIG", "SET", "maxmemory", size, "maxmemory-policy", policy)

    def prove(self, name: str, value: str) -> bool:
        """Write a key of our own, read it, remove it; tells whether the same was read.

        Raises CacheUnreachable with the kind of failure: ``other`` where a full server refuses writes (OOM).
        """
        key = PROOF + name.encode()
        written, read, _ = self.ask_many([("SET", key, value, "EX", PROOF_SECONDS), ("GET", key), ("UNLINK", key)])
        return bool(written == "OK" and read == value)

    def _why_refused(self, command: Command) -> str | None:
        if command[:2] == ("CONFIG", "SET"):
            shape = command[2:3] + command[4:5]
            known = len(command) == 6 and shape == ("maxmemory", "maxmemory-policy") and command[5] in POLICIES
            plain = known and isinstance(command[3], int) and command[3] >= 0
            return None if plain else "CONFIG SET takes maxmemory in bytes and maxmemory-policy, both and nothing else"
        if command and command[0] in ("SET", "GET", "UNLINK") and _proof(command):
            return None
        if not command or command[0] != "UNLINK":
            return super()._why_refused(command)
        keys = [_bytes(part) for part in command[1:]]
        if not 0 < len(keys) <= MOST_KEYS:
            return f"UNLINK takes 1 to {MOST_KEYS} keys"
        if not self._family or any(not key.startswith(self._family) or key.startswith(self._protected) for key in keys):
            return "UNLINK takes keys of the cache's own family only, and no protected one"
        return None


def _proof(command: Command) -> bool:
    """Tell whether a command is one of the three that prove, on a key of our own."""
    shapes = {"SET": (5, ("EX", PROOF_SECONDS)), "GET": (2, ()), "UNLINK": (2, ())}
    length, tail = shapes[str(command[0])]
    return len(command) == length and command[3:] == tail and _bytes(command[1]).startswith(PROOF)


def _bytes(part: Argument) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode()
