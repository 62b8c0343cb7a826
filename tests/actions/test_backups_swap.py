import select
import socket
import threading
from contextlib import contextmanager, suppress

import psycopg
import pytest

from opslib.actions import backups_folder as staging
from opslib.actions.backups_restore import RestoreIntoNewDatabase
from opslib.actions.backups_stage import StageBackup
from opslib.actions.backups_swap import SwapDatabases
from opslib.errors import OpsError, Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL, Verdict
from opslib.probes.questions import question
from opslib.redaction import DatabaseUrl
from opslib.systems.target import ReadTarget, WriteTarget
from tests.actions import shop

NAME = "stall"
NEW = "stall_restore_a1b2c3"
OLD = "stall_before_a1b2c3"
SEEN = "booth"


@contextmanager
def restoring(lab, name):
    """A small database, restored beside itself, with rows that were written after the backup."""
    shop.make(lab, name, shop.SCHEMA, shop.ROWS)
    writing = shop.writing(lab, name=name)
    key = shop.store(writing, f"{name}/x.dump", shop.dump(lab, "-Fc", name=name))
    staged = shop.prepare(StageBackup(backup=key), writing)
    values = shop.prepare(RestoreIntoNewDatabase(sha256=staged["sha256"]), writing)
    with lab.admin(name) as session:
        session.execute("INSERT INTO public.never_used VALUES (1)")
    with lab.admin(name) as session:
        session.execute("ANALYZE public.never_used")
    yield writing, SwapDatabases(database=values["database"], sha256=staged["sha256"])
    staging.remove(writing.run)
    writing.close()
    with lab.admin("postgres") as session:
        shop.drop(session, name)


@pytest.fixture
def restored(lab):
    with restoring(lab, NAME) as made:
        yield made


@pytest.fixture(scope="module")
def looked_at(lab):
    """Another one, which no test changes."""
    with restoring(lab, SEEN) as made:
        yield made


def named(lab, name=NAME):
    with lab.admin("postgres") as session:
        rows = session.execute(
            "SELECT datname, oid, datallowconn FROM pg_database WHERE datname LIKE %s ORDER BY 1", [f"{name}%"]
        ).fetchall()
    assert all(row["datallowconn"] for row in rows)
    return {row["datname"]: row["oid"] for row in rows}


def rows_of(lab, name):
    with lab.admin(name) as session:
        return session.execute("SELECT count(*) AS n FROM public.never_used").fetchone()["n"]


def test_the_restored_database_takes_the_live_name_and_gives_it_back(lab, restored):
    writing, step = restored
    before = named(lab)
    contents = shop.contents(lab, NAME), shop.contents(lab, NEW)
    values, plan = shop.carry_out(step, writing)
    assert named(lab) == {NAME: before[NEW], OLD: before[NAME]}
    assert (shop.contents(lab, OLD), shop.contents(lab, NAME)) == contents
    assert (rows_of(lab, NAME), rows_of(lab, OLD)) == (0, 1)
    assert plan.effect == "destructive"
    undone = step.undo(writing, plan, values, shop.quiet)
    assert undone.verdict is Verdict.OK
    assert named(lab) == before
    assert (shop.contents(lab, NAME), shop.contents(lab, NEW)) == contents


def test_the_plan_says_what_is_lost_and_whose_sessions_end(lab, looked_at):
    writing, step = looked_at
    with lab.admin(SEEN) as session:
        # Else the server's own estimates, of sessions that ended a moment ago, may count a row twice.
        session.execute("ANALYZE")
    with psycopg.connect(writing.settings.database_url.reveal(), application_name="web"):
        plan = step.plan(writing)
    assert plan.observed["sessions that will be ended"] == ["web"]
    assert plan.observed["tables that differ"] == [{"table": "public.never_used", "live (about)": 1, "backup": 0}]
    assert "within the 1 h that the target allows" in plan.observed["lost"]
    assert plan.observed["rows"] == {"live (about)": 115, "backup": 114}
    new, old = (f"{SEEN}_{what}_a1b2c3" for what in ("restore", "before"))
    assert plan.after == {"live": SEEN, "live is what was": new, "the old one is kept as": old}


