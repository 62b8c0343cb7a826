"""What becomes of backups behind the runbooks' backs: none is taken any more, their proofs or their dumps are gone.

The bucket keeps versions, so nothing is lost: what is written over a manifest, or marks an object as deleted, is a
version of its own, and to mend is to take that one away. Only a lab that has a backup can be broken like this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from opslib.lab.cloud import client
from opslib.lab.processes import LabError
from opslib.settings import Settings

MANIFEST, PROOF = ".manifest.json", ".proof.json"
"""How two objects of a backup end; of the third its manifest has the whole name."""
OLD = timedelta(hours=26)
"""A night that was missed, and the morning after it."""
MARK = {"lab-fault": "grown-old"}


def stop(settings: Settings) -> None:
    """Let the newest backup be 26 hours old, and each one before it older by as much as it is."""
    bucket = _Bucket(settings)
    manifests = {name: json.loads(bucket.read(name + MANIFEST)) for name in bucket.backups()}
    taken = {name: datetime.fromisoformat(said["origin"]["taken_at"]) for name, said in manifests.items()}
    shift = OLD - (datetime.now(UTC) - max(taken.values()))
    if shift <= timedelta(minutes=1):
        return
    for name, said in manifests.items():
        said["origin"]["taken_at"] = (taken[name] - shift).isoformat()
        data = json.dumps(said, sort_keys=True).encode()
        bucket.put(name + MANIFEST, data)
        bucket.vouch(name, hashlib.sha256(data).hexdigest(), shift)


def go_on(settings: Settings) -> None:
    """Let each be as old as it is."""
    bucket = _Bucket(settings)
    for version in bucket.versions():
        if bucket.marked(version):
            bucket.take_away(version)


def lose_proofs(settings: Settings) -> None:
    """Delete every proof, as a clean-up does that knows nothing of them."""
    bucket = _Bucket(settings)
    bucket.delete(name + PROOF for name in bucket.backups())


def lose_dumps(settings: Settings) -> None:
    """Delete every dump, as one does that looks for what is large."""
    bucket = _Bucket(settings)
    bucket.delete(json.loads(bucket.read(name + MANIFEST))["dump"]["key"] for name in bucket.backups())


def find_again(settings: Settings) -> None:
    """Take away whatever says of an object that it is deleted: what was deleted by its version does not come back."""
    bucket = _Bucket(settings)
    for mark in bucket.deletions():
        bucket.take_away(mark)


class _Bucket:
    """The lab's bucket of backups, below the prefix of backups, by credentials that may do anything there."""

    def __init__(self, settings: Settings) -> None:
        self._s3, self._bucket, self._prefix = client(settings, "s3"), settings.backup_bucket, settings.backup_prefix

    def versions(self, what: str = "Versions") -> list[dict[str, Any]]:
        """Return every version, newest first of each object; what stands in folders below is another target's."""
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=self._prefix)
        found = [one for page in pages for one in page.get(what, ())]
        return [one for one in found if "/" not in one["Key"].removeprefix(self._prefix)]

    def deletions(self) -> Iterator[dict[str, Any]]:
        """Yield what marks an object as deleted."""
        yield from self.versions("DeleteMarkers")

    def backups(self) -> list[str]:
        """Return the keys of all backups, without their endings; raises LabError where there is none."""
        keys = [one["Key"] for one in self.versions() if one["IsLatest"]]
        found = [key.removesuffix(MANIFEST) for key in keys if key.endswith(MANIFEST)]
        if not found:
            raise LabError("This lab has no backup to which that could happen.", "ops run runbooks/back-up-database")
        return found

    def has(self, key: str) -> bool:
        """Tell whether the object is there and not marked as deleted."""
        return any(one["Key"] == key and one["IsLatest"] for one in self.versions())

    def read(self, key: str) -> bytes:
        """Return an object."""
        data: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return data

    def put(self, key: str, data: bytes) -> None:
        """Write a version of it that :meth:`marked` knows."""
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, Metadata=MARK)

    def vouch(self, name: str, manifest_sha256: str, shift: timedelta) -> None:
        """Let a backup's proof, where it has one, be of that manifest, and older by as much."""
        if self.has(name + PROOF):
            said = json.loads(self.read(name + PROOF)) | {"manifest_sha256": manifest_sha256}
            said["proven_at"] = (datetime.fromisoformat(said["proven_at"]) - shift).isoformat()
            self.put(name + PROOF, json.dumps(said, sort_keys=True).encode())

    def marked(self, version: dict[str, Any]) -> bool:
        """Tell whether a version is one that :meth:`put` wrote."""
        key, number = version["Key"], version["VersionId"]
        said: dict[str, str] = self._s3.head_object(Bucket=self._bucket, Key=key, VersionId=number)["Metadata"]
        return said == MARK

    def delete(self, keys: Iterable[str]) -> None:
        """Mark objects as deleted, those of them that are there."""
        there = {one["Key"] for one in self.versions() if one["IsLatest"]}
        for key in there.intersection(keys):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def take_away(self, version: dict[str, Any]) -> None:
        """Take one version away, for good."""
        self._s3.delete_object(Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"])
