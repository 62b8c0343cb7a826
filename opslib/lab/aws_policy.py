"""What a bucket's policy denies, the lab's AWS refuses for every way to an object.

A listing, HEAD and an upload in parts would pass moto by a Deny. It is judged by moto's own reading of a policy, which
looks at actions and resources, and at neither principals nor conditions. Source: Service Authorization Reference,
Amazon S3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.access_control import PermissionResult
from moto.s3.models import s3_backends

Wsgi = Callable[[Any, dict[str, Any], Any], Iterable[bytes]]

OBJECT = {
    ("HEAD", ""): "s3:GetObject",
    ("GET", ""): "s3:GetObject",
    ("PUT", ""): "s3:PutObject",
    ("PUT", "uploadId"): "s3:PutObject",
    ("POST", "uploads"): "s3:PutObject",
    ("POST", "uploadId"): "s3:PutObject",
    ("DELETE", "uploadId"): "s3:AbortMultipartUpload",
    ("DELETE", ""): "s3:DeleteObject",
}
BUCKET = {
    ("HEAD", ""): "s3:ListBucket",
    ("GET", ""): "s3:ListBucket",
    ("GET", "versions"): "s3:ListBucketVersions",
    ("GET", "uploads"): "s3:ListBucketMultipartUploads",
}
OF_A_VERSION = {"s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion"}
TELLING = ("uploads", "uploadId", "versions")
OTHERS = frozenset(
    (
        *("acl", "attributes", "cors", "encryption", "legal-hold", "lifecycle", "location", "logging", "object-lock"),
        *("notification", "policy", "policyStatus", "publicAccessBlock", "retention", "tagging", "versioning"),
    )
)
"""What is asked of a bucket or an object besides, each with an action of its own: left to moto."""

DENIED = (
    b"<Error><Code>AccessDenied</Code><Message>Access Denied, with an explicit deny in a resource-based policy"
    b"</Message></Error>"
)


def guarded(call: Wsgi) -> Wsgi:
    """Return the server's application with that."""

    def answer(self: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "") and denied(environ):
            headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(DENIED)))]
            start_response("403 Forbidden", headers)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [DENIED]
        return call(self, environ, start_response)

    return answer


def denied(environ: dict[str, Any]) -> bool:
    """Tell whether the policy of the bucket that a request in path style is for denies it."""
    name, _, key = unquote(environ.get("PATH_INFO", "")).lstrip("/").partition("/")
    said = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(name)
    if bucket is None or bucket.policy is None or OTHERS & set(said):
        return False
    part = next((word for word in TELLING if word in said), "")
    action = (OBJECT if key else BUCKET).get((environ["REQUEST_METHOD"], part))
    if action is None:
        return False
    action = OF_A_VERSION.get(action, action) if "versionId" in said else action
    resource = f"arn:aws:s3:::{name}/{key}" if key else f"arn:aws:s3:::{name}"
    return bool(bucket.get_permission(action, resource) == PermissionResult.DENIED)
