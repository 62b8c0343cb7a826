"""Supabase's point-in-time recovery, really done: the database as it was once, in the place of the lab's primary.

A program of its own, ``python -P -m opslib.lab.point_in_time FOLDER SECOND``: the vendors' stand-in starts it, and what
it starts outlives both. It says ``COMING_UP`` on its standard output when the database is there again. The address, the
passwords and the system identifier stay; the timeline is the next one. What the primary's data folder was stays beside
it until the lab is taken down, and nothing leads to it.
"""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from opslib.errors import OpsError
from opslib.lab import continuous
from opslib.lab import state as states
from opslib.lab.cloud import Cloud
from opslib.lab.database import Database
from opslib.lab.processes import LabError, stop
from opslib.lab.recovery import Through, fetch_base, fetching, recovers_no_more
from opslib.lab.rejoin import is_former, remake
from opslib.lab.standby import Standby

COMING_UP = "COMING_UP"
FORMER = "data-before-"


class Recovering(Database):
    """The primary while it applies the kept log; it keeps its own meanwhile, so that the fork is known there."""

    patience = 300.0
    through: Through | None = None

    def settings(self) -> str:
        """Return what the primary's configuration says, and where the log is fetched from."""
        return super().settings() + fetching(self.state.folder, self.through)

    def ready(self) -> bool:
        """Tell whether it has come to the moment."""
        return super().ready() and recovers_no_more(self)


def recover(folder: Path, second: int) -> None:
    """Bring the primary of the lab in ``folder`` to ``second`` (Unix time), and let the standby follow it.

    Raises LabError where there is no base backup before it, or the kept log does not reach it; the primary is then
    what it was.
    """
    with states.locked(folder):
        state, passwords = states.read(folder), states.passwords(folder)
        if state is None or not state.standby:
            raise LabError("There is no lab that keeps its log.", "Start one with a standby: ops lab up")
        primary, cloud = Recovering(state, passwords), Cloud(state, passwords)
        standby = Standby(state, passwords, primary)
        if is_former(primary, standby):
            raise LabError("The standby was promoted: bring both servers back first.", "ops lab mend primary-killed")
        primary.through = Through(datetime.fromtimestamp(second, UTC))
        fetched = primary.folder / "data-recovered"
        fetch_base(primary, cloud, primary.through.moment, fetched)
        stop(primary.entry.trace, primary.polite)  # in order, so that it keeps the last of its log
        _exchange(primary, fetched)
        print(COMING_UP, flush=True)
        plain = Database(state, passwords)
        plain.configure()
        # Nothing of the log from before the fork leads on from here.
        continuous.take_base(cloud.client("s3"), plain)
        remake(Standby(state, passwords, plain))
        state.save()


def _exchange(primary: Recovering, fetched: Path) -> None:
    former = primary.folder / f"{FORMER}{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    primary.data.rename(former)
    fetched.rename(primary.data)
    try:
        primary.up()
    except BaseException:
        stop(primary.entry.trace, primary.polite)
        shutil.rmtree(primary.data)
        former.rename(primary.data)
        Database(primary.state, primary.passwords).up()
        raise


def main(arguments: list[str]) -> int:
    """Recover and return the exit code: 0 done, 1 not done, with the reason on standard error."""
    folder, second = arguments
    try:
        recover(Path(folder), int(second))
    except OpsError as error:
        print(f"opslib.lab.point_in_time: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