def test_sessions_in_the_live_database_are_ended_and_may_come_back(lab, restored):
    writing, step = restored
    address = writing.settings.database_url.reveal()
    reading = ReadTarget(writing.settings.reading(), "notebook")
    (old,) = reading.database.ask(question("restore/live"))
    with psycopg.connect(address, application_name="web", autocommit=True) as session:
        values, _ = shop.carry_out(step, writing)
        assert values["sessions_ended"] >= 1
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    with psycopg.connect(address) as session:
        assert session.execute("SELECT count(*) FROM public.never_used").fetchone() == (0,)
    (new,) = reading.database.ask(question("restore/live"))
    assert (old["name"], new["name"]) == (NAME, NAME)
    assert new["oid"] == values["live_oid"] != old["oid"]
    reading.close()


def test_rows_that_the_application_writes_after_the_swap_are_no_difference_but_lost_ones_are(lab, restored):
    writing, step = restored
    values, plan = shop.carry_out(step, writing)
    with lab.admin(NAME) as session:
        session.execute("INSERT INTO public.never_used VALUES (2)")
        session.execute("SELECT pg_stat_force_next_flush()")
    found = step.verify(writing, plan, values)
    assert found.verdict is Verdict.OK
    assert "1 tables were written to" in found.summary
    with lab.admin(NAME) as session:
        session.execute("TRUNCATE auth.users")
    found = step.verify(writing, plan, values)
    assert found.verdict is Verdict.CRITICAL
    assert "rows auth.users: 40 expected, 0 found" in found.summary


def test_nothing_is_renamed_when_the_rename_fails_and_both_are_open_again(lab, restored):
    writing, step = restored
    before = shop.fingerprint(lab, NAME)
    plan = step.plan(writing)
    with lab.admin("postgres") as session:
        session.execute(f"CREATE DATABASE {OLD}")
    taken = named(lab)
    with pytest.raises(StepFailed, match=r"already exists[\s\S]*Nothing was renamed"):
        step.apply(writing, plan, shop.quiet)
    assert named(lab) == taken
    with lab.admin("postgres") as session:
        session.execute(f"DROP DATABASE {OLD}")
    assert shop.fingerprint(lab, NAME) == before


class Forgetful:
    """Passes bytes on to the server; cuts the first connection that sends COMMIT once the server has answered it."""

    def __init__(self, port):
        self.server = ("127.0.0.1", port)
        self.cut = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection(self.server) as server, suppress(OSError):
            while ready := select.select([client, server], [], [], 60)[0]:
                for end in ready:
                    if not (data := end.recv(65536)):
                        return
                    (server if end is client else client).sendall(data)
                    if end is client and b"COMMIT\0" in data and not self.cut:
                        self.cut = True
                        assert server.recv(65536)
                        return


def test_a_lost_reply_to_the_commit_is_looked_up_and_the_swap_goes_on(lab, restored):
    writing, step = restored
    before = named(lab)
    url = writing.settings.database_url
    proxy = Forgetful(url.port)
    behind = DatabaseUrl(url.reveal().replace(f":{url.port}/", f":{proxy.port}/"))
    target = WriteTarget(writing.settings.model_copy(update={"database_url": behind}), writing.run)
    try:
        plan = step.plan(writing)
        values = step.apply(target, plan, shop.quiet)
        assert proxy.cut
        assert step.verify(target, plan, values).verdict is Verdict.OK
    finally:
        target.close()
        proxy.listener.close()
    assert named(lab) == {NAME: before[NEW], OLD: before[NAME]}


