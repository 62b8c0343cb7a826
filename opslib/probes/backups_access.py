"""Whether the bucket's own policy shuts out those who back up and restore, and whether a look is really refused.

Source: IAM User Guide, "Policy evaluation logic": an explicit Deny beats every Allow, also an administrator's; S3 API
Reference, GetBucketPolicy. Whether writing is refused is read and not tried: a look writes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from opslib.model import Probe
from opslib.systems.object_store import Missing, StoreError
from opslib.systems.target import ReadTarget

NEEDS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("list", ("s3:ListBucket", "s3:ListBucketVersions"), False),
    ("read", ("s3:GetObject", "s3:GetObjectVersion"), True),
    ("write", ("s3:PutObject", "s3:AbortMultipartUpload"), True),
)
"""What a backup needs, by which actions, and whether on an object or on the bucket."""

NOBODYS = "opslib-asks-for-nothing"
"""No object has this name: who may read is told that it is missing, who may not is told that."""

REFUSED = ("AccessDenied", "AllAccessDisabled", "403")
Statement = Mapping[str, Any]


def denials(policy: Mapping[str, Any], action: str, resource: str) -> Iterator[tuple[str, str, str]]:
    """Yield the statements of a policy that deny ``action`` on ``resource``: name, to whom, under which condition.

    A condition is named and not evaluated: what a request would bring, nobody knows beforehand.
    """
    said = policy.get("Statement", [])
    for number, one in enumerate(said if isinstance(said, list) else [said], 1):
        if one.get("Effect") != "Deny" or not _hits(one, "Action", action, re.IGNORECASE):
            continue
        if _hits(one, "Resource", resource):
            keys = [f"{kind} {key}" for kind, about in (one.get("Condition") or {}).items() for key in about]
            yield str(one.get("Sid") or f"statement {number}"), _whom(one), ", ".join(keys)


def _hits(one: Statement, word: str, value: str, flags: int = 0) -> bool:
    if word in one:
        return any(_like(pattern, value, flags) for pattern in _list(one[word]))
    return not any(_like(pattern, value, flags) for pattern in _list(one.get(f"Not{word}", "*")))


def _like(pattern: str, value: str, flags: int) -> bool:
    text = re.escape(str(pattern)).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(text, value, flags | re.DOTALL) is not None


def _whom(one: Statement) -> str:
    if "Principal" not in one:
        return "all but some"
    said = one["Principal"]
    named = [name for value in said.values() for name in _list(value)] if isinstance(said, Mapping) else _list(said)
    return "everybody" if "*" in named else ", ".join(map(str, named))


def _list(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _access(target: ReadTarget) -> list[dict[str, Any]]:
    policy, unread = _policy(target)
    return [_need(target, policy, unread, *need) for need in NEEDS]


def _policy(target: ReadTarget) -> tuple[Mapping[str, Any], str]:
    try:
        answer = target.backups.setting("get_bucket_policy", "NoSuchBucketPolicy")
        return (json.loads(answer["Policy"]) if answer else {}), ""
    except StoreError as error:
        if error.code in REFUSED:
            return {}, "the bucket's policy may not be read"
        raise
    except ValueError:
        return {}, "the bucket's policy can't be read"


def _need(
    target: ReadTarget, policy: Mapping[str, Any], unread: str, need: str, actions: tuple[str, ...], on_object: bool
) -> dict[str, Any]:
    settings, bucket = target.settings, f"arn:aws:s3:::{target.settings.backup_bucket}"
    prefixes = [prefix for prefix in (settings.backup_prefix, settings.continuous_prefix) if prefix is not None]
    places = [f"{bucket}/{prefix}{NOBODYS}" for prefix in prefixes] if on_object else [bucket]
    found = sorted({one for place in places for action in actions for one in denials(policy, action, place)})
    sure = [one for one in found if one[1] == "everybody" and not one[2]]
    sid, whom, condition = (sure or found or [("", "", "")])[0]
    row = {"need": need, "actions": ", ".join(actions), "denied_by": sid, "to": whom, "condition": condition}
    return row | {"refused": _refused(target, need), "unread": unread}


def _refused(target: ReadTarget, need: str) -> bool | None:
    """Whether the store refuses it to us; None for what is not tried."""
    prefix = target.settings.backup_prefix
    try:
        if need == "list":
            target.backups.call("list_object_versions", Prefix=prefix, MaxKeys=1)
        elif need == "read":
            target.backups.call("get_object", Key=f"{prefix}{NOBODYS}", Range="bytes=0-0")
        else:
            return None
    except Missing:
        return False
    except StoreError as error:
        if error.code in REFUSED:
            return True
        raise
    return False


access = Probe(
    "backup-access",
    "Who is shut out of the bucket of backups",
    _access,
    source=f"GetBucketPolicy; ListObjectVersions; GetObject {NOBODYS}",
)
"""A row per need (list, read, write): the statement that denies it, to whom, under which condition; ``refused`` to us.

``unread`` says why the policy could not be read.
"""
