"""What is kept elsewhere: Supabase's own backups, and the places that the guide keeps things in.

Sources: guide BAK-LOC (database in S3 and Supabase, configuration in GitHub, secrets in Secrets Manager, logs in
CloudWatch), BAK-SBC; Supabase's Management API (database/backups).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from opslib.errors import OpsError
from opslib.model import Probe, now
from opslib.systems.target import ReadTarget

BRANCH = "main"


def _automatic(target: ReadTarget) -> list[dict[str, Any]]:
    said = target.supabase.backups()
    taken = [(datetime.fromisoformat(one.at), one.status) for one in said.snapshots]
    zoned = sorted(((at if at.tzinfo else at.replace(tzinfo=UTC), status) for at, status in taken), reverse=True)
    whole = [at for at, status in zoned if status == "COMPLETED"]
    window = said.window
    return [
        {
            "project": target.supabase.ref,
            "backups": len(whole),
            "newest": whole[0].isoformat() if whole else None,
            "age_hours": _hours(whole[0]) if whole else None,
            "oldest_days": round(_hours(whole[-1]) / 24, 1) if whole else None,
            "last_status": zoned[0][1] if zoned else None,
            "point_in_time": said.point_in_time,
            "reaches_back_days": _days_ago(window.earliest),
            "behind_minutes": None if window.latest is None else round(_hours(_moment(window.latest)) * 60, 1),
        }
    ]


def _hours(at: datetime) -> float:
    return round((now() - at).total_seconds() / 3600, 2)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _days_ago(seconds: int | None) -> float | None:
    return None if seconds is None else round(_hours(_moment(seconds)) / 24, 1)


automatic = Probe(
    name="backup-automatic",
    title="Supabase's own backups",
    read=_automatic,
    source="GET /v1/projects/…/database/backups",
    units={"age_hours": "hours", "oldest_days": "days", "reaches_back_days": "days", "behind_minutes": "minutes"},
)
"""One row: how many are whole, the newest's age, how the last one ended, and the window of point-in-time recovery."""


def _places(target: ReadTarget) -> list[dict[str, Any]]:
    settings = target.settings
    asked: tuple[tuple[str, str, Callable[[ReadTarget], str | None]], ...] = (
        ("database", f"S3 {settings.backup_bucket}/{settings.backup_prefix}", _bucket),
        ("database", f"Supabase {settings.supabase_project}", lambda target: target.supabase.project().status),
        ("configuration", f"GitHub {settings.github_repository}", lambda target: target.workflows.head(BRANCH)[:12]),
        ("secrets", f"Secrets Manager {settings.vault_secret}", _secret),
        ("logs", f"CloudWatch {settings.log_group}", _group),
    )
    return [_place(target, *one) for one in asked]


def _place(target: ReadTarget, what: str, where: str, look: Callable[[ReadTarget], str | None]) -> dict[str, Any]:
    row: dict[str, Any] = {"what": what, "where": where}
    try:
        said = look(target)
    except OpsError as error:
        missing = getattr(error, "kind", "") == "missing"
        return row | {"readable": False if missing else None, "says": error.message}
    return row | {"readable": said is not None, "says": said or "is not there"}


def _bucket(target: ReadTarget) -> str:
    found = target.backups.list(target.settings.backup_prefix)
    return f"{len(found)} objects" if found else "no object yet"


def _secret(target: ReadTarget) -> str | None:
    found = target.secrets.standing(target.settings.vault_secret)
    if found is None:
        return None
    return f"{len(found.with_stage('AWSCURRENT'))} current version of {len(found.versions)}"


def _group(target: ReadTarget) -> str | None:
    found = target.logs.group(target.settings.log_group)
    return None if found is None else f"kept {found.days} days" if found.days else "kept for ever"


places = Probe(
    name="backup-places",
    title="Where the guide keeps things",
    read=_places,
    source="ListObjectsV2 · GET project · GET commits · DescribeSecret · DescribeLogGroups",
)
"""A row per place: ``readable`` is None where nobody could look. How long GitHub keeps is not asked: for ever."""


def _logs(target: ReadTarget) -> list[dict[str, Any]]:
    found = target.logs.group(target.settings.log_group)
    if found is None:
        return []
    age = None if found.newest is None else _hours(found.newest)
    return [{"group": found.name, "days": found.days, "size": found.size, "newest_hours": age}]


logs = Probe(
    name="backup-logs",
    title="The product's logs in CloudWatch",
    read=_logs,
    source="DescribeLogGroups · DescribeLogStreams",
    units={"days": "days", "size": "bytes", "newest_hours": "hours"},
)
"""One row, or none where there is no such group; ``days`` is None where it keeps for ever."""
