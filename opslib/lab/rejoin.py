"""Bring the lab's former primary back as a standby of the one that was promoted in its place.

Started as it is, it would be a second primary: both would take writes, and what one of them took would be lost later.
"""

from __future__ import annotations

import time

from opslib.lab.database import Database, Server, find_pg_bin, run
from opslib.lab.processes import LabError, stop
from opslib.lab.standby import DROP, Standby

SLOT = "former_primary"
CAUGHT_UP_SECONDS = 30.0


def is_former(primary: Database, standby: Standby) -> bool:
    """Tell whether the standby was promoted and the primary's data folder does not know it yet."""
    return standby.promoted and not (primary.data / "standby.signal").is_file()


def rejoin(primary: Database, standby: Standby) -> None:
    """Rewind the former primary onto the promoted standby and start it as a standby of it.

    What it alone had committed is gone then. Raises LabError where nothing was promoted, or the rewind is impossible.
    """
    if not is_former(primary, standby):
        raise LabError("The standby was not promoted: nothing is to be rejoined.")
    follow(primary, standby)


def follow(former: Server, upstream: Server) -> None:
    """Let a server that was a primary follow another one: rewound, or copied anew where that is impossible.

    A fenced one is started again by it. What it alone had committed is gone then. Raises LabError.
    """
    stop(former.entry.trace, former.polite)
    slot = former.name if isinstance(former, Standby) else SLOT
    with upstream.session("postgres") as session:
        # Else the rewind reads from its control file that it is still on the old timeline.
        session.execute("checkpoint")
        if not session.execute("select 1 from pg_replication_slots where slot_name = %s", (slot,)).fetchall():
            session.execute("select pg_create_physical_replication_slot(%s, true)", (slot,))
    _unbar(former)
    try:
        _rewind(former, upstream, slot)
    except LabError:
        # A rewind that broke off leaves a folder that no other can go on with; and one that went well needs the log
        # since the two parted, which the other server may not have any more.
        stop(former.entry.trace, former.polite)
        _copy(former, upstream, slot)


def _rewind(former: Server, upstream: Server, slot: str) -> None:
    where = upstream.source(former.folder, former.name)
    how = ["-R", "--no-sync", f"--config-file={former.configuration}", f"--source-server={where} dbname=postgres"]
    run([str(find_pg_bin() / "pg_rewind"), "-D", str(former.data), *how], former.account(), former.folder)
    _start(former, slot)


def _copy(former: Server, upstream: Server, slot: str) -> None:
    former.discard()
    where = upstream.source(former.folder, former.name)
    copy = ["-D", str(former.data), "-d", where, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    run([str(find_pg_bin() / "pg_basebackup"), *copy], former.account(), former.folder)
    _start(former, slot)


def _start(former: Server, slot: str) -> None:
    with (former.data / "postgresql.auto.conf").open("a", encoding="utf-8") as stream:
        stream.write(f"primary_slot_name = '{slot}'\n")
    former.unfence()
    former.up()


def _unbar(former: Server) -> None:
    """Take away what keeps sessions out: it ends the server that pg_rewind starts alone to replay its log, too."""
    file = former.data / "postgresql.auto.conf"
    if file.is_file():
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        # Written in place: the file is the server's account's own.
        with file.open("w", encoding="utf-8") as stream:
            stream.writelines(line for line in lines if not line.startswith("session_preload_libraries"))


def switch_back(primary: Database, standby: Standby) -> None:
    """Bring the lab's servers back into their first roles: the former primary follows, catches up and takes over.

    Nothing that was committed on the promoted standby is lost. A split brain is ended by it as well; what the former
    primary alone had committed is lost then.
    """
    if is_former(primary, standby):
        rejoin(primary, standby)
    # A server that is shut down in order sends all that it has to whoever follows it, before it ends.
    caught_up(primary, standby)
    stop(standby.entry.trace, standby.polite)
    with primary.session("postgres") as session:
        session.execute("select pg_promote(true, 20)")
        session.execute(DROP, (SLOT,))
    remake(standby)


def remake(standby: Standby) -> None:
    """Make the standby anew from the primary."""
    stop(standby.entry.trace, standby.polite)
    standby.discard()
    standby.entry.filled = False
    standby.up()


def caught_up(follower: Server, upstream: Server) -> None:
    """Wait until the follower has replayed all that the server has which it follows. Raises LabError in the end."""
    asked = "select 1 from pg_stat_replication where application_name = %s and replay_lsn >= pg_current_wal_lsn()"
    end = time.monotonic() + CAUGHT_UP_SECONDS
    with upstream.session("postgres") as session:
        while not session.execute(asked, (follower.name,)).fetchall():
            if time.monotonic() > end:
                raise LabError(f"The {follower.name} does not catch up with the {upstream.name}. See {follower.log}.")
            time.sleep(0.05)
