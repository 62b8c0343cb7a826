"""Deleting exact object versions from the bucket of backups, and looking that they are gone."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.model import Verdict, Verification
from opslib.systems.object_store import Bucket, Store


def remove(store: Bucket, versions: Sequence[tuple[str, str]]) -> Verification:
    """Delete ``(key, version)`` in that order and look again; raises Refused at the first that is locked."""
    for key, version in versions:
        store.delete_version(key, version)
    return gone(store, versions)


def gone(store: Store, versions: Sequence[tuple[str, str]]) -> Verification:
    """Say whether none of the ``(key, version)`` is there any more."""
    left = [key for key, version in versions if store.head(key, version) is not None]
    rows = tuple({"object": key, "version": version, "there": key in left} for key, version in versions)
    if left:
        return Verification(Verdict.CRITICAL, f"Still there: {', '.join(left)}.", rows)
    return Verification(Verdict.OK, f"{len(versions)} object versions are gone.", rows)
