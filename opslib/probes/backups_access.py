"""Whether the bucket's own policy shuts out those who back up and restore, and whether a look is really refused.

Source: IAM User Guide, "Policy evaluation logic": an explicit Deny beats every Allow, also an administrator's; S3 API
Reference, GetBucketPolicy. Whether writing is refused is read and not tried: a look writes nothing.
"""

from __future__ import annotations

from typing import Any

from opslib.model import Probe
from opslib.probes.backups_policy import EVERYBODY, NEEDS, NOBODYS, REFUSED, Held, denials, held, places
from opslib.systems.object_store import Missing, StoreError
from opslib.systems.target import ReadTarget


def _access(target: ReadTarget) -> list[dict[str, Any]]:
    said = held(target)
    return [_need(target, said, *need) for need in NEEDS]


def _need(target: ReadTarget, said: Held, need: str, actions: tuple[str, ...], on_object: bool) -> dict[str, Any]:
    where = places(target.settings, on_object)
    found = sorted({one for place in where for action in actions for one in denials(said.policy, action, place)})
    sure = [one for one in found if one[1] == EVERYBODY and not one[2]]
    name, whom, condition = (sure or found or [("", "", "")])[0]
    row = {"need": need, "actions": ", ".join(actions), "denied_by": name, "to": whom, "condition": condition}
    return row | {"refused": _refused(target, need), "unread": said.unread}


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
