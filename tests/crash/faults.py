"""The 24 faults of the matrix: how each is brought about for real, and that it is in force."""

import json
import os
import secrets
import signal
import subprocess

import psycopg
import pytest

from opslib.errors import OpsError
from opslib.lab.cloud import AUDIT, LEASES
from opslib.runs.locks import target_id
from opslib.systems.object_client import connect
from tests.clusters import Cluster
from tests.crash.matrix import PASSWORD, WRITER, passable, pending, prepare, ready
from tests.crash.test_ops_run import kernels
from tests.signing import APPROVER, Keys
from tests.systems.test_failover import fail_over
from tests.toxic import Forgetful, Saying, Toxic
from tests.waiting import until

LATE = ("sealing", "anchoring")


def where(port):
    """Return the address of the marks' database."""
    return f"host=127.0.0.1 port={port} user={WRITER} password={PASSWORD} dbname=postgres"


class Fault:
    """Nothing happens. ``marks`` are the systems that the run's three steps write to."""

    kernel = False
    passing = True
    """Whether it is taken back when the run comes to its closing, or to its publishing; else when the run is over."""

    marks = ("table", "cache", "web")
    seconds = 30.0

    def arrange(self, cell):
        """Set up what the fault needs, before the run is described."""

    def described(self, cell):
        """Return what of the target's description is special."""
        return {}

    def begin(self, cell):
        """Return what the struck run is asked for."""
        return cell.ask("run", at=cell.at, kernel=self.kernel)

    def strike(self, cell, pid):
        """Bring the fault about; returns the word that the waiting run hears (none: nobody is there to hear it)."""
        return "go"

    def heal(self, cell):
        """Take it back; may be called again."""

    def proof(self, cell, told):
        """Return whether the fault is known to have struck, or to have been in force."""
        return cell.struck

    def refuses(self, cell, number, told):
        """Return whether this try to go on had to be refused, and was, so that there is to be another."""
        return False

    def refusal(self, cell):
        """Return what a refusal to go on says, where one is right."""
        return "nothing to resume"

    def end(self, cell):
        """Return how often each mark is there at last."""
        return [1, 1, 1]

    def close(self, cell):
        """Clean up."""


class Kill(Fault):
    """kill -9 of the runner, its kernel, or both; when a run is sealed its kernel has ended already."""

    kernel = True

    def __init__(self, *who):
        self.who = who

    def strike(self, cell, pid):
        found = kernels(pid)
        assert len(found) == (0 if cell.at in LATE else 1)
        for victim in (found if "kernel" in self.who else []) + ([pid] if "runner" in self.who else []):
            os.kill(victim, signal.SIGKILL)
        return "" if "runner" in self.who else "go"

    def proof(self, cell, told):
        return cell.struck and (told["code"] == -9) == ("runner" in self.who)


class Signal(Fault):
    """A signal to the runner that asks it to end."""

    kernel = True

    def __init__(self, number):
        self.number = number

    def strike(self, cell, pid):
        os.kill(pid, self.number)
        until(lambda: not pending(pid))
        if cell.at not in LATE:
            until(lambda: '"event":"stopping"' in cell.journal())
        return "go"


class Inside(Fault):
    """What a process suffers by itself: no memory, an error of its disk, no room, no open file left."""

    passing = False

    def __init__(self, kind, room=0):
        self.kind, self.room = kind, room

    def arrange(self, cell):
        if self.room:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.room}", "tmpfs", str(cell.folder)])
            if done.returncode:
                pytest.skip("mounting a small file system takes root")

    def strike(self, cell, pid):
        return self.kind

    def heal(self, cell):
        (cell.folder / "ballast").unlink(missing_ok=True)

    def proof(self, cell, told):
        return bool(told["struck"])

    def close(self, cell):
        if self.room:
            subprocess.run(["umount", "-l", str(cell.folder)], check=True)


