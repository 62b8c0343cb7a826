"""A PostgreSQL of its own for a queue, workers as processes, and notebooks that are small."""

import json
import os
import secrets
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

from opslib.errors import OpsError
from opslib.headless.worker import Running
from opslib.lab.accounts import own, server_account
from opslib.lab.database import find_pg_bin, run
from opslib.lab.processes import await_ready, free_port, launch, listens, stop
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres import connect
from tests.headless import bench

OPS = Path(sys.executable).with_name("ops")
CHECK = """from opslib.model import Check, Judgement, Probe, Verdict
run.check(Check("cache.words", "Words", Probe("cache.words", "Words", lambda t: [{"n": 1}]),
          lambda r: Judgement(Verdict.OK, "counted"), "Count again."))"""


class Server:
    """A small PostgreSQL that can be stopped and started again on its port; ``options`` go over its own."""

    def __init__(self, folder, options=()):
        self.folder, self.trace, self.options = folder, None, options
        self.account, self.bin = server_account(), find_pg_bin()
        self.port, self.password = free_port(set()), secrets.token_hex(12)
        folder.mkdir()
        folder.chmod(0o711)
        (folder / "password").write_text(self.password)
        own(folder, self.account)
        options = ["-U", "postgres", "--auth=scram-sha-256", "--no-sync", f"--pwfile={folder / 'password'}"]
        run([str(self.bin / "initdb"), "-D", str(folder / "data"), *options], self.account, folder)

    @property
    def url(self):
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/postgres"

    def up(self):
        own_options = ["-c", "fsync=off", "-c", f"port={self.port}", "-c", "listen_addresses=127.0.0.1"]
        own_options += ["-c", "unix_socket_directories=", "-c", "max_connections=60", "-c", "shared_buffers=16MB"]
        own_options += [part for option in self.options for part in ("-c", option)]
        log = self.folder / "server.log"
        command = [str(self.bin / "postgres"), "-D", str(self.folder / "data"), *own_options]
        self.trace = launch(command, log, folder=self.folder, account=self.account)
        await_ready(self.trace, lambda: listens(self.trace, self.port) and self._answers(), "queue", log)

    def down(self):
        stop(self.trace, signal.SIGINT)

    def session(self):
        return connect(DatabaseUrl(self.url), "opslib:test")

    def _answers(self):
        with suppress(OpsError):
            self.session().close()
            return True
        return False


@contextmanager
def server(folder, options=()):
    """Such a server, running."""
    one = Server(folder, options)
    try:
        one.up()
        yield one
    finally:
        one.down()


def fork_worker(url, archive, log, **more):
    """Fork a worker of the lab's runs and return its process's id: what it imports is there. It says to ``log``."""
    if child := os.fork():
        return child
    code = 70
    try:
        with log.open("ab") as said:
            os.dup2(said.fileno(), 2)
        Running(DatabaseUrl(url), archive, ("lab",), silent=3, **more).run()
        code = 0
    finally:
        os._exit(code)


def wipe(session):
    """Take all of a queue out of its database."""
    session.execute("DROP SCHEMA IF EXISTS opslib_queue CASCADE")
    session.execute("DROP SCHEMA public CASCADE")
    session.execute("CREATE SCHEMA public")


class Here:
    """A folder with notebooks and an archive of the test's own, a queue, and the environment that names them."""

    def __init__(self, folder, lab, server):
        self.folder, self.archive, self.server, self.workers = folder, folder / "archive", server, []
        places = {
            "OPS_ARCHIVE": self.archive,
            "OPS_LAB": lab,
            "OPS_NOTEBOOKS": folder / "notebooks",
            "OPS_SCHEDULES": folder / "schedules.toml",
            "OPS_LOCKS": folder / "locks",
            "OPS_QUEUE_URL": server.url,
        }
        self.environment = {**os.environ, **{name: str(path) for name, path in places.items()}}

    def notebook(self, *sources, finish="run.finish()"):
        return bench.notebook(self.folder / "notebooks", *sources, finish=finish)

    def empty(self):
        """Take out what earlier tests left in the queue."""
        with self.server.session() as session:
            wipe(session)

    def ops(self, *arguments, timeout=120, **more):
        done = subprocess.run(
            [OPS, *arguments], env=self.environment | more, capture_output=True, text=True, timeout=timeout
        )
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments, **more):
        code, out, err = self.ops(*arguments, "--json", **more)
        assert out, err
        return code, json.loads(out)

    def worker(self, *arguments):
        log = (self.folder / f"worker-{len(self.workers)}.log").open("wb")
        one = subprocess.Popen(
            [OPS, "worker", "--silent-seconds", "3", *arguments], env=self.environment, stdout=log, stderr=log
        )
        log.close()
        self.workers.append(one)
        return one

    def rows(self):
        """The ledger as the database holds it, first asked first."""
        with self.server.session() as session:
            return session.execute("SELECT * FROM opslib_queue.asked ORDER BY asked_at, key").fetchall()

    def logs(self):
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("worker-*.log")))

    def runs(self):
        """The archive's runs: run.json and result.json of each, by id; only of what was sealed."""
        found = {}
        for folder in sorted((self.archive / "runs").iterdir()):
            if (folder / "MANIFEST.sha256").is_file():
                said = [json.loads((folder / name).read_text()) for name in ("run.json", "result.json")]
                found[folder.name] = tuple(said)
        return found

    def close(self):
        for one in self.workers:
            if one.poll() is None:
                one.kill()
            one.wait(30)
