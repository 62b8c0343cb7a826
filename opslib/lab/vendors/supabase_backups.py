"""Supabase's own backups, as its Management API tells of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

DAY = 86_400


def automatic(taken: Sequence[tuple[str, float]], point_in_time: bool) -> dict[str, Any]:
    """Return what the API says of backups ``taken`` (status, age in days), and of recovery to any moment."""
    now = time.time()
    backups = [
        {
            "id": 90_000 - number,
            "is_physical_backup": point_in_time,
            "status": status,
            "inserted_at": datetime.fromtimestamp(now - days * DAY, UTC).isoformat(),
        }
        for number, (status, days) in enumerate(taken)
    ]
    window = {
        "earliest_physical_backup_date_unix": int(now - 7 * DAY),
        "latest_physical_backup_date_unix": int(now - 120),
    }
    return {
        "region": "us-east-1",
        "walg_enabled": point_in_time,
        "pitr_enabled": point_in_time,
        "backups": backups,
        "physical_backup_data": window if point_in_time else {},
    }