class Clock(Fault):
    """The time of day jumps."""

    marks = ("table", "store", "web")

    def __init__(self, days):
        self.days = days

    def strike(self, cell, pid):
        cell.systems.clock.write_text(str(self.days * 86400))
        return "go"

    def proof(self, cell, told):
        # What the run wrote last is days away from what it wrote first.
        last = json.loads(cell.journal().splitlines()[-1])["time"]
        return cell.at in LATE or last[:10] != cell.journal()[:200].partition('"time":"')[2][:10]

    def close(self, cell):
        cell.systems.calm()


class DatabaseDown(Fault):
    """Every process of the server is killed; it is started again before somebody goes on."""

    marks = ("table",) * 3
    down = False

    def strike(self, cell, pid):
        cell.cluster.kill()
        self.down = True
        with pytest.raises(OpsError):
            cell.cluster.session()
        return "go"

    def heal(self, cell):
        if self.down:
            cell.cluster.start()
            self.down = False


class Failover(Fault):
    """The primary dies, its standby is promoted and takes the address."""

    marks = ("table",) * 3

    def arrange(self, cell):
        folder = passable(cell.folder)
        self.pair = (Cluster(folder, "primary"), Cluster(folder, "standby"))
        prepare(self.pair[0].create())
        self.pair[1].follow(self.pair[0], synchronous=True)
        self.address = Toxic(self.pair[0].port)
        cell.cluster, cell.ports["table"] = self.pair[0], self.address.port

    def strike(self, cell, pid):
        fail_over(*self.pair, self.address)
        cell.cluster = self.pair[1]
        with pytest.raises(OpsError):
            self.pair[0].session()
        return "go"

    def close(self, cell):
        self.address.close()
        for one in self.pair:
            one.__exit__()


class LostCommit(Fault):
    """From the place on, the next COMMIT has no reply: it was carried out, never arrived, or arrives late, in turn."""

    marks = ("table",) * 3

    def arrange(self, cell):
        when = ("after", "before", "late")[cell.number % 3]
        self.proxy = Forgetful(cell.ports["table"], b"COMMIT\0", when, times=0, seconds=0.2)
        cell.ports["table"] = self.proxy.port

    def strike(self, cell, pid):
        self.proxy.times = 1
        return "go"

    def proof(self, cell, told):
        if not self.proxy.lost:
            # The run had nothing to commit any more; who has, loses the reply.
            with pytest.raises(psycopg.OperationalError), psycopg.connect(where(self.proxy.port)) as session:
                session.execute("SELECT 1")
        return self.proxy.lost == 1

    def close(self, cell):
        self.proxy.close()


def http(status, body=b"", kind="text/plain"):
    """Return the bytes of an answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def s3_error(status, code):
    """Return an answer of S3 that refuses."""
    return http(status, f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode(), "application/xml")


class Between(Fault):
    """What stands between a run and one system, from the place until the run has told its end.

    Each of ``ways``, in turn by the place, is a fault of the network, or bytes with which everything is answered.
    """

    seconds = 2.0

    def __init__(self, system, *ways):
        self.system, self.ways = system, ways
        self.marks = (system,) * 3

    def arrange(self, cell):
        self.proxy = Saying(cell.ports[self.system])
        cell.ports[self.system] = self.proxy.port

    def strike(self, cell, pid):
        way = self.ways[cell.number % len(self.ways)]
        if isinstance(way, bytes):
            self.proxy.says = way
        else:
            self.proxy.become(way, seconds=0.1)
        return "go"

    def heal(self, cell):
        self.proxy.says = b""
        self.proxy.become("pass")

    def close(self, cell):
        self.proxy.close()


class CacheKill(Fault):
    """Valkey is killed; what it has on its disk is there when it is started again."""

    marks = ("cache",) * 3
    down = False

    def strike(self, cell, pid):
        cell.systems.valkey.kill()
        self.down = True
        assert not cell.systems.valkey.listens()
        return "go"

    def heal(self, cell):
        if self.down:
            ready(cell.systems.valkey)
            self.down = False


class NoNames(Fault):
    """No name resolves any more, from the place until the run has told its end."""

    marks = ("web",) * 3

    def arrange(self, cell):
        cell.host = "localhost"

    def strike(self, cell, pid):
        cell.systems.names.write_text("fail")
        return "go"

    def heal(self, cell):
        cell.systems.names.write_text("")


class Expired(Between):
    """The database's role may log in no longer, and the object store calls the key expired."""

    def __init__(self):
        super().__init__("store", s3_error("400 Bad Request", "ExpiredToken"))
        self.marks = ("table",) * 3

    def strike(self, cell, pid):
        self.valid(cell, "2000-01-01")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(where(cell.cluster.port))
        return super().strike(cell, pid)

    def heal(self, cell):
        self.valid(cell, "infinity")
        super().heal(cell)

    def valid(self, cell, until_):
        with cell.cluster.session() as session:
            session.execute(f"ALTER ROLE {WRITER} VALID UNTIL '{until_}'")


