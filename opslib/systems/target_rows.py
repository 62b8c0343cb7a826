"""A target's handles on whole tables: of the live database, and of a copy recovered to an earlier moment beside it."""

from __future__ import annotations

from functools import cached_property

from opslib import systems
from opslib.errors import Unreachable
from opslib.settings import Settings


class RowLooking:
    """What the executor also looks at; neither handle can write."""

    run: str
    _whole: Settings

    @cached_property
    def rows(self) -> systems.postgres_rows.RowSight:
        """Every row of the live database."""
        return systems.postgres_rows.RowSight(self._whole.database_url, f"opslib:{self.run}")

    @cached_property
    def recovered(self) -> systems.postgres_rows.RowSight:
        """Every row of the recovered copy; raises Unreachable where none is described."""
        if self._whole.recovered_database_url is None:
            raise Unreachable(
                "No recovered copy of the database is described.",
                "Let the vendor, or who keeps the log, recover one beside it; set OPS_RECOVERED_DATABASE_URL "
                "(in the lab: ops lab recover --before MOMENT).",
                "missing",
            )
        return systems.postgres_rows.RowSight(self._whole.recovered_database_url, f"opslib:{self.run}")
