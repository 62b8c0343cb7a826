"""Helpers for tests on a real PostgreSQL: a schema of one's own, sessions that wait, a standby, moments."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from opslib.lab.accounts import own, server_account
from opslib.lab.database import find_pg_bin, run
from opslib.lab.processes import await_ready, free_port, launch, listens, stop
from opslib.redaction import DatabaseUrl
from opslib.systems.target import ReadTarget
from tests.waiting import until


def with_settings(lab, **changes):
    """Return a reading target of the lab with some of its settings changed."""
    return ReadTarget(lab.settings.reading().model_copy(update=changes), "test")


def as_role(lab, name, password="test-password-1", port=None):
    """Return the lab's reading address for another role, and on another port if one is given."""
    old = urlsplit(lab.settings.read_database_url.reveal())
    return DatabaseUrl(f"postgresql://{name}:{password}@{old.hostname}:{port or old.port}{old.path}")


@contextmanager
def schema(lab):
    """A session as superuser whose tables go into a schema of the test, dropped afterwards."""
    with lab.admin() as admin:
        admin.execute("DROP SCHEMA IF EXISTS workshop CASCADE")
        admin.execute("CREATE SCHEMA workshop")
        admin.execute("SET search_path = workshop")
        try:
            yield admin
        finally:
            admin.execute("DROP SCHEMA IF EXISTS workshop CASCADE")


class Waiting:
    """A statement of its own session, sent in a thread: it may wait for a lock until somebody frees it."""

    def __init__(self, lab, name, *statements):
        self.connection = lab.admin()
        self.connection.execute("SELECT set_config('application_name', %s, false)", [name])
        self.pid = self.connection.info.backend_pid
        self._statements = statements
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self):
        with suppress(Exception):
            for statement in self._statements:
                self.connection.execute(statement)

    def waits(self, admin):
        """Tell whether the server shows this session waiting for a lock."""
        asked = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        return bool(admin.execute(asked, [self.pid]).fetchall())

    def end(self):
        """Wait for the thread, then close the session."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        self.connection.close()


@contextmanager
def standby(lab, folder):
    """A real standby of the lab's server, streaming through the slot ``follower``; yields its reading target."""
    address = urlsplit(lab.settings.database_url.reveal())
    account, bin_folder, data = server_account(), find_pg_bin(), folder / "standby"
    password = folder / "password"
    password.write_text(f"*:*:*:postgres:{address.password}\n")
    password.chmod(0o600)
    own(folder, account)
    where = f"host={address.hostname} port={address.port} user=postgres passfile={password} application_name=follower"
    with lab.admin() as admin:
        admin.execute("SELECT pg_create_physical_replication_slot('follower', true)")
    trace = None
    try:
        copy = ["-D", str(data), "-d", where, "-R", "-S", "follower", "-c", "fast", "--no-sync"]
        run([str(bin_folder / "pg_basebackup"), *copy], account, folder)
        port = free_port(set())
        log = folder / "standby.log"
        configured = f"config_file={lab.folder / 'postgres' / 'postgresql.conf'}"
        command = [str(bin_folder / "postgres"), "-D", str(data), "-c", configured, "-c", f"port={port}"]
        trace = launch(command, log, folder=folder, account=account)
        url = as_role(lab, "ops_reader", urlsplit(lab.settings.read_database_url.reveal()).password, port)
        await_ready(trace, lambda: listens(trace, port) and _answers(url), "standby", log)
        target = with_settings(lab, read_database_url=url)
        yield target
        target.close()
    finally:
        stop(trace, signal.SIGINT)
        with lab.admin() as admin:
            until(lambda: admin.execute("SELECT 1 FROM pg_replication_slots WHERE NOT active").fetchall())
            admin.execute("SELECT pg_drop_replication_slot('follower')")


def _answers(url):
    from opslib.errors import OpsError
    from opslib.systems.postgres import connect

    with suppress(OpsError):
        connect(url, "opslib:test").close()
        return True
    return False
