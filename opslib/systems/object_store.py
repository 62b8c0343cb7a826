"""S3 through boto3: a bucket that can only be read, and the executor's bucket that can be written.

The reading handle refuses inside botocore, before a request is built, so that neither a new method here
nor a direct call of its client can write. Conditional writes (``If-None-Match: *``), checksums and
object locks are as in the Amazon S3 User Guide, "Conditional requests", "Checking object integrity" and
"Locking objects with Object Lock".
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from opslib.errors import Refused, Unreachable
from opslib.redaction import Secret
from opslib.settings import ReadSettings, Settings
from opslib.systems.deadline import deadline
from opslib.systems.object_errors import Exists, Missing, StoreError, told
from opslib.systems.pending import Pending
from opslib.systems.upload import Upload

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client

__all__ = ["Bucket", "Exists", "Head", "Missing", "ReadOnlyBucket", "Store", "StoreError", "Stored", "Unfinished"]

READS = ("Get", "Head", "List")
"""How the names of S3 operations begin that change nothing."""

CHUNK = 1024 * 1024
CALL_SECONDS = 30.0
CHUNK_SECONDS = 60.0
_MAKING = threading.Lock()
"""Making clients from one session is not safe in several threads; using them is."""


@dataclass(frozen=True)
class Stored:
    """One version of one object, as a listing has it; ``size`` in bytes."""

    key: str
    size: int
    modified: datetime
    version: str


@dataclass(frozen=True)
class Unfinished:
    """An upload in parts that was begun and neither completed nor aborted; its parts are kept and paid for."""

    key: str
    upload: str
    begun: datetime


@dataclass(frozen=True)
class Head:
    """What the store says of one object without its content; ``size`` in bytes."""

    key: str
    size: int
    modified: datetime
    version: str
    encryption: str | None
    lock: str | None
    locked_until: datetime | None
    held: bool
    metadata: Mapping[str, str] = field(default_factory=dict)


class Store:
    """What both handles can do: list, look, read. ``bucket`` is the only bucket it ever touches."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self.bucket = bucket
        self._client = client

    def list(self, prefix: str) -> list[Stored]:
        """Return the current version of every object below ``prefix``, ordered by key; deleted ones are left out."""
        found: list[Stored] = []
        start: dict[str, str] = {}
        while True:
            page = self.call("list_object_versions", Prefix=prefix, **start)
            found += [
                Stored(row["Key"], row["Size"], row["LastModified"].astimezone(UTC), row.get("VersionId", "null"))
                for row in page.get("Versions", ())
                if row["IsLatest"]
            ]
            if not page.get("IsTruncated"):
                return sorted(found, key=lambda row: row.key)
            start = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def unfinished(self, prefix: str) -> tuple[Unfinished, ...]:
        """Return the unfinished uploads below ``prefix`` (the first thousand), oldest first."""
        rows = self.call("list_multipart_uploads", Prefix=prefix).get("Uploads", ())
        found = [Unfinished(row["Key"], row["UploadId"], row["Initiated"].astimezone(UTC)) for row in rows]
        return tuple(sorted(found, key=lambda item: item.begun))

    def head(self, key: str, version: str | None = None) -> Head | None:
        """Return what the store says of the object, or None when there is no such object or version."""
        try:
            said = self.call("head_object", Key=key, **_version(version))
        except Unreachable as error:
            if isinstance(error, Missing):
                return None
            raise
        return Head(
            key=key,
            size=said["ContentLength"],
            modified=said["LastModified"].astimezone(UTC),
            version=said.get("VersionId", "null"),
            encryption=said.get("ServerSideEncryption"),
            lock=said.get("ObjectLockMode"),
            locked_until=said.get("ObjectLockRetainUntilDate"),
            held=said.get("ObjectLockLegalHoldStatus") == "ON",
            metadata=said.get("Metadata", {}),
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

    def start(self, operation: str, **parameters: Any) -> Pending[Any]:
        """Begin one operation on this bucket in the background."""
        what = self._what(operation, str(parameters.get("Key", "")))
        work = partial(getattr(self._client, operation), Bucket=self.bucket, **parameters)
        return Pending(what, CALL_SECONDS, lambda: told(work, what))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _chunk(self, body: Any, what: str) -> bytes:
        with deadline(CHUNK_SECONDS, what, body._raw_stream.shutdown):
            return bytes(told(lambda: body.read(CHUNK), what))

    def _what(self, operation: str, key: str) -> str:
        return f"S3 {operation} of s3://{self.bucket}/{key}"


class ReadOnlyBucket(Store):
    """A bucket that can only be read, whatever its client is asked for."""

    def __init__(self, settings: ReadSettings, bucket: str) -> None:
        client = _client(settings, settings.read_aws_access_key_id, settings.read_aws_secret_access_key)
        # provide-client-params comes before anything is built or signed (presigned addresses too),
        # before-sign catches what is signed without it.
        client.meta.events.register_first("provide-client-params.s3", refuse_writes)
        client.meta.events.register_first("before-sign.s3", refuse_writes)
        super().__init__(client, bucket)


class Bucket(Store):
    """The executor's handle: creates objects, never overwrites one, deletes single versions only."""

    def __init__(self, settings: Settings, bucket: str) -> None:
        super().__init__(_client(settings, settings.aws_access_key_id, settings.aws_secret_access_key), bucket)

    def put_new(
        self, key: str, data: bytes, metadata: Mapping[str, str], *, locked_until: datetime | None = None
    ) -> str:
        """Create the object and return its version; raises Exists, and changes nothing, when there is one."""
        answer = self.call(
            "put_object",
            Key=key,
            Body=data,
            Metadata=dict(metadata),
            ContentType="application/json" if key.endswith(".json") else "application/octet-stream",
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=base64.b64encode(hashlib.sha256(data).digest()).decode(),
            IfNoneMatch="*",
            **lock(locked_until),
        )
        return str(answer.get("VersionId", "null"))

    def upload(self, key: str, metadata: Mapping[str, str], *, locked_until: datetime | None = None) -> Upload:
        """Return a writer for one new large object; use it in a ``with`` block and call its ``complete``."""
        return Upload(self.start, key, dict(metadata), lock(locked_until))

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
        """Take the parts of an unfinished upload away."""
        self.call("abort_multipart_upload", Key=item.key, UploadId=item.upload)

    def delete_version(self, key: str, version: str) -> None:
        """Delete exactly this version; raises Refused when an object lock holds it."""
        self.call("delete_object", Key=key, VersionId=version)


def refuse_writes(event_name: str, **_: Any) -> None:
    """Event handler for botocore that lets only reading operations pass; raises Refused for all others."""
    operation = event_name.rsplit(".", 1)[-1]
    if not operation.startswith(READS):
        raise Refused(f"A reading handle may not call S3 {operation}.", "Ask for a step of a runbook instead.")


def lock(until: datetime | None) -> dict[str, Any]:
    """Return the parameters that lock a new object in governance mode until ``until``; none for None."""
    return {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until} if until else {}


def _client(settings: ReadSettings, key: Secret | None, secret: Secret | None) -> S3Client:
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=25,
        retries={"mode": "standard", "total_max_attempts": 3},
        # A private endpoint seldom has a name per bucket.
        s3={"addressing_style": "path" if settings.aws_endpoint_url else "auto"},
    )
    with _MAKING:
        return _session().client(
            "s3",
            region_name=settings.aws_region,
            endpoint_url=settings.aws_endpoint_url,
            aws_access_key_id=key.reveal() if key else None,
            aws_secret_access_key=secret.reveal() if secret else None,
            config=config,
        )


@cache
def _session() -> Session:
    # One for the process: it parses the service's description only once. Event handlers belong to
    # each client alone, so a guard on one is neither lost nor spread by that.
    import boto3

    return boto3.session.Session()


def _version(version: str | None) -> dict[str, str]:
    return {"VersionId": version} if version else {}
