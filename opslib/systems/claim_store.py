"""Objects in S3 that one asker alone can make: what is claimed stays claimed, whatever becomes of the claimant.

``If-None-Match: *`` creates and never replaces (Amazon S3 User Guide, "How to prevent object overwrites with
conditional writes").
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any

from opslib.errors import OpsError
from opslib.settings import Settings
from opslib.systems.object_client import connect
from opslib.systems.object_errors import Missing, told
from opslib.systems.pending import Pending

LARGEST = 8 * 1024
"""No claim has more bytes."""

SECONDS = 10.0


def claim(settings: Settings, bucket: str, key: str, said: Mapping[str, str]) -> dict[str, str] | None:
    """Make the object and return None, or return what stands there when another was first.

    ``said`` is who claims it, for display. Raises OpsError when nobody knows whether it was made.
    """
    mine = {**said, "nonce": secrets.token_hex(16)}
    client = connect(settings, settings.aws_access_key_id, settings.aws_secret_access_key, seconds=SECONDS, attempts=1)

    def call(operation: str, **more: Any) -> dict[str, Any]:
        what = f"S3 {operation} of s3://{bucket}/{key}"
        work = partial(getattr(client, operation), Bucket=bucket, Key=key, **more)
        return Pending(what, SECONDS, lambda: told(lambda: _whole(work()), what)).result()

    try:
        try:
            call("put_object", Body=json.dumps(mine).encode(), ContentType="application/json", IfNoneMatch="*")
        except OpsError as error:
            # Its reply may have been lost: what stands there tells whose it is.
            there = _there(call)
            if there is None:
                raise error
            return None if there.get("nonce") == mine["nonce"] else there
    finally:
        client.close()
    return None


def _there(call: Any) -> dict[str, str] | None:
    try:
        found = json.loads(call("get_object")["Body"])
    except Missing:
        return None
    except (ValueError, RecursionError):
        found = None
    return {name: word for name, word in found.items() if isinstance(word, str)} if isinstance(found, dict) else {}


def _whole(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"Body": answer["Body"].read(LARGEST)} if "Body" in answer else answer
