"""The policy of one bucket, changed by whoever owns the bucket: read, put, taken away, and nothing else of S3.

Sources: S3 API Reference, GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy (the owner's account alone may; its root
user also where the policy denies it). There is no conditional put: whoever puts looks right before and right after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opslib.errors import Refused
from opslib.settings import Settings
from opslib.systems.object_client import connect, only
from opslib.systems.object_errors import StoreError, told
from opslib.systems.pending import Pending

CALLS = frozenset({"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"})
NONE = "NoSuchBucketPolicy"
SECONDS = 25.0


class BucketOwner:
    """The policy of the bucket of backups, by its owner's credentials (OPS_BUCKET_OWNER_…); the executor's only."""

    def __init__(self, settings: Settings) -> None:
        if not settings.owns_bucket:
            raise Refused(
                "The description has no credentials of the bucket's owner.",
                "Set OPS_BUCKET_OWNER_AWS_ACCESS_KEY_ID and _SECRET_ACCESS_KEY, or let the owner do it.",
            )
        # One try each: whether a change whose answer was lost was made, the policy says.
        self._client = connect(
            settings,
            settings.bucket_owner_aws_access_key_id,
            settings.bucket_owner_aws_secret_access_key,
            seconds=10,
            attempts=1,
        )
        only(self._client, "s3", CALLS, "The bucket's owner is asked for the policy alone.")
        self._bucket = settings.backup_bucket

    def text(self) -> str:
        """Return the policy as the bucket has it, "" where it has none; raises Unreachable."""
        try:
            return str(self._ask("get_bucket_policy", self._client.get_bucket_policy)["Policy"])
        except StoreError as error:
            if error.code == NONE:
                return ""
            raise

    def put(self, text: str) -> None:
        """Make this the bucket's policy, or take it away where ``text`` is empty; raises Unreachable, Refused."""
        if text:
            self._ask("put_bucket_policy", self._client.put_bucket_policy, Policy=text)
        else:
            self._ask("delete_bucket_policy", self._client.delete_bucket_policy)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, operation: str, call: Callable[..., Any], **said: str) -> Any:
        what = f"S3 {operation} of s3://{self._bucket}"
        return Pending(what, SECONDS, lambda: told(lambda: call(Bucket=self._bucket, **said), what)).result()
