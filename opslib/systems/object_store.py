"""S3 through boto3: a bucket that can only be read, and the executor's bucket that can be written.

The reading handle refuses inside botocore, before a request is built, so that neither a new method here
nor a direct call of its client can write. Conditional writes (``If-None-Match: *``), checksums and
object locks are as in the Amazon S3 User Guide, "Conditional requests", "Checking object integrity" and
"Locking objects with Object Lock".
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from opslib.errors import Refused, Unreachable
from opslib.settings import ReadSettings, Settings
from opslib.systems.deadline import deadline
from opslib.systems.object_client import connect
from opslib.systems.object_errors import Exists, Missing, NoUpload, StoreError, told
from opslib.systems.object_writing import WRITING, create, plain
from opslib.systems.pending import Pending
from opslib.systems.upload import Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["Bucket", "Exists", "Head", "Missing", "ReadOnlyBucket", "Store", "StoreError", "Stored", "Unfinished"]

READS = ("Get", "Head", "List")
"""How the names of S3 operations begin that change nothing."""

CHUNK = 1024 * 1024
CALL_SECONDS = 30.0
CHUNK_SECONDS = 60.0
Mode = Literal["GOVERNANCE", "COMPLIANCE"]


@dataclass(frozen=True)
class Stored:
    """One version of one object, as a listing has it; ``size`` in bytes."""

    key: str
    size: int
    modified: datetime
    version: str
    latest: bool = True


@dataclass(frozen=True)
class Unfinished:
    """An upload in parts that was begun and neither completed nor aborted; its parts are kept and paid for."""

    key: str
    upload: str
    begun: datetime


@dataclass(frozen=True)
class Head:
    """What the store says of one object without its content; ``size`` in bytes.

    ``writing`` names the one call that wrote it (see :mod:`opslib.systems.object_writing`); empty: not one of ours.
    """

    key: str
    size: int
    modified: datetime
    version: str
    encryption: str | None
    lock: str | None
    locked_until: datetime | None
    held: bool
    metadata: Mapping[str, str] = field(default_factory=dict)
    writing: str = ""


class Store:
    """What both handles can do: list, look, read. ``bucket`` is the only bucket it ever touches.

    One call may take ``seconds`` of wall clock, one piece of a stream ``chunk_seconds``.
    """

    def __init__(
        self, client: S3Client, bucket: str, *, seconds: float = CALL_SECONDS, chunk_seconds: float = CHUNK_SECONDS
    ) -> None:
        self.bucket = bucket
        self.seconds = seconds
        self._chunk_seconds = chunk_seconds
        self._client = client

    def versions(self, prefix: str) -> list[Stored]:
        """Return every version of every object below ``prefix``, also of those that were deleted since."""
        found: list[Stored] = []
        start: dict[str, str] = {}
        while True:
            page = self.call("list_object_versions", Prefix=prefix, **start)
            found += [
                Stored(
                    row["Key"],
                    row["Size"],
                    row["LastModified"].astimezone(UTC),
                    row.get("VersionId", "null"),
                    bool(row["IsLatest"]),
                )
                for row in page.get("Versions", ())
            ]
            if not page.get("IsTruncated"):
                return found
            start = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def list(self, prefix: str) -> list[Stored]:
        """Return the current version of every object below ``prefix``, ordered by key; deleted ones are left out."""
        return sorted((row for row in self.versions(prefix) if row.latest), key=lambda row: row.key)

    def unfinished(self, prefix: str) -> tuple[Unfinished, ...]:
        """Return the unfinished uploads below ``prefix`` (the first thousand), oldest first."""
        rows = self.call("list_multipart_uploads", Prefix=prefix).get("Uploads", ())
        found = [Unfinished(row["Key"], row["UploadId"], row["Initiated"].astimezone(UTC)) for row in rows]
        return tuple(sorted(found, key=lambda item: item.begun))

    def head(self, key: str, version: str | None = None, *, seconds: float | None = None) -> Head | None:
        """Return what the store says of the object, or None when there is no such object or version."""
        try:
            said = self.start("head_object", seconds, Key=key, **_version(version)).result()
        except Unreachable as error:
            if isinstance(error, Missing):
                return None
            raise
        metadata = dict(said.get("Metadata", {}))
        return Head(
            key=key,
            size=said["ContentLength"],
            modified=said["LastModified"].astimezone(UTC),
            version=said.get("VersionId", "null"),
            encryption=said.get("ServerSideEncryption"),
            lock=said.get("ObjectLockMode"),
            locked_until=said.get("ObjectLockRetainUntilDate"),
            held=said.get("ObjectLockLegalHoldStatus") == "ON",
            writing=metadata.pop(WRITING, ""),
            metadata=metadata,
        )

    def read(self, key: str, limit: int = 8 * CHUNK, version: str | None = None) -> bytes:
        """Return a small object's bytes; raises Missing, or Refused when it is larger than ``limit`` bytes."""
        data = bytearray()
        for chunk in self.stream(key, version):
            data += chunk
            if len(data) > limit:
                raise Refused(
                    f"s3://{self.bucket}/{key} is larger than {limit} bytes.",
                    "Read it as a stream, or look what it is.",
                )
        return bytes(data)

    def stream(self, key: str, version: str | None = None) -> Iterator[bytes]:
        """Yield the object's bytes in pieces of at most 1 MiB; raises Missing, or Unreachable when it breaks off."""
        body = self.call("get_object", Key=key, **_version(version))["Body"]
        what = self._what("reading", key)
        try:
            while chunk := self._chunk(body, what):
                yield chunk
        finally:
            body.close()

    def setting(self, operation: str, absent: str) -> Mapping[str, Any] | None:
        """Return a setting of the bucket (``get_bucket_versioning`` …); None where S3 answers ``absent``.

        Raises Unreachable where the setting may not be read: that is not the same as "not set".
        """
        try:
            answer: Mapping[str, Any] = self.call(operation)
        except Unreachable as error:
            if isinstance(error, StoreError) and error.code == absent:
                return None
            raise
        return answer

    def call(self, operation: str, **parameters: Any) -> Any:
        """Call one operation on this bucket and return its answer; raises OpsError with the kind of failure."""
        return self.start(operation, **parameters).result()

    def start(self, operation: str, seconds: float | None = None, /, **parameters: Any) -> Pending[Any]:
        """Begin one operation on this bucket in the background; it may take ``seconds``, or what the store allows."""
        what = self._what(operation, str(parameters.get("Key", "")))
        work = partial(getattr(self._client, operation), Bucket=self.bucket, **parameters)
        return Pending(what, seconds or self.seconds, lambda: told(work, what))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _chunk(self, body: Any, what: str) -> bytes:
        with deadline(self._chunk_seconds, what, body._raw_stream.shutdown):
            return bytes(told(lambda: body.read(CHUNK), what))

    def _what(self, operation: str, key: str) -> str:
        return f"S3 {operation} of s3://{self.bucket}/{key}"


