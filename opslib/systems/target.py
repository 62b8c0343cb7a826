"""The handles on one target: one set for probes and plans, one to verify, one to apply; only the last can write."""

from __future__ import annotations

from functools import cached_property

from opslib.redaction import DatabaseUrl
from opslib.settings import ReadSettings, Settings
from opslib.systems.cache import ReadOnlyCache
from opslib.systems.cache_writing import Cache
from opslib.systems.object_store import Bucket, ReadOnlyBucket
from opslib.systems.postgres import ReadOnlyDatabase
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.web import Reader


class ReadTarget:
    """Handles that cannot write, each opened at its first use; close with :meth:`close`."""

    def __init__(self, settings: ReadSettings, run: str) -> None:
        self.settings = settings
        self.environment = settings.environment
        self.run = run

    @cached_property
    def database(self) -> ReadOnlyDatabase:
        """PostgreSQL as the reading role."""
        return ReadOnlyDatabase(self.settings.read_database_url, f"opslib:{self.run}")

    @cached_property
    def cache(self) -> ReadOnlyCache:
        """Redis or Valkey as the reading user."""
        return ReadOnlyCache(self.settings.read_cache_url, f"opslib:{self.run}")

    @cached_property
    def backups(self) -> ReadOnlyBucket:
        """The bucket of the database backups."""
        return ReadOnlyBucket(self.settings, self.settings.backup_bucket)

    @cached_property
    def web(self) -> Reader:
        """HTTP with safe methods only."""
        return Reader()

    def close(self) -> None:
        """Close every handle that was opened."""
        for name in ("database", "cache", "backups", "web"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()


class VerifyTarget(ReadTarget):
    """What ``verify`` gets: the reading handles, and sessions that see all and write nothing. Executor only."""

    settings: Settings
    _writes = False

    def __init__(self, settings: Settings, run: str) -> None:
        super().__init__(settings, run)
        self.settings = settings

    def admin(self, url: DatabaseUrl, application: str | None = None) -> AdminDatabase:
        """Return a session as the role of ``url`` on a server of this target; a context manager.

        ``application`` is the name that it has on the server, the run's own unless said otherwise.
        """
        return AdminDatabase(url, application or f"opslib:{self.run}", read_only=not self._writes)


class WriteTarget(VerifyTarget):
    """What ``apply``, ``settle`` and ``undo`` get: handles that can write. Executor only."""

    _writes = True

    @cached_property
    def backup_store(self) -> Bucket:
        """The bucket of the database backups, writable."""
        return Bucket(self.settings, self.settings.backup_bucket)

    @cached_property
    def cache_store(self) -> Cache:
        """Redis or Valkey as the writing user, who removes keys of the cache's own family through it."""
        settings = self.settings
        return Cache(settings.cache_url, f"opslib:{self.run}", settings.cache_prefix, settings.protected_prefixes)

    def close(self) -> None:
        """Close every handle that was opened."""
        super().close()
        for name in ("backup_store", "cache_store"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