class Dying(Forgetful):
    """Passes bytes on until a client asks for a rename; from then on nothing, as if the executor had been killed."""

    def serve(self, client):
        with client, socket.create_connection(self.server) as server, suppress(OSError):
            while ready := select.select([client, server], [], [], 60)[0]:
                for end in ready:
                    data = b"" if self.cut else end.recv(65536)
                    if end is client and b" RENAME TO " in data:
                        self.cut = True
                    if not data or self.cut:
                        return
                    (server if end is client else client).sendall(data)


def test_an_executor_that_dies_during_the_swap_leaves_the_live_database_open(lab, restored):
    writing, step = restored
    before = named(lab)
    url = writing.settings.database_url
    proxy = Dying(url.port)
    behind = DatabaseUrl(url.reveal().replace(f":{url.port}/", f":{proxy.port}/"))
    target = WriteTarget(writing.settings.model_copy(update={"database_url": behind}), writing.run)
    try:
        plan = step.plan(writing)
        with pytest.raises(OpsError):
            step.apply(target, plan, shop.quiet)
        assert proxy.cut
    finally:
        target.close()
        proxy.listener.close()
    assert named(lab) == before
    shop.carry_out(step, writing)


class Reconnecting:
    """An application whose sessions write, and come back at once whenever they are ended."""

    def __init__(self, address):
        self.address, self.stop = address, threading.Event()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(6)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def work(self):
        while not self.stop.is_set():
            with suppress(psycopg.Error), psycopg.connect(self.address, autocommit=True) as session:
                while not self.stop.is_set():
                    session.execute("INSERT INTO public.never_used VALUES (9)")


def test_sessions_that_reconnect_in_a_loop_do_not_keep_the_names_from_being_exchanged(lab, restored):
    writing, step = restored
    before = named(lab)
    with Reconnecting(writing.settings.database_url.reveal()):
        values, _ = shop.carry_out(step, writing)
    assert named(lab) == {NAME: before[NEW], OLD: before[NAME]}
    assert values["sessions_ended"] >= 6


def test_of_two_restores_at_once_the_second_does_not_exchange_what_the_first_restored(lab, restored):
    writing, step = restored
    second = shop.writing(lab, "20261123T130615Z-restore-database-b1b2b3", NAME)
    try:
        staged = shop.prepare(StageBackup(backup="stall/x.dump"), second)
        values = shop.prepare(RestoreIntoNewDatabase(sha256=staged["sha256"]), second)
        shop.prepare(step, writing)
        before = named(lab)
        with pytest.raises(Refused, match="somebody has exchanged it meanwhile"):
            SwapDatabases(database=values["database"], sha256=staged["sha256"]).plan(second)
        assert named(lab) == before
    finally:
        staging.remove(second.run)
        second.close()


def test_a_swap_is_refused_when_the_live_database_is_another_one_than_planned(lab, restored):
    writing, step = restored
    plan = step.plan(writing)
    writing.database.close()
    with lab.admin("postgres") as session:
        session.execute("ALTER DATABASE stall RENAME TO stall_gone")
        session.execute("CREATE DATABASE stall TEMPLATE stall_gone")
    before = shop.fingerprint(lab, NAME)
    with pytest.raises(Refused, match="not those of the plan"):
        step.apply(writing, plan, shop.quiet)
    assert shop.fingerprint(lab, NAME) == before


def test_a_second_swap_of_the_same_run_is_refused(lab, restored):
    writing, step = restored
    _, plan = shop.carry_out(step, writing)
    before = named(lab)
    for attempt in (lambda: step.plan(writing), lambda: step.apply(writing, plan, shop.quiet)):
        with pytest.raises(Refused):
            attempt()
    assert named(lab) == before


@pytest.mark.parametrize("database", [SEEN, "postgres", f"{SEEN}_restore_ffffff"])
def test_only_the_database_that_this_run_restored_may_take_the_live_name(lab, looked_at, database):
    writing, step = looked_at
    before = named(lab, SEEN)
    with pytest.raises(Refused, match="is not the database that this run restored"):
        SwapDatabases(database=database, sha256=step.sha256).plan(writing)
    assert named(lab, SEEN) == before


