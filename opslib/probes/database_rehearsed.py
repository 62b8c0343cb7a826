"""Whether each pending migration was rehearsed on a restored copy: by the records that the rehearsals left here.

The records lie in the state folder of the executor's user, so the executor looks. On another machine there are none.
"""

from __future__ import annotations

from typing import Any

from opslib.model import Probe
from opslib.probes import database_rehearsals as rehearsals
from opslib.probes.database_migration_standing import PENDING
from opslib.probes.database_migrations import standing
from opslib.systems.target import PlanTarget


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    found = standing(target)
    files = [one.file for one in found.versions if one.state == PENDING and one.file is not None]
    place = target.environment, target.settings.read_database_url.public
    records = rehearsals.found(*place, found.applied, files, found.folder)
    return [
        {
            "version": file.version,
            "name": file.name,
            "rehearsed_at": record.rehearsed_at.isoformat() if record else None,
            "run": record.run if record else "",
            "seconds": record.seconds if record else None,
            "way_back": record.way_back if record else "",
        }
        for file, record in zip(files, records, strict=True)
    ]


rehearsed = Probe(
    "database-migrations-rehearsed",
    "The rehearsals of the pending migrations",
    _read,
    source="the migrations' folder, supabase_migrations.schema_migrations; records of rehearsals on this machine",
    units={"seconds": "s"},
    by_executor=True,
)
"""A row per pending migration, in order; ``rehearsed_at`` is None where nothing rehearsed exactly this one."""
