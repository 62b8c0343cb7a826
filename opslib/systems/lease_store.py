"""One lease's object in S3: read whole, written only under a condition.

Conditional writes are as in the Amazon S3 User Guide, "How to prevent object overwrites with conditional
writes": ``If-None-Match: *`` creates, ``If-Match: ETag`` replaces exactly what was read. Nothing here knows
the time of day: moments are readings of a clock that nobody can set.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from opslib.settings import Settings
from opslib.systems.object_client import connect
from opslib.systems.object_errors import Exists, Missing, StoreError, told
from opslib.systems.pending import Pending

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["Exists", "Found", "LeaseStore", "Missing", "Record", "StoreTime", "boot", "clock", "clock_name"]

LARGEST = 8 * 1024
"""No lease's object has more bytes."""

# The clock that goes on while a machine sleeps: a holder that slept must not think that no time went by.
# Elsewhere than on Linux the monotonic clock does so itself.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Return seconds since some moment before this machine's start; nobody can set them."""
    return time.clock_gettime(_CLOCK)


START = Path("/proc/sys/kernel/random/boot_id")
SPACE = Path("/proc/self/ns/time")


@cache
def boot(path: Path = START) -> str:
    """Return the id of this run of the operating system; empty where it has none."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


@cache
def clock_name(start: Path = START, space: Path = SPACE) -> str:
    """Return whose clock :func:`clock` reads: only readings of equal names can be compared."""
    # Where a start of the machine has no id, its name will do: a clock that began anew shows too little time at most.
    return f"{boot(start) or platform.node()} {space.readlink() if space.is_symlink() else ''}".strip()


def _date(text: str) -> datetime | None:
    try:
        said = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return said if said.tzinfo else None


class Record(BaseModel):
    """What a lease's object says. ``fence`` only grows, ``beat`` counts renewals, ``nonce`` names one taking.

    ``ttl`` in seconds. ``lock`` names the local lock that the owner held meanwhile (empty: none can be named);
    ``since`` is for display only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    state: Literal["held", "free"]
    fence: int = Field(ge=1, lt=2**53)
    ttl: float = Field(gt=0, le=3600)
    beat: int = Field(ge=0)
    nonce: str = Field(pattern=r"^[0-9a-f]{32}$")
    run: str = Field(max_length=200)
    user: str = Field(max_length=200)
    host: str = Field(max_length=300)
    since: str = Field(max_length=40)
    lock: str = Field(max_length=200)


@dataclass(frozen=True)
class Found:
    """A lease's object as it was read."""

    etag: str
    record: Record


@dataclass(frozen=True)
class StoreTime:
    """What time the store said it is (whole seconds), between two readings of our clock."""

    said: datetime
    sent: float
    received: float


class LeaseStore:
    """Reads and writes one key of the lease bucket, each call within ``seconds`` and asked once."""

    def __init__(
        self, client: S3Client, bucket: str, key: str, *, seconds: float, clock: Callable[[], float] = clock
    ) -> None:
        self.key, self.bucket, self.seconds, self.clock = key, bucket, seconds, clock
        self.time: StoreTime | None = None
        self._client = client

    @classmethod
    def of(cls, settings: Settings, bucket: str, key: str, seconds: float) -> LeaseStore:
        """Return the store of a target description, with the credentials that can write."""
        # Asked once: the lease must know itself whether a write was sent twice.
        client = connect(
            settings, settings.aws_access_key_id, settings.aws_secret_access_key, seconds=seconds, attempts=1
        )
        return cls(client, bucket, key, seconds=seconds)

    @property
    def name(self) -> str:
        """The object's address, for messages."""
        return f"s3://{self.bucket}/{self.key}"

    def read(self) -> Found | None:
        """Return the object, or None when there is none; raises Unreachable, also when it is no lease's."""
        try:
            answer = self._call("get_object")
        except Missing:
            return None
        try:
            return Found(answer["ETag"], Record.model_validate_json(answer["Body"]))
        except ValidationError:
            raise StoreError(f"{self.name} is no lease of ours.", "Look at it, then remove it by hand.") from None

    def write(self, record: Record, etag: str | None) -> str:
        """Write the object if it is still the one of ``etag`` (None: if there is none) and return the new ETag.

        Raises Exists or Missing when it is not, Unreachable when nobody knows whether it was written. After
        a broken connection Exists may also mean that an earlier try was carried out.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        data = record.model_dump_json().encode()
        return str(self._call("put_object", Body=data, ContentType="application/json", **condition)["ETag"])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        what = f"S3 {operation} of {self.name}"
        work = partial(getattr(self._client, operation), Bucket=self.bucket, Key=self.key, **parameters)
        return Pending(what, self.seconds, lambda: told(lambda: self._timed(work), what)).result()

    def _timed(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        sent = self.clock()
        answer = work()
        said = _date(answer["ResponseMetadata"]["HTTPHeaders"].get("date", ""))
        self.time = StoreTime(said, sent, self.clock()) if said else None
        if "Body" in answer:
            answer["Body"] = answer["Body"].read(LARGEST)
        return answer
