"""What goes wrong with an object store, told apart by what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from opslib.errors import OpsError, Refused, Unreachable

T = TypeVar("T")


class StoreError(Unreachable):
    """The store refused or failed one operation; ``code`` is its own word for it.

    Like every error of ours it can be made of message and next step alone: the executor tells it anew, redacted.
    """

    def __init__(self, message: str, next_step: str = "", code: str = "") -> None:
        super().__init__(message, next_step)
        self.code = code


class Missing(StoreError):
    """There is no such object or version."""


class NoUpload(StoreError):
    """There is no such upload in parts any more: it was completed or aborted, and no part of it is left."""


class Exists(Refused):
    """There is an object of that name already; it was not touched."""


def told(work: Callable[[], T], what: str) -> T:
    """Return what ``work`` returns; raises botocore's errors as ours, without its request in the message."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        return work()
    except ClientError as error:
        said = error.response.get("Error", {})
        raise _failure(what, said.get("Code", "?"), said.get("Message", "")) from error
    except (BotoCoreError, HTTPClientError) as error:
        raise _failure(what, type(error).__name__, "") from error


_KINDS: tuple[tuple[str, str, str], ...] = (
    (r"NoSuchBucket", "there is no such bucket", "Check S3_BUCKET_NAME in the target description."),
    (
        r"RequestTimeTooSkewed|RequestExpired",
        "its clock and this machine's are too far apart",
        "Set this machine's clock right: timedatectl status, chronyc tracking.",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|NoCredentials|PartialCredentials",
        "the credentials are missing, wrong or expired",
        "Check the AWS credentials of the target description.",
    ),
    (
        r"AccessDenied|AllAccessDisabled|403",
        "these credentials may not do that",
        "Check the role's policy and the bucket's, where a denial beats every right.",
    ),
    (r"SlowDown|ServiceUnavailable|InternalError|5\d\d|Throttl", "the store is overloaded", "Wait, then try again."),
    (r"EndpointConnection|ConnectTimeout|ConnectionClosed|ProxyConnection", "no connection", "Look at the network."),
    (r"ReadTimeout|ResponseStreaming|IncompleteRead", "the answer broke off", "Look at the network, then try again."),
)


def _failure(what: str, code: str, message: str) -> OpsError:
    if code in ("NoSuchKey", "404", "NoSuchVersion", "NotFound"):
        return Missing(f"{what}: there is no such object.", "List the bucket to see what is there.", code)
    if code == "NoSuchUpload":
        return NoUpload(f"{what}: there is no such upload any more.", "Look whether its object is there.", code)
    if code in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
        return Exists(f"{what}: there is an object of that name already.", "Nothing was overwritten; look at it first.")
    if what.startswith("S3 delete") and code == "AccessDenied":
        return Refused(f"{what}: the store forbids it ({message}).", "An object lock or the role's policy protects it.")
    for pattern, kind, next_step in _KINDS:
        if re.search(pattern, code):
            return StoreError(f"{what}: {kind} ({code}).", next_step, code)
    return StoreError(f"{what} failed ({code}: {message}).", "See the service's documentation for that code.", code)