@pytest.mark.parametrize("database", ["", 'x"; DROP DATABASE stall', "a b", "x" * 64, "-x", UNKNOWN_UNTIL + "; x"])
def test_a_name_that_is_none_is_no_parameter(database):
    with pytest.raises(ValueError):
        SwapDatabases(database=database, sha256="a" * 64)


def test_a_database_whose_name_is_its_providers_is_never_renamed(lab):
    writing = shop.writing(lab, name="postgres")
    try:
        with pytest.raises(Refused, match="named postgres") as refused:
            SwapDatabases(database=f"{UNKNOWN_UNTIL}restore", sha256=f"{UNKNOWN_UNTIL}stage").plan(writing)
        assert "point the application's DATABASE_URL at postgres_restore_a1b2c3" in refused.value.next_step
    finally:
        writing.close()


def test_a_planning_run_plans_the_swap_before_anything_is_restored(looked_at):
    writing, _ = looked_at
    plan = SwapDatabases(database=f"{UNKNOWN_UNTIL}restore", sha256=f"{UNKNOWN_UNTIL}stage").plan(writing)
    assert plan.unknown
    with pytest.raises(OpsError):
        SwapDatabases(database=f"{UNKNOWN_UNTIL}restore", sha256=f"{UNKNOWN_UNTIL}stage").verify(
            writing,
            plan,
            {"live": SEEN, "old": f"{SEEN}_before_a1b2c3", "live_oid": 1, "old_oid": 2, "written_before": {}},
        )


def test_the_restore_can_be_undone_after_the_swap_was(lab, restored):
    writing, step = restored
    values, plan = shop.carry_out(step, writing)
    restoring = RestoreIntoNewDatabase(sha256=step.sha256)
    planned = restoring.planned(before={}, after={"live": NAME}, touches=1, touched="", verification="", undo="")
    step.undo(writing, plan, values, shop.quiet)
    undone = restoring.undo(writing, planned, {}, shop.quiet)
    assert undone.verdict is Verdict.OK
    assert set(named(lab)) == {NAME}


def test_what_was_written_after_the_swap_is_not_dropped_by_the_undo_of_the_restore(lab, restored):
    writing, step = restored
    values, plan = shop.carry_out(step, writing)
    with lab.admin(NAME) as session:
        session.execute("INSERT INTO public.never_used VALUES (7)")
    restoring = RestoreIntoNewDatabase(sha256=step.sha256)
    planned = restoring.planned(before={}, after={"live": NAME}, touches=1, touched="", verification="", undo="")
    step.undo(writing, plan, values, shop.quiet)
    with pytest.raises(Refused, match=f"{NEW} is kept: it was live") as refused:
        restoring.undo(writing, planned, {}, shop.quiet)
    assert "drop it by hand, and go on with: ops undo" in refused.value.next_step
    assert rows_of(lab, NEW) == 1


def test_a_record_that_was_tampered_with_makes_the_undo_rename_no_other_databases(lab, restored):
    writing, step = restored
    values, plan = shop.carry_out(step, writing)
    with lab.admin("postgres") as session:
        session.execute("CREATE DATABASE stall_other")
    try:
        before = named(lab)
        other = {"live": NAME, "old": "stall_other", "live_oid": before[NAME], "old_oid": before["stall_other"]}
        with pytest.raises(Refused, match="not the databases of this step"):
            step.undo(writing, plan, {**values, **other}, shop.quiet)
        with lab.admin("postgres") as session:
            session.execute(f"COMMENT ON DATABASE {NAME} IS 'put there by hand'")
        with pytest.raises(Refused, match="was not put there by run"):
            step.undo(writing, plan, values, shop.quiet)
        assert named(lab) == before
    finally:
        with lab.admin("postgres") as session:
            session.execute("DROP DATABASE stall_other")
