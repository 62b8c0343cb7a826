"""One new large object in parts: hashed on the way, complete or not there at all.

As in the Amazon S3 User Guide, "Uploading and copying objects using multipart upload": parts of at
least 5 MiB, at most 10,000 of them, kept (and paid for) until the upload is completed or aborted.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from opslib.errors import OpsError, StepFailed, Unreachable
from opslib.systems.object_errors import Exists, NoUpload
from opslib.systems.object_writing import WRITING, name, written
from opslib.systems.pending import Pending

if TYPE_CHECKING:
    from opslib.systems.object_store import Store

PART = 8 * 1024 * 1024
"""Bytes of one of the first 1,000 parts; each further thousand has parts of 8 MiB more (430 GB in all)."""

IN_FLIGHT = 2
"""Parts that may be under way at once: hides the network's delay, costs 16 MiB."""


class Upload:
    """A writer for one object. Leaving the ``with`` block without :meth:`complete` aborts it: no part is left."""

    def __init__(self, store: Store, key: str, metadata: Mapping[str, str], lock: Mapping[str, Any]) -> None:
        self.key = key
        self.size = 0
        self._store = store
        self._start = store.start
        self._writing = name()
        marked = {**metadata, WRITING: self._writing}
        self._first = {"Metadata": marked, "ContentType": "application/octet-stream", **lock}
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._flying: deque[tuple[str, Pending[Any]]] = deque()
        self._parts: list[dict[str, Any]] = []
        self._sent = 0
        self._id: str | None = None
        self._done = False

    def __enter__(self) -> Upload:
        answer = self._start("create_multipart_upload", Key=self.key, ChecksumAlgorithm="SHA256", **self._first)
        self._id = answer.result()["UploadId"]
        return self

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of everything written so far."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Add ``data``; sends a part whenever one is full. Raises what the sending of a part raised."""
        self._hash.update(data)
        self.size += len(data)
        self._buffer += data
        while len(self._buffer) >= (limit := PART * (1 + self._sent // 1000)):
            self._send(bytes(self._buffer[:limit]))
            del self._buffer[:limit]

    def complete(self) -> str:
        """Make the object exist and return its version; raises Exists when there is another of that name.

        A reply that was lost is looked up; Unreachable means that the object may be there.
        """
        if self._buffer or not self._sent:
            self._send(bytes(self._buffer))
            self._buffer.clear()
        while self._flying:
            self._land()
        version = self._complete()
        self._done = True
        return version

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done:
            self._abort(error)

    def _complete(self) -> str:
        started = time.monotonic()
        try:
            answer = self._start(
                "complete_multipart_upload",
                Key=self.key,
                UploadId=self._id,
                MultipartUpload={"Parts": self._parts},
                IfNoneMatch="*",
            ).result()
        except (Exists, Unreachable) as error:
            left = self._store.seconds - (time.monotonic() - started)
            return written(self._store, self.key, self._writing, error, left)
        return str(answer.get("VersionId", "null"))

    def _send(self, part: bytes) -> None:
        if self._sent == 10_000:
            raise StepFailed(f"{self.key} needs more than 10,000 parts.", "Use a physical backup for this size.")
        while len(self._flying) >= IN_FLIGHT:
            self._land()
        self._sent += 1
        checksum = base64.b64encode(hashlib.sha256(part).digest()).decode()
        flight = self._start(
            "upload_part",
            Key=self.key,
            UploadId=self._id,
            PartNumber=self._sent,
            Body=part,
            ChecksumSHA256=checksum,
        )
        self._flying.append((checksum, flight))

    def _land(self) -> None:
        checksum, flight = self._flying.popleft()
        tag = flight.result()["ETag"]
        self._parts.append({"PartNumber": len(self._parts) + 1, "ETag": tag, "ChecksumSHA256": checksum})

    def _abort(self, error: BaseException | None) -> None:
        # A part still under way would outlive the abort and be kept for ever: wait for it first.
        for _, flight in self._flying:
            try:
                flight.result()
            except OpsError:
                continue
        try:
            self._start("abort_multipart_upload", Key=self.key, UploadId=self._id).result()
        except NoUpload:
            return
        except OpsError as failed:
            said = f"Parts of {self.key} may be left in the bucket: {failed.message}"
            if error is None:
                raise StepFailed(said, "Abort the multipart upload by hand.") from failed
            if isinstance(error, OpsError):
                error.message += f" {said}"
            error.add_note(said)
