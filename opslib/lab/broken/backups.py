"""What breaks around the lab's backups: a bucket that may be opened to all, a rule that deletes backups too early."""

from __future__ import annotations

from typing import Any

from opslib.lab.broken import Fault
from opslib.lab.cloud import PRIVATE, client, lifecycle
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


def stop_automatic(settings: Settings) -> None:
    """Let Supabase's own backups fail for three days."""
    _automatic(settings, [["FAILED", 0.3], ["FAILED", 1.3], ["FAILED", 2.3], ["COMPLETED", 3.3]])


def restart_automatic(settings: Settings) -> None:
    """Let them be whole, one a day."""
    _automatic(settings, [["COMPLETED", 0.3 + day] for day in range(7)])


def _automatic(settings: Settings, taken: list[list[object]]) -> None:
    doors = Doors(settings)
    doors.put(supabase={**doors.state()["supabase"], "backups": taken})


def _rule(settings: Settings, days: int | None) -> None:
    said = lifecycle() if days is None else lifecycle(days)
    _store(settings).put_bucket_lifecycle_configuration(Bucket=settings.backup_bucket, LifecycleConfiguration=said)


def _store(settings: Settings) -> Any:
    return client(settings, "s3")


FAULTS = (
    Fault(
        "automatic-backups-fail",
        "backups",
        "Supabase's own backups have failed for three days.",
        "backup-automatic",
        "runbooks/back-up-database",
        stop_automatic,
        restart_automatic,
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
)
