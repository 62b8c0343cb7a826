"""A primary that is killed and a standby that takes its address: what is said stays right, and work goes on.

The address is a forwarder that leads to another server after the promotion, as a virtual address or a
provider's endpoint does. The lab's settings are used with it; its servers are not touched.
"""

import threading
import time
from contextlib import closing, suppress

import pytest

from opslib.actions.backups_live import maintenance
from opslib.actions.backups_swap import _oids, _swap
from opslib.errors import OpsError, StepFailed, Unreachable
from opslib.probes.questions import question
from opslib.systems.postgres import Question, ReadOnlyDatabase, connect
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.target import WriteTarget
from tests.clusters import Cluster
from tests.scale import count
from tests.toxic import Toxic

ROWS = Question("rows", "rows by their number", "SELECT n FROM written ORDER BY n")


@pytest.fixture
def folder(tmp_path_factory):
    """A folder through which the servers' account may pass."""
    path = tmp_path_factory.mktemp("failover")
    for one in (path, *path.parents[:2]):
        with suppress(PermissionError):
            one.chmod(one.stat().st_mode | 0o711)
    return path


@pytest.fixture
def pair(folder, request):
    """A primary, its standby, and the address that leads to the one in charge."""
    with (
        Cluster(folder, "primary") as primary,
        Cluster(folder, "standby") as standby,
        Toxic(primary.port) as address,
    ):
        primary.create()
        with primary.session() as session:
            session.execute("CREATE TABLE written (n bigint PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())")
        standby.follow(primary, synchronous=request.param == "remote")
        with primary.session() as session:
            local = "off" if request.param == "off" else "on"
            session.execute(f"ALTER SYSTEM SET synchronous_commit = {local}")
            session.execute("SELECT pg_reload_conf()")
        yield primary, standby, address


def fail_over(primary, standby, address):
    """Kill the primary, promote the standby, lead the address there; return the moment at which it leads there."""
    primary.kill()
    standby.promote()
    address.lead_to(standby.port)
    return time.monotonic()


class Writer:
    """An application that writes numbers one by one, each in a commit, and knows which were acknowledged."""

    def __init__(self, url):
        self.url, self.acknowledged, self.stop = url, [], threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(20)

    def work(self):
        with suppress(Exception), connect(self.url, "opslib:writer") as session:
            number = 0
            while not self.stop.is_set():
                number += 1
                session.execute("INSERT INTO written VALUES (%s)", [number])
                self.acknowledged.append(number)


@pytest.mark.parametrize("pair", ["remote", "on", "off"][: count(1, 3)], indirect=True)
def test_reading_goes_on_at_the_new_primary_and_says_nothing_wrong_meanwhile(pair, request, record_property):
    primary, _, address = pair
    reading = ReadOnlyDatabase(
        primary.url(port=address.port), "opslib:test", statement_seconds=0.5, connect_seconds=1.0
    )
    seen, unknown, back = [], 0, None
    holder = AdminDatabase(primary.url(port=address.port), "opslib:holder", connect_seconds=1.0)
    holder.execute("SELECT pg_advisory_lock(1)", what="take a lock")
    with closing(reading), closing(holder), Writer(primary.url()) as writer:
        end = time.monotonic() + count(1, 3)
        while time.monotonic() < end:
            acknowledged = len(writer.acknowledged)
            seen.append((acknowledged, reading.ask(ROWS)))
        moved = threading.Event()
        moment = []
        threading.Thread(target=lambda: (moment.append(fail_over(*pair)), moved.set()), daemon=True).start()
        while back is None:
            try:
                rows = reading.ask(ROWS)
                on_standby = reading.ask(question("restore/live"))
            except Unreachable:
                unknown += 1
                time.sleep(0.02)
            else:
                back = time.monotonic() if moved.is_set() else None
            assert not moved.is_set() or time.monotonic() - moment[0] < 10
        # Why nothing may rest on an advisory lock: it is gone, and its holder hears of it when it next asks.
        with pytest.raises(StepFailed, match="broke before it confirmed"):
            holder.execute("SELECT 1", what="go on")
        free = reading_lock(address.port, primary)
    # What was acknowledged before a question was asked stands in its answer; numbers have no gap.
    wrong = [1 for acknowledged, rows in seen if [row["n"] for row in rows] != list(range(1, len(rows) + 1))]
    wrong += [1 for acknowledged, rows in seen if len(rows) < acknowledged]
    assert wrong == []
    assert free
    assert on_standby[0]["standby"] is False
    kept = {row["n"] for row in rows}
    lost = len(set(writer.acknowledged) - kept)
    record_property("acknowledged", len(writer.acknowledged))
    record_property("lost", lost)
    record_property("seconds until reading went on", round(max(0.0, back - moment[0]), 3))
    assert len(writer.acknowledged) > 10
    if "remote" in request.node.name:
        assert lost == 0


def reading_lock(port, primary):
    """Tell whether the lock can be taken at the address."""
    with AdminDatabase(primary.url(port=port), "opslib:other") as other:
        return other.execute("SELECT pg_try_advisory_lock(1) AS got", what="try the lock")[0]["got"]


@pytest.mark.parametrize("number", range(count(1, 12)))
@pytest.mark.parametrize("pair", ["on"], indirect=True)
def test_an_exchange_of_databases_that_meets_a_failover_is_told_as_the_new_primary_has_it(
    lab, pair, number, record_property
):
    primary, standby, address = pair
    with primary.session() as session:
        for name in ("shop", "shop_new"):
            session.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        oids = {
            row["datname"]: row["oid"]
            for row in session.execute("SELECT datname, oid FROM pg_database WHERE datname LIKE 'shop%'").fetchall()
        }
        until_followed(session)
    settings = lab.settings.model_copy(update={"database_url": primary.url("shop", address.port)})
    told = "unknown"
    with closing(WriteTarget(settings, "failover")) as target, maintenance(target) as session:
        session.execute("SELECT 1", what="connect")
        killer = threading.Timer(0.02 + 0.01 * number, lambda: fail_over(*pair))
        killer.start()
        try:
            _swap(target, session, ("shop", "shop_old", "shop_new"), (oids["shop"], oids["shop_new"]), "a mark")
            told = "done"
        except StepFailed as error:
            told = "not done" if "Nothing was renamed" in error.message else "unknown"
        except OpsError:
            told = "unknown"
        killer.join()
        # What the step's verification looks at first.
        verified = _oids(target)
    with standby.session() as session:
        asked = "SELECT datname, oid FROM pg_database WHERE datname LIKE 'shop%'"
        after = {row["datname"]: row["oid"] for row in session.execute(asked).fetchall()}
    exchanged = {"shop": oids["shop_new"], "shop_old": oids["shop"]}
    record_property("told", told)
    assert after in (oids, exchanged)
    assert {name: verified.get(name) for name in after} == after
    assert told != "not done" or after == oids


def until_followed(session):
    """Wait until the standby has replayed everything."""
    end = time.monotonic() + 20
    while not session.execute("SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()").fetchall():
        assert time.monotonic() < end
        time.sleep(0.02)
