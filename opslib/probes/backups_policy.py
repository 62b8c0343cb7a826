"""The policy of the bucket of backups, statement by statement: whom each shuts out of what, and which of them protect.

Sources: IAM User Guide, "Policy evaluation logic" (an explicit Deny beats every Allow), "JSON policy elements"; S3 API
Reference, GetBucketPolicy; Amazon S3 User Guide, "Bucket policy examples" (what denials are meant to protect).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opslib.canonical import canonical, digest
from opslib.model import Probe
from opslib.settings import ReadSettings
from opslib.systems.object_store import StoreError
from opslib.systems.target import ReadTarget

NEEDS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("list", ("s3:ListBucket", "s3:ListBucketVersions"), False),
    ("read", ("s3:GetObject", "s3:GetObjectVersion"), True),
    ("write", ("s3:PutObject", "s3:AbortMultipartUpload"), True),
)
"""What a backup needs, by which actions, and whether on an object or on the bucket."""

NOBODYS = "opslib-asks-for-nothing"
"""No object has this name: who may read is told that it is missing, who may not is told that."""

EVERYBODY = "everybody"
REFUSED = ("AccessDenied", "AllAccessDisabled", "403")
PLAIN = re.compile(r"(?!(none|found)\b|sha256-)[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
"""A Sid by which a statement can be named; another one is named by its digest."""

PROTECTING = (
    ("aws:securetransport", "nothing goes without TLS"),
    ("s3:tlsversion", "nothing goes without a newer TLS"),
    ("s3:x-amz-server-side-encryption", "nothing is kept without encryption"),
    ("s3:object-lock-", "objects stay locked"),
    ("s3:x-amz-acl", "nothing is opened to others"),
    ("s3:x-amz-grant-", "nothing is opened to others"),
)
"""How the keys of conditions begin (in lower case) under which a denial keeps others out, and what it is for."""

Statement = Mapping[str, Any]
Policy = Mapping[str, Any]


@dataclass(frozen=True)
class Held:
    """The policy as the bucket has it: its ``text`` ("" where there is none), and ``unread``, why it was not read."""

    text: str
    policy: Policy
    unread: str


def held(target: ReadTarget) -> Held:
    """Return the bucket's policy by the reading credentials; raises Unreachable where the store does not answer."""
    try:
        answer = target.backups.setting("get_bucket_policy", "NoSuchBucketPolicy")
        text = str(answer["Policy"]) if answer else ""
        return Held(text, parsed(text), "")
    except StoreError as error:
        if error.code in REFUSED:
            return Held("", {}, "the bucket's policy may not be read")
        raise
    except ValueError:
        return Held("", {}, "the bucket's policy can't be read")


def parsed(text: str) -> dict[str, Any]:
    """Return a policy from its text, empty for none; raises ValueError for what is no policy."""
    said = json.loads(text) if text else {}
    if not isinstance(said, dict) or not all(isinstance(one, dict) for one in statements(said)):
        raise ValueError("no policy: not an object with statements")
    return said


def statements(policy: Policy) -> list[Statement]:
    """Return the statements of a policy; a single one may stand without a list."""
    return _list(policy.get("Statement", []))


def called(one: Statement) -> str:
    """Return a statement's name: its Sid, or the beginning of its digest where it has none that is a plain word."""
    sid = str(one.get("Sid") or "")
    return sid if PLAIN.fullmatch(sid) else f"sha256-{digest(normal(one))[:12]}"


def normal(said: Any) -> Any:
    """Return a policy, or a part of one, in a form that is the same for all texts that AWS takes for the same.

    A list of one is its value, and the order within a list decides nothing. Source: IAM User Guide, "Grammar of the
    IAM JSON policy language".
    """
    if isinstance(said, Mapping):
        return {str(key): normal(value) for key, value in said.items()}
    if isinstance(said, list):
        parts = sorted((normal(one) for one in said), key=canonical)
        return parts[0] if len(parts) == 1 else parts
    return said


def same(one: Policy, other: Policy) -> bool:
    """Tell whether two policies say the same."""
    return bool(normal(one) == normal(other))


def without(policy: Policy, names: Collection[str]) -> dict[str, Any]:
    """Return the policy without the statements of these names; empty where none is left."""
    left = [one for one in statements(policy) if called(one) not in names]
    return {**policy, "Statement": left} if left else {}


def denials(policy: Policy, action: str, resource: str) -> Iterator[tuple[str, str, str]]:
    """Yield the statements of a policy that deny ``action`` on ``resource``: name, to whom, under which condition.

    A condition is named and not evaluated: what a request would bring, nobody knows beforehand.
    """
    for one in statements(policy):
        if denies(one, action, resource):
            yield called(one), _whom(one), ", ".join(_conditions(one))


def denies(one: Statement, action: str, resource: str) -> bool:
    """Tell whether a statement denies ``action`` on ``resource``, to whomever and under whatever condition."""
    hits = _hits(one, "Action", action, re.IGNORECASE) and _hits(one, "Resource", resource)
    return one.get("Effect") == "Deny" and hits


def places(settings: ReadSettings, on_object: bool) -> list[str]:
    """Return the resources that a need is about: an object below each of our prefixes, or the bucket."""
    bucket = f"arn:aws:s3:::{settings.backup_bucket}"
    prefixes = [one for one in (settings.backup_prefix, settings.continuous_prefix) if one is not None]
    return [f"{bucket}/{prefix}{NOBODYS}" for prefix in prefixes] if on_object else [bucket]


def parted(policy: Policy, settings: ReadSettings) -> list[dict[str, Any]]:
    """Return a row per statement that denies: its name, to whom, what, and what of our needs (``shuts_out``).

    ``protects`` says why it is no denial that anybody takes out to let backups in again; "" for one that may be.
    ``alike`` counts the statements of that name: two by one name cannot be told apart.
    """
    names = Counter(called(one) for one in statements(policy))
    return [_row(one, settings, names[called(one)]) for one in statements(policy) if one.get("Effect") == "Deny"]


def _row(one: Statement, settings: ReadSettings, alike: int) -> dict[str, Any]:
    out = [
        need
        for need, actions, on_object in NEEDS
        if any(denies(one, action, place) for action in actions for place in places(settings, on_object))
    ]
    keys = _conditions(one)
    purpose = next((why for key in keys for begins, why in PROTECTING if _key(key).startswith(begins)), "")
    return {
        "statement": called(one),
        "to": _whom(one),
        "actions": _said(one, "Action"),
        "resources": _said(one, "Resource"),
        "condition": ", ".join(keys),
        "shuts_out": ", ".join(out),
        "protects": purpose or ("" if out else "it denies nothing that a backup needs"),
        "alike": alike,
    }


def _said(one: Statement, word: str) -> str:
    names = ", ".join(map(str, _list(one.get(word, one.get(f"Not{word}", "*")))))
    return names if word in one else f"all but {names}"


def _conditions(one: Statement) -> list[str]:
    return [f"{kind} {key}" for kind, about in (one.get("Condition") or {}).items() for key in about]


def _key(condition: str) -> str:
    return condition.partition(" ")[2].lower()


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
    return EVERYBODY if "*" in named else ", ".join(map(str, named))


def _list(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


policy = Probe(
    "backup-policy",
    "What the bucket's policy denies, statement by statement",
    lambda target: parted(held(target).policy, target.settings),
    source="GetBucketPolicy",
)
"""A row per statement that denies: ``statement`` (its name), to whom, what, under which condition.

``shuts_out``: of what a backup needs; ``protects``: why it stays.
"""
