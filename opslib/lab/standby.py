"""The lab's second PostgreSQL: copied from the first, streaming from it through a slot of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opslib.lab import wal
from opslib.lab.accounts import Account, own
from opslib.lab.database import Database, Server, find_pg_bin, run
from opslib.lab.processes import LabError, stop
from opslib.lab.state import State

if TYPE_CHECKING:
    import psycopg

SLOT = "standby"
DROP = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s"
STREAMS = "select 1 from pg_stat_replication where application_name = %s and state = 'streaming'"
KEEPS = "select 1 from pg_replication_slots where slot_name = %s and wal_status in ('reserved', 'extended')"
FOLLOWS_SECONDS = 20.0


class Standby(Server):
    """A standby of the lab's database; once promoted, a primary like any other."""

    name = "standby"
    what = "PostgreSQL, streams from the first"

    def __init__(
        self, state: State, passwords: Mapping[str, str], primary: Database, account: Account | None = None
    ) -> None:
        super().__init__(state, passwords, account)
        self._primary = primary

    @property
    def follows(self) -> bool:
        """Whether the data folder is a standby's; not any more, once it was promoted."""
        return (self.data / "standby.signal").is_file()

    @property
    def promoted(self) -> bool:
        """Whether there is a data folder, and it is a primary's."""
        return (self.data / "PG_VERSION").is_file() and not self.follows

    def settings(self) -> str:
        """Return what makes it keep its own log, from the moment at which it is promoted."""
        return wal.settings(self.state.folder, kept=True)

    def make(self) -> None:
        """Copy the primary, with all that is needed to follow it."""
        with self._primary.session("postgres") as session:
            _slot(session)
        where = self._primary.source(self.folder, SLOT)
        own(self.folder, self.account())
        copy = ["-D", str(self.data), "-d", where, "-R", "-S", SLOT, "-X", "stream", "-c", "fast", "--no-sync"]
        try:
            run([str(find_pg_bin() / "pg_basebackup"), *copy], self.account(), self.folder)
        except LabError:
            shutil.rmtree(self.data, ignore_errors=True)
            raise

    def up(self) -> None:
        """Start it, and copy the primary anew where it can't follow it any more (another port, a lost slot)."""
        super().up()
        if self.follows and not self._streams():
            stop(self.entry.trace, self.polite)
            self.discard()
            self.entry.filled = False
            super().up()
            if not self._streams():
                raise LabError(f"The standby does not follow the primary. See {self.log}.")

    def _streams(self) -> bool:
        end = time.monotonic() + FOLLOWS_SECONDS
        with self._primary.session("postgres") as session:
            while not session.execute(STREAMS, (SLOT,)).fetchall():
                slot = session.execute(KEEPS, (SLOT,)).fetchall()
                if not slot or time.monotonic() > end or not self.running:
                    return False
                time.sleep(0.02)
            # It knows how old its last commit is once it has replayed one.
            session.execute("select pg_current_xact_id()")
        return True


def _slot(session: psycopg.Connection[dict[str, Any]]) -> None:
    # One that is lost (max_slot_wal_keep_size) keeps nothing any more and can't be used again.
    session.execute(DROP, (SLOT,))
    session.execute("select pg_create_physical_replication_slot(%s, true)", (SLOT,))
