"""A PostgreSQL of a test's own and its standby: made in a second, killed without mercy, promoted."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

import psutil

from opslib.errors import OpsError
from opslib.lab.accounts import own, server_account
from opslib.lab.database import find_pg_bin, run
from opslib.lab.processes import await_ready, free_port, launch, listens, stop
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres import connect

PASSWORD = "of-a-cluster-1"
SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    # What a kill of the processes loses is measured here; a crash of the machine is not.
    "fsync=off",
    "wal_level=replica",
    "hot_standby=on",
    "shared_buffers=32MB",
    "max_connections=40",
    "wal_writer_delay=200ms",
)


class Cluster:
    """One server; :meth:`follow` makes its standby."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.data = folder / name
        self.port = free_port(set())
        self._account, self._bin, self._trace = server_account(), find_pg_bin(), None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self._trace, signal.SIGQUIT)

    def create(self):
        """Make an empty server and start it."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        own(self.folder, self._account)
        options = ["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={secret}"]
        self._run("initdb", "-D", str(self.data), "-U", "postgres", *options)
        return self.start()

    def follow(self, primary, *, synchronous=False):
        """Make a copy of ``primary`` and start it as its standby; synchronous: commits wait for it."""
        passwords = self.folder / "passwords"
        passwords.write_text(f"*:*:*:postgres:{PASSWORD}\n")
        passwords.chmod(0o600)
        own(self.folder, self._account)
        where = f"host=127.0.0.1 port={primary.port} user=postgres passfile={passwords} application_name=follower"
        self._run("pg_basebackup", "-D", str(self.data), "-d", where, "-R", "-c", "fast", "--no-sync", "-X", "stream")
        self.start()
        with primary.session() as session:
            session.execute("ALTER SYSTEM SET synchronous_standby_names = %s" % ("'follower'" if synchronous else "''"))
            session.execute("SELECT pg_reload_conf()")
            wanted = "sync" if synchronous else "async"
            asked = f"SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '{wanted}'"
            end = time.monotonic() + 20
            while not session.execute(asked).fetchall():
                assert time.monotonic() < end, "the standby does not follow"
                time.sleep(0.02)
        return self

    def start(self, answers=None):
        """Start the server and wait until it answers, by ``answers`` where it lets no usual session in."""
        log = self.folder / f"{self.name}.log"
        options = [word for setting in (*SETTINGS, f"port={self.port}") for word in ("-c", setting)]
        command = [str(self._bin / "postgres"), "-D", str(self.data), *options]
        self._trace = launch(command, log, folder=self.folder, account=self._account)
        await_ready(
            self._trace, lambda: listens(self._trace, self.port) and (answers or self._answers)(), self.name, log
        )
        return self

    def kill(self):
        """Kill every process of the server at once, as a machine that dies does."""
        main = psutil.Process(self._trace.pid)
        main.suspend()
        processes = [main, *main.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        # Who is started again in its place must not find it there.
        assert psutil.wait_procs(processes, timeout=20)[1] == []

    def promote(self):
        """Make the standby a primary; returns the seconds until it takes a write."""
        started = time.monotonic()
        with self.session() as session:
            assert session.execute("SELECT pg_promote(true, 20) AS done").fetchone()["done"]
        return time.monotonic() - started

    def url(self, database="postgres", port=None):
        """Return its address, through another port if one is given."""
        return DatabaseUrl(f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port or self.port}/{database}")

    def session(self, database="postgres"):
        """Open an autocommit session as superuser; the caller closes it."""
        return connect(self.url(database), "opslib:test")

    def _answers(self):
        with suppress(OpsError):
            self.session().close()
            return True
        return False

    def _run(self, program, *arguments):
        run([str(self._bin / program), *arguments], self._account, self.folder)
