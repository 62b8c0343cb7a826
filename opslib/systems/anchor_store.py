"""The bucket to which the archive's heads are published: another account's, locked, reached with its own key.

The key may put and list and read, nothing else. Each object is locked in compliance mode, which nobody can
lift or shorten (Amazon S3 User Guide, "Locking objects with Object Lock"). Putting an object of the same
name again would add a version and leave the first one: readers therefore look at all versions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from opslib.errors import SettingsError
from opslib.settings import Settings
from opslib.systems.object_client import connect
from opslib.systems.object_store import Exists, Store, Stored, lock, new_object
from opslib.systems.object_writing import create

__all__ = ["AnchorStore", "Exists", "Stored"]

LARGEST = 64 * 1024
"""No published head has more bytes."""


class AnchorStore(Store):
    """The store of published heads. Every call has a deadline and raises OpsError when it is not kept."""

    def __init__(self, settings: Settings) -> None:
        if settings.anchor_bucket is None:
            raise SettingsError("No store for the archive's heads is described.", "Set OPS_ANCHOR_BUCKET.")
        key, secret = settings.anchor_aws_access_key_id, settings.anchor_aws_secret_access_key
        super().__init__(connect(settings, key, secret), settings.anchor_bucket)
        self._days = settings.anchor_days

    def put_new(self, key: str, data: bytes) -> str:
        """Create the object, locked for ``anchor_days``, and return its version; raises Exists when there is one."""
        until = datetime.now(UTC) + timedelta(days=self._days)
        return create(self, new_object(key, data, {}), **lock(until, "COMPLIANCE"))

    def history(self, prefix: str) -> list[Stored]:
        """Return every version of every object below ``prefix``, the first one of each name before the others."""
        # S3 lists a name's versions newest first, and gives their times in whole seconds.
        oldest_first = self.versions(prefix)[::-1]
        return sorted(oldest_first, key=lambda row: (row.key, row.modified))

    def content(self, row: Stored) -> bytes:
        """Return the content of one version; raises Refused when it is larger than a head can be."""
        return self.read(row.key, LARGEST, row.version)
