"""What breaks around the lab's backups: a bucket that may be opened to all or lets nobody in, a rule that
deletes backups too early; and the backups themselves (:mod:`opslib.lab.broken.backups_objects`).
"""

from __future__ import annotations

import json
from typing import Any

from opslib.lab.broken import Fault
from opslib.lab.broken.backups_objects import find_again, go_on, lose_dumps, lose_proofs, stop
from opslib.lab.cloud import PRIVATE, client, lifecycle, owner
from opslib.lab.doors import Doors
from opslib.settings import Settings


def open_bucket(settings: Settings) -> None:
    """Take the block of public access off the bucket of backups."""
    _store(settings).delete_public_access_block(Bucket=settings.backup_bucket)


def close_bucket(settings: Settings) -> None:
    """Put it back on."""
    _store(settings).put_public_access_block(
        Bucket=settings.backup_bucket, PublicAccessBlockConfiguration=dict.fromkeys(PRIVATE, True)
    )


def forget_soon(settings: Settings) -> None:
    """Let the bucket's own rule delete backups after three days."""
    _rule(settings, 3)


def keep(settings: Settings) -> None:
    """Bring back the lab's rule."""
    _rule(settings, None)


def shut_out(settings: Settings) -> None:
    """Let the bucket's policy deny everybody to write and read objects, as a hasty answer to a break-in does."""
    _deny(settings, "NobodyUntilReviewed", "s3:PutObject", "s3:GetObject", "s3:GetObjectVersion")


def take_nothing(settings: Settings) -> None:
    """Let it deny everybody to write, since yesterday: no backup has arrived since."""
    stop(settings)
    _deny(settings, "NothingNewUntilReviewed", "s3:PutObject")


def take_again(settings: Settings) -> None:
    """Take the policy away, and let the backups be as old as they are."""
    let_in(settings)
    go_on(settings)


def let_in(settings: Settings) -> None:
    """Take the policy away; a lab's bucket has none."""
    owner(settings).delete_bucket_policy(Bucket=settings.backup_bucket)


def stop_automatic(settings: Settings) -> None:
    """Let Supabase's own backups fail for three days."""
    _automatic(settings, [["FAILED", 0.3], ["FAILED", 1.3], ["FAILED", 2.3], ["COMPLETED", 3.3]])


def restart_automatic(settings: Settings) -> None:
    """Let them be whole, one a day."""
    _automatic(settings, [["COMPLETED", 0.3 + day] for day in range(7)])


def _deny(settings: Settings, name: str, *actions: str) -> None:
    everything = f"arn:aws:s3:::{settings.backup_bucket}/*"
    said = {"Sid": name, "Effect": "Deny", "Principal": "*", "Action": actions, "Resource": everything}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [said]})
    owner(settings).put_bucket_policy(Bucket=settings.backup_bucket, Policy=policy)


def _automatic(settings: Settings, taken: list[list[object]]) -> None:
    doors = Doors(settings)
    doors.put(supabase={**doors.state()["supabase"], "backups": taken})


def _rule(settings: Settings, days: int | None) -> None:
    said = lifecycle() if days is None else lifecycle(days)
    _store(settings).put_bucket_lifecycle_configuration(Bucket=settings.backup_bucket, LifecycleConfiguration=said)


def _store(settings: Settings) -> Any:
    return client(settings, "s3")


BACK_UP = "runbooks/back-up-database"
OPEN = "disaster/recover-access"
FAULTS = (
    Fault(
        "backups-stopped",
        "backups",
        "No backup was taken for 26 hours: whatever starts it has stopped.",
        "backup-freshness",
        BACK_UP,
        stop,
        go_on,
        backup=True,
    ),
    Fault(
        "backups-unproven",
        "backups",
        "The proofs of all backups are gone: nobody knows whether one can be restored.",
        "backup-freshness",
        BACK_UP,
        lose_proofs,
        find_again,
        backup=True,
    ),
    Fault(
        "backups-without-dump",
        "backups",
        "A clean-up of large files took the dumps of all backups away; their manifests and proofs are there.",
        "backup-freshness",
        BACK_UP,
        lose_dumps,
        find_again,
        backup=True,
    ),
    Fault(
        "automatic-backups-fail",
        "backups",
        "Supabase's own backups have failed for three days.",
        "backup-automatic",
        "",
        stop_automatic,
        restart_automatic,
        person="these backups are the vendor's, who has to be asked; our own are taken meanwhile",
    ),
    Fault(
        "backups-public",
        "backups",
        "Nothing keeps the bucket of backups from being made public.",
        "backup-protections",
        "",
        open_bucket,
        close_bucket,
        person="who guards the bucket must be another than who works on it from here",
    ),
    Fault(
        "backups-deleted-early",
        "backups",
        "A rule of the bucket deletes backups after three days.",
        "backup-protections",
        "",
        forget_soon,
        keep,
        person="who guards the bucket must be another than who works on it from here",
    ),
    Fault(
        "bucket-denied",
        "backups",
        "The policy of the bucket of backups denies everybody to write and read: no backup and no log arrives.",
        "backup-access",
        OPEN,
        shut_out,
        let_in,
    ),
    Fault(
        "bucket-takes-nothing",
        "backups",
        "The policy of the bucket of backups denies everybody to write, since yesterday: the newest backup is old.",
        "backup-access",
        OPEN,
        take_nothing,
        take_again,
        backup=True,
    ),
)
