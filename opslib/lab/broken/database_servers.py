"""What breaks between the lab's two PostgreSQL: one is gone or silent, both take writes, the log gets nowhere."""

from __future__ import annotations

import base64

from psycopg import sql

from opslib.lab import wal
from opslib.lab.broken import Fault
from opslib.lab.broken.parts import folder, freeze, kill, pair, thaw
from opslib.lab.cloud import Cloud
from opslib.lab.cluster.planted import API_ENVIRONMENT, NAMESPACE
from opslib.lab.continuous import forget_newer, timeline
from opslib.lab.database import Database
from opslib.lab.doors import Doors
from opslib.lab.processes import stop
from opslib.lab.production import API_SECRETS, NAMES
from opslib.lab.rejoin import caught_up, is_former, remake, switch_back
from opslib.lab.supervisor import Lab
from opslib.model import Verdict
from opslib.settings import Settings
from opslib.systems.postgres import connect

AREA = "database"
RECOVERS = "disaster/recover-database"


def kill_primary(settings: Settings) -> None:
    """Kill the primary's processes at once; its data folder stays."""
    kill(pair(settings)[0].trace)


def revive_primary(settings: Settings) -> None:
    """Start it again; where the standby was promoted meanwhile, as its standby first, and then both change back."""
    if not settings.standbys:
        return
    primary, standby = pair(settings)
    thaw(primary.trace)
    if standby.fenced and standby.promoted:
        _lose_standby(settings)
    elif standby.promoted:
        switch_back(primary, standby)
    _as_at_first(settings)


def freeze_primary(settings: Settings) -> None:
    """Stop the primary's processes without ending them, as a machine does whose disk hangs."""
    freeze(pair(settings)[0].trace)


def split(settings: Settings) -> None:
    """Promote the standby while the primary takes writes."""
    standby = pair(settings)[1]
    if standby.follows:
        with standby.session("postgres") as session:
            session.execute("SELECT pg_promote(true, 20)")


def unite(settings: Settings) -> None:
    """Make the standby anew from the primary; what it took as a primary is lost, in the kept log as well.

    A recovery follows the newest timeline of the kept log: it would end on the one that nobody goes on with.
    """
    if not settings.standbys:
        return
    primary, standby = pair(settings)
    if is_former(primary, standby) and not primary.fenced:
        _lose_standby(settings)
    revive_primary(settings)


def _lose_standby(settings: Settings) -> None:
    primary, standby = pair(settings)
    stop(standby.entry.trace, standby.polite)  # it keeps what it has left of its log, before it ends
    standby.unfence()
    forget_newer(Cloud(primary.state, primary.passwords), timeline(primary))
    remake(standby)


def _as_at_first(settings: Settings) -> None:
    """Take away what a failover, whole or broken off, leaves besides the servers' roles."""
    for server in pair(settings):
        server.unfence()
    Lab(folder(settings)).up()
    for server in pair(settings):
        with server.session("postgres") as session:
            for name in ("session_preload_libraries", "default_transaction_read_only", "synchronous_standby_names"):
                session.execute(sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(name)))
            session.execute("SELECT pg_reload_conf()")
    lead(settings, Database.name)


def lead(settings: Settings, server: str) -> None:
    """Let the application's pods, without starting them anew, be led to one of the lab's servers."""
    url = API_SECRETS["DATABASE_URL"].replace(NAMES[Database.name], NAMES[server])
    doors = Doors(settings, cluster=True)
    state = doors.state()["kubernetes"]
    held = state["objects"]["secrets"][f"{NAMESPACE}/{API_ENVIRONMENT}"]["data"]
    coded = base64.b64encode(url.encode()).decode()
    if held["DATABASE_URL"] != coded:
        held["DATABASE_URL"] = coded
        for given in state["environment"].values():
            given |= {"DATABASE_URL": url} if "DATABASE_URL" in given else {}
        doors.put(kubernetes=state)


def pause(settings: Settings) -> None:
    """Let the standby receive, and replay nothing any more."""
    with pair(settings)[1].session("postgres") as session:
        session.execute("SELECT pg_wal_replay_pause()")


def resume(settings: Settings) -> None:
    """Let it replay again."""
    if settings.standbys:
        with pair(settings)[1].session("postgres") as session:
            session.execute("SELECT pg_wal_replay_resume()")


def cut_off(settings: Settings) -> None:
    """Take the replication role's log-in away and end its session, as a rotation that forgot the standby does."""
    with pair(settings)[0].session("postgres") as session:
        session.execute("ALTER ROLE replicator NOLOGIN")
        session.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_replication")


def let_in(settings: Settings) -> None:
    """Give it back, and wait until the standby knows of it: promoted before, it would let nobody follow it."""
    if not settings.standbys:
        return
    primary, standby = pair(settings)
    with primary.session("postgres") as session:
        session.execute("ALTER ROLE replicator LOGIN")
    if standby.running and standby.follows:
        caught_up(standby, primary)


def lose_way(settings: Settings) -> None:
    """Let the server forget where its log is kept: keeping a piece fails from now on."""
    primary, _ = pair(settings)
    file = primary.state.folder / wal.FILE
    if file.is_file():
        file.rename(file.with_suffix(".away"))
    full_piece(settings)


def find_way(settings: Settings) -> None:
    """Let it know again; what waits is kept at once."""
    if not settings.standbys:
        return
    file = folder(settings) / wal.FILE
    if file.with_suffix(".away").is_file():
        file.with_suffix(".away").rename(file)
        full_piece(settings)


def full_piece(settings: Settings) -> None:
    """Give the server a whole piece of its log to keep, now."""
    # A new piece wakes the archiver, which waits for a minute after three failures.
    with connect(settings.database_url, "lab") as database:
        database.execute("SELECT pg_logical_emit_message(false, 'lab', 'so that there is something to keep')")
        database.execute("SELECT pg_switch_wal()")


FAULTS = (
    Fault(
        "primary-killed",
        AREA,
        "The primary's processes were killed; the standby is there.",
        "database-servers",
        RECOVERS,
        kill_primary,
        revive_primary,
        standby=True,
    ),
    Fault(
        "primary-frozen",
        AREA,
        "The primary takes connections and answers nothing; nor does its standby hear it.",
        "database-servers",
        RECOVERS,
        freeze_primary,
        revive_primary,
        standby=True,
    ),
    Fault(
        "split-brain",
        AREA,
        "The standby was promoted while the primary goes on: both take writes.",
        "database-servers",
        RECOVERS,
        split,
        unite,
        standby=True,
    ),
    Fault(
        "replay-paused",
        AREA,
        "The standby receives everything and replays nothing.",
        "database-servers",
        RECOVERS,
        pause,
        resume,
        Verdict.WARNING,
        standby=True,
    ),
    Fault(
        "standby-cut-off",
        AREA,
        "The replication role may not log in any more: the standby receives nothing.",
        "database-servers",
        "disaster/recover-access",
        cut_off,
        let_in,
        standby=True,
    ),
    Fault(
        "log-not-kept",
        AREA,
        "Keeping the write-ahead log fails: point-in-time recovery ends here.",
        "database-log-kept",
        "",
        lose_way,
        find_way,
        standby=True,
        person="what archive_command needs (a credential, a bucket, room) stands on the server itself",
    ),
)