class ReadOnlyBucket(Store):
    """A bucket that can only be read, whatever its client is asked for."""

    def __init__(self, settings: ReadSettings, bucket: str, **limits: float) -> None:
        client = connect(settings, settings.read_aws_access_key_id, settings.read_aws_secret_access_key)
        # provide-client-params comes before anything is built or signed (presigned addresses too),
        # before-sign catches what is signed without it.
        client.meta.events.register_first("provide-client-params.s3", refuse_writes)
        client.meta.events.register_first("before-sign.s3", refuse_writes)
        super().__init__(client, bucket, **limits)


class Bucket(Store):
    """The executor's handle: creates objects, never overwrites one, deletes single versions only."""

    def __init__(self, settings: Settings, bucket: str, **limits: float) -> None:
        client = connect(settings, settings.aws_access_key_id, settings.aws_secret_access_key)
        super().__init__(client, bucket, **limits)

    def start(self, operation: str, seconds: float | None = None, /, **parameters: Any) -> Pending[Any]:
        """As a reading handle does; raises Refused for a new object under a key that is not plain."""
        if operation in ("put_object", "create_multipart_upload") and not plain(parameters["Key"]):
            raise Refused(f"Nothing is put under the key {parameters['Key'][:100]!a}.", "Use plain names and slashes.")
        return super().start(operation, seconds, **parameters)

    def put_new(
        self, key: str, data: bytes, metadata: Mapping[str, str], *, locked_until: datetime | None = None
    ) -> str:
        """Create the object and return its version; raises Exists, and changes nothing, when there is one.

        A reply that was lost is looked up; Unreachable means that the object may be there.
        """
        return create(self, new_object(key, data, metadata), **lock(locked_until))

    def upload(self, key: str, metadata: Mapping[str, str], *, locked_until: datetime | None = None) -> Upload:
        """Return a writer for one new large object; use it in a ``with`` block and call its ``complete``."""
        return Upload(self, key, dict(metadata), lock(locked_until))

    def ensure_locked(self, key: str, version: str, until: datetime) -> None:
        """Lock this version until ``until`` unless it is locked as long already.

        Some stores ignore the lock that an upload in parts asks for. Raises StoreError where none is possible.
        """
        head = self.head(key, version)
        if head and head.locked_until and head.locked_until >= until - timedelta(seconds=1):
            return
        self.call(
            "put_object_retention",
            Key=key,
            VersionId=version,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
            ChecksumAlgorithm="SHA256",
        )

    def abort(self, item: Unfinished) -> None:
        """Take the parts of an unfinished upload away; nothing happens when they are gone."""
        with suppress(NoUpload):
            self.call("abort_multipart_upload", Key=item.key, UploadId=item.upload)

    def delete_version(self, key: str, version: str) -> None:
        """Delete exactly this version; raises Refused when an object lock holds it."""
        self.call("delete_object", Key=key, VersionId=version)


def refuse_writes(event_name: str, **_: Any) -> None:
    """Event handler for botocore that lets only reading operations pass; raises Refused for all others."""
    operation = event_name.rsplit(".", 1)[-1]
    if not operation.startswith(READS):
        raise Refused(f"A reading handle may not call S3 {operation}.", "Ask for a step of a runbook instead.")


def lock(until: datetime | None, mode: Mode = "GOVERNANCE") -> dict[str, Any]:
    """Return the parameters that lock a new object until ``until``; none for None.

    Governance can be lifted with a right of its own; compliance by nobody, not by the account's owner either.
    """
    return {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until} if until else {}


def new_object(key: str, data: bytes, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of a put that fails where there is an object of that name already."""
    return {
        "Key": key,
        "Body": data,
        "Metadata": dict(metadata),
        "ContentType": "application/json" if key.endswith(".json") else "application/octet-stream",
        "ChecksumAlgorithm": "SHA256",
        "ChecksumSHA256": base64.b64encode(hashlib.sha256(data).digest()).decode(),
        "IfNoneMatch": "*",
    }


def _version(version: str | None) -> dict[str, str]:
    return {"VersionId": version} if version else {}