class LeaseLost(Fault):
    """The lease's object is removed, or another machine's run takes it, in turn."""

    marks = ("table",) * 3

    def arrange(self, cell):
        cell.ttl = 8.0

    def strike(self, cell, pid):
        found = self.leases(cell)
        assert found
        for key, said in found:
            assert said["state"] == ("free" if cell.at in LATE else "held")
            if cell.number % 2:
                other = {"state": "held", "run": "20261123T130614Z-another-a1b2c3", "host": "elsewhere", "lock": ""}
                other |= {"fence": said["fence"] + 1, "nonce": secrets.token_hex(16)}
                self.client(cell).put_object(Bucket=LEASES, Key=key, Body=json.dumps(said | other).encode())
            else:
                self.client(cell).delete_object(Bucket=LEASES, Key=key)
        return "go" if cell.at in LATE else "lose the lease"

    def refuses(self, cell, number, told):
        """Who took it has it still: going on is refused, until it is given back."""
        taken = cell.number % 2 == 1 and cell.at not in LATE and number == 0
        if taken:
            assert "20261123T130614Z-another-a1b2c3" in told["reason"]
        self.close(cell)
        return taken

    def proof(self, cell, told):
        return cell.struck and (cell.at in LATE or "is lost" in told["struck"])

    def leases(self, cell):
        """Return the lease that the cell's steps need, if it is there: key and content."""
        client, prefix = self.client(cell), f"leases/{target_id(cell.settings)}/database.json"
        found = [row["Key"] for row in client.list_objects_v2(Bucket=LEASES, Prefix=prefix).get("Contents", ())]
        return [(key, json.loads(client.get_object(Bucket=LEASES, Key=key)["Body"].read())) for key in found]

    def client(self, cell):
        return connect(cell.settings, cell.settings.aws_access_key_id, cell.settings.aws_secret_access_key)

    def close(self, cell):
        for key, _ in self.leases(cell):
            self.client(cell).delete_object(Bucket=LEASES, Key=key)


class ApprovalExpired(Fault):
    """A plan that others approved for an hour; two hours later the run that applies it comes to the place."""

    def arrange(self, cell):
        cell.target = "production"
        self.keys = Keys(cell.folder)
        (cell.folder / "signers").write_text("".join(self.keys.line(who, APPROVER) for who in ("ben", "cat")))

    def described(self, cell):
        own = {"environment": "production", "operators": {}, "allowed_signers": cell.folder / "signers"}
        return {**own, "anchor_bucket": AUDIT}

    def begin(self, cell):
        told = cell.runner.run(cell.ask("plan"))
        assert told["ended"] == "finished", told["reason"]
        data = (cell.archive / "runs" / cell.work / "plan.json").read_bytes()
        self.keys.sign(data, cell.archive / "approvals" / cell.work, "ben", "cat")
        return cell.ask("apply", at=cell.at)

    def strike(self, cell, pid):
        cell.systems.clock.write_text("7200")
        return "go"

    def refusal(self, cell):
        return super().refusal(cell) if cell.at in LATE else "expired at"

    def end(self, cell):
        if cell.at in LATE:
            return super().end(cell)
        return [1, 0 if cell.at.endswith("intent") else 1, 0]

    def close(self, cell):
        cell.systems.calm()
