"""A new object whose reply was lost: whether it was written is looked up, not guessed.

The client library asks again by itself when a connection breaks. Where the first try was carried out, the
second is answered "there is such an object already", and it is our own. Each call therefore writes a name
of its own into the object's metadata, and what stands there afterwards tells who wrote it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opslib.errors import OpsError, Unreachable
from opslib.systems.object_errors import Exists, NoUpload

if TYPE_CHECKING:
    from opslib.systems.object_store import Store

WRITING = "opslib-writing"
"""The metadata's entry that names the one call which wrote the object."""

LEAST = 0.1
"""The share of a call's time that a look after it broke gets at least."""


def plain(key: str) -> bool:
    """Return whether an object may be created under ``key``: printable, and the same on every way there.

    Programs that take a key for a path or an address drop empty, ``.`` and ``..`` parts, or follow them.
    """
    parts = key.split("/")
    return key.isprintable() and len(key.encode()) <= 1024 and not {"", ".", ".."} & set(parts)


def name() -> str:
    """Return a name for one call that writes; no other has it."""
    return secrets.token_hex(16)


def create(store: Store, new: Mapping[str, Any], **lock: Any) -> str:
    """Put the object of the parameters ``new`` (it must not be there yet) and return its version.

    Raises Exists when another one's is there, Unreachable when nobody knows.
    """
    writing, started = name(), time.monotonic()
    marked = {**new, "Metadata": {**new["Metadata"], WRITING: writing}}
    try:
        version = store.call("put_object", **marked, **lock).get("VersionId", "null")
    except (Exists, Unreachable) as error:
        return written(store, str(new["Key"]), writing, error, store.seconds - (time.monotonic() - started))
    return str(version)


def written(store: Store, key: str, writing: str, error: OpsError, seconds: float) -> str:
    """Return the version of the object that the call ``writing`` wrote although ``error`` was its answer.

    Raises ``error`` where it did not, or where nobody knows: a call that was given up may still arrive.
    """
    if isinstance(error, Unreachable) and error.kind == "slow":
        error.next_step = "It may have been written, or will be yet: look at the bucket before you try again."
        raise error
    try:
        head = store.head(key, seconds=max(LEAST * store.seconds, seconds))
    except OpsError as blind:
        if isinstance(error, Exists):
            raise Unreachable(
                f"{error.message} Whether it is this call's own is not known: {blind.message}",
                "Look at the bucket before you try again.",
            ) from error
        raise error from blind
    if head is None or head.writing != writing:
        if isinstance(error, NoUpload):
            error.next_step = "The upload is gone and its object is not there: begin it anew."
        raise error
    return head.version
