"""The bucket in which sealed runs lie, file by file: versions and object lock on, reached with a key of its own.

Each object is put under a name that must not exist yet, with its SHA-256, which the service holds against what
arrives (Amazon S3 User Guide, "Checking object integrity"), and with a lock ("Locking objects with Object Lock").
Whoever has this key could still put another version over an object, or hide it behind a deletion marker: no version is
lost by that, and readers look at all of them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from opslib.errors import Refused, SettingsError
from opslib.redaction import Secret
from opslib.settings import Settings
from opslib.systems.object_client import connect
from opslib.systems.object_errors import Exists, Missing
from opslib.systems.object_store import Store, Stored, lock, new_object

__all__ = ["Exists", "Kept", "SealedStore", "Several"]

_NO_LOCK = "ObjectLockConfigurationNotFoundError"


@dataclass(frozen=True)
class Several:
    """All versions of one object, oldest first; ``hidden`` where a deletion marker is the newest."""

    key: str
    versions: tuple[Stored, ...]
    hidden: bool = False


@dataclass(frozen=True)
class Kept:
    """What the service says of one version: its SHA-256 (hex; empty where it has none), its lock, its legal hold."""

    sha256: str
    locked_until: datetime | None
    held: bool


class SealedStore(Store):
    """The store of sealed runs. Raises SettingsError where none is described, or one that proves nothing."""

    def __init__(self, settings: Settings) -> None:
        bucket = settings.store_bucket or settings.anchor_bucket
        if bucket is None:
            raise SettingsError("No store for sealed runs is described.", "Set OPS_STORE_BUCKET.")
        if bucket == settings.backup_bucket:
            raise SettingsError(
                f"s3://{bucket} is the bucket of the backups: who works on those could reach the record of it.",
                "Name another bucket, in another account, in OPS_STORE_BUCKET.",
            )
        key, secret = _credentials(settings)
        super().__init__(connect(settings, key, secret), bucket)
        self._days, self._mode = settings.store_days, settings.store_mode

    def demand_locks(self) -> None:
        """Raise Refused unless the bucket keeps versions and can lock objects; Unreachable where nobody can look."""
        said = self.setting("get_bucket_versioning", "") or {}
        found = self.setting("get_object_lock_configuration", _NO_LOCK) or {}
        lacking = [] if said.get("Status") == "Enabled" else ["versions"]
        enabled = found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"
        lacking += [] if enabled else ["object lock"]
        if lacking:
            raise Refused(
                f"s3://{self.bucket} has no {' and no '.join(lacking)}: what lies there could be lost or changed.",
                "Switch it on (aws s3api put-object-lock-configuration), or name another bucket in OPS_STORE_BUCKET.",
            )

    def put(self, key: str, data: bytes, *, held: bool = False, over: bool = False) -> None:
        """Create a locked object; raises Exists where there is one, unless it is to be put ``over`` what is not ours.

        Raises Refused when the service says that something else arrived. ``held`` puts a legal hold on it.
        """
        new = new_object(key, data, {})
        until = datetime.now(UTC) + timedelta(days=self._days)
        more: dict[str, Any] = {"ObjectLockLegalHoldStatus": "ON"} if held else {}
        if over:
            del new["IfNoneMatch"]
        said = self.call("put_object", **new, **lock(until, self._mode), **more).get("ChecksumSHA256")
        if said != new["ChecksumSHA256"]:
            raise Refused(
                f"s3://{self.bucket}/{key}: the service says that other bytes arrived, or does not say which.",
                "Look at what stands between here and the store; the object is not taken for stored.",
            )

    def objects(self, prefix: str, after: str = "") -> Iterator[Several]:
        """Yield the objects below ``prefix`` behind the name ``after``, by name, each with all its versions."""
        start = {"KeyMarker": after} if after else {}
        left: list[Several] = []
        while True:
            page = self.call("list_object_versions", Prefix=prefix, **start)
            left = _merged(left, page)
            if not page.get("IsTruncated"):
                yield from left
                return
            # The last name's versions may go on with the next page.
            yield from left[:-1]
            left = left[-1:]
            start = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def kept(self, row: Stored) -> Kept | None:
        """Return what the service says of one version; None when it is gone."""
        try:
            said = self.call("head_object", Key=row.key, VersionId=row.version, ChecksumMode="ENABLED")
        except Missing:
            return None
        sha256 = base64.b64decode(said.get("ChecksumSHA256", "")).hex()
        held = said.get("ObjectLockLegalHoldStatus") == "ON"
        return Kept(sha256, said.get("ObjectLockRetainUntilDate"), held)

    def hold(self, row: Stored, on: bool) -> None:
        """Put the legal hold on one version, or take it away; the lock stays as it is."""
        status = {"Status": "ON" if on else "OFF"}
        self.call(
            "put_object_legal_hold", Key=row.key, VersionId=row.version, LegalHold=status, ChecksumAlgorithm="SHA256"
        )


def _credentials(settings: Settings) -> tuple[Secret | None, Secret | None]:
    """Return the store's key: its own, else that of the heads; raises SettingsError for one of the operated system."""
    key, secret = settings.store_aws_access_key_id, settings.store_aws_secret_access_key
    if key is None:
        key, secret = settings.anchor_aws_access_key_id, settings.anchor_aws_secret_access_key
    operating = (settings.aws_access_key_id, settings.read_aws_access_key_id)
    if key is not None and key in operating:
        raise SettingsError(
            "The store of sealed runs has the operated system's own AWS key: who has that could write the record.",
            "Give the store a key of its own account: OPS_STORE_AWS_ACCESS_KEY_ID and OPS_STORE_AWS_SECRET_ACCESS_KEY.",
        )
    if (key is None) != (secret is None):
        raise SettingsError("The store's AWS key has no secret, or the secret no key.", "Set both, or neither.")
    return key, secret


def _merged(left: list[Several], page: Any) -> list[Several]:
    """Return a page's objects by name, each with its versions oldest first, together with what is ``left`` of one."""
    versions: dict[str, list[Stored]] = {one.key: list(one.versions[::-1]) for one in left}
    hidden = {one.key for one in left if one.hidden}
    for row in page.get("Versions", ()):
        at = row["LastModified"].astimezone(UTC)
        stored = Stored(row["Key"], row["Size"], at, row.get("VersionId", "null"), bool(row["IsLatest"]))
        versions.setdefault(row["Key"], []).append(stored)
    for row in page.get("DeleteMarkers", ()):
        versions.setdefault(row["Key"], [])
        hidden |= {row["Key"]} if row["IsLatest"] else set()
    # S3 lists a name's versions newest first, and gives their times in whole seconds: the sort keeps their order.
    for found in versions.values():
        found.reverse()
        found.sort(key=lambda row: row.modified)
    return [Several(key, tuple(versions[key]), key in hidden) for key in sorted(versions, key=str.encode)]
