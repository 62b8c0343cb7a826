"""What each action says of an apply that was broken off, and what it takes away of it."""

import threading

import psycopg
import pytest

from opslib.actions import backups_folder as staging
from opslib.actions.backups import ApplyRetention, ProveBackup, TakeBackup
from opslib.actions.backups_leftovers import mark as proof_mark
from opslib.actions.backups_live import filling
from opslib.actions.backups_prove import _scratch_name
from opslib.actions.backups_restore import RestoreIntoNewDatabase
from opslib.actions.backups_stage import StageBackup
from opslib.actions.backups_swap import SwapDatabases
from opslib.model import Outcome, Verdict
from opslib.systems.target import ReadTarget
from tests.actions import shop
from tests.backup_place import place as make_place
from tests.backup_place import quiet
from tests.scale import first
from tests.waiting import until

NAME = "kiosk"
NEW, OLD = "kiosk_restore_a1b2c3", "kiosk_before_a1b2c3"


@pytest.fixture(scope="module")
def place(lab):
    with make_place(lab, "CREATE TABLE things AS SELECT n AS id FROM generate_series(1, 20) n") as made:
        yield made


@pytest.fixture
def staged(lab):
    """A small database, and its dump, staged for a restore: the writing handles, the action and its plan."""
    shop.make(lab, NAME, shop.SCHEMA, shop.ROWS)
    writing = shop.writing(lab, name=NAME)
    key = shop.store(writing, "kiosk/x.dump", shop.dump(lab, "-Fc", name=NAME))
    values = shop.prepare(StageBackup(backup=key), writing)
    action = RestoreIntoNewDatabase(sha256=values["sha256"])
    yield writing, action, planned(action, writing)
    staging.remove(writing.run)
    writing.close()
    with lab.admin("postgres") as session:
        shop.drop(session, NAME)


def planned(action, writing):
    reading = ReadTarget(writing.settings.reading(), writing.run)
    try:
        return action.plan(reading)
    finally:
        reading.close()


def databases(lab):
    with lab.admin("postgres") as session:
        rows = session.execute("SELECT datname, oid FROM pg_database WHERE datname LIKE 'kiosk%'").fetchall()
    return {row["datname"]: row["oid"] for row in rows}


def admin(lab, *statements):
    with lab.admin("postgres") as session:
        for statement in statements:
            session.execute(statement)


# -- restore-into-new-database ------------------------------------------------------------------------------


def test_a_restore_that_made_nothing_is_not_done(lab, staged):
    writing, action, plan = staged
    assert action.settle(writing, plan, quiet).outcome is Outcome.NOT_DONE
    assert list(databases(lab)) == [NAME]


@pytest.mark.parametrize("filled", first(1, True, False))
def test_a_half_filled_database_of_this_run_is_dropped_and_not_done(lab, staged, filled):
    writing, action, plan = staged
    admin(lab, f"CREATE DATABASE {NEW}", f"COMMENT ON DATABASE {NEW} IS '{filling(writing.run)}'")
    if filled:
        with lab.admin(NEW) as session:
            session.execute("CREATE TABLE half AS SELECT 1")
    assert action.settle(writing, plan, quiet).outcome is Outcome.NOT_DONE
    assert list(databases(lab)) == [NAME]
    shop.carry_out(action, writing)


def test_a_database_that_was_made_and_not_marked_yet_is_dropped_when_it_is_empty(lab, staged):
    writing, action, plan = staged
    admin(lab, f"CREATE DATABASE {NEW}")
    assert action.settle(writing, plan, quiet).outcome is Outcome.NOT_DONE
    assert list(databases(lab)) == [NAME]


@pytest.mark.parametrize("comment", first(1, "opslib: being filled by run another", None, "of somebody"))
def test_a_database_that_is_not_this_run_s_is_left_alone_and_nobody_can_tell(lab, staged, comment):
    writing, action, plan = staged
    admin(lab, f"CREATE DATABASE {NEW}")
    with lab.admin(NEW) as session:
        session.execute("CREATE TABLE precious AS SELECT 1")
    if comment:
        admin(lab, f"COMMENT ON DATABASE {NEW} IS '{comment}'")
    assert action.settle(writing, plan, quiet).outcome is Outcome.UNKNOWN
    assert NEW in databases(lab)


@pytest.mark.parametrize("folder", first(1, "kept", "gone"))
def test_a_database_that_was_filled_and_compared_is_done_and_can_be_undone(lab, staged, folder):
    writing, action, plan = staged
    shop.carry_out(action, writing)
    if folder == "gone":
        staging.remove(writing.run)
    settled = action.settle(writing, plan, quiet)
    assert (settled.outcome, settled.values["database"]) == (Outcome.DONE, NEW)
    if folder == "kept":
        assert action.verify(writing, plan, settled.values).verdict is Verdict.OK
    assert action.undo(writing, plan, settled.values, quiet).verdict is Verdict.OK
    assert list(databases(lab)) == [NAME]


# -- swap-databases -----------------------------------------------------------------------------------------


@pytest.fixture
def swap(lab, staged):
    writing, restore, _ = staged
    values = shop.prepare(restore, writing)
    action = SwapDatabases(database=values["database"], sha256=restore.sha256)
    return writing, action, planned(action, writing)


def test_a_swap_that_renamed_nothing_is_not_done_and_can_be_done(lab, swap):
    writing, action, plan = swap
    assert action.settle(writing, plan, quiet).outcome is Outcome.NOT_DONE
    shop.carry_out(action, writing)


def test_a_swap_that_was_done_is_verified_and_undone_by_what_a_look_tells(lab, swap):
    writing, action, plan = swap
    before = databases(lab)
    action.apply(writing, plan, quiet)
    settled = action.settle(writing, plan, quiet)
    assert settled.outcome is Outcome.DONE
    assert action.verify(writing, plan, settled.values).verdict is Verdict.OK
    assert action.undo(writing, plan, settled.values, quiet).verdict is Verdict.OK
    assert databases(lab) == before


@pytest.mark.parametrize("gone", first(1, NEW, NAME))
def test_databases_that_are_neither_swapped_nor_as_before_are_for_a_person(lab, swap, gone):
    writing, action, plan = swap
    ended = f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{gone}'"
    admin(lab, ended, f"ALTER DATABASE {gone} RENAME TO kiosk_elsewhere")
    assert action.settle(writing, plan, quiet).outcome is Outcome.UNKNOWN
    assert "kiosk_elsewhere" in databases(lab)


def test_what_a_killed_swap_still_waits_for_on_the_server_is_ended_before_the_look(lab, swap):
    writing, action, plan = swap
    url = writing.settings.database_url.with_path("postgres").reveal()
    before, left = databases(lab), []

    def rename():
        with psycopg.connect(url, application_name=f"opslib:{writing.run}") as dead:
            try:
                dead.execute(f"ALTER DATABASE {NAME} RENAME TO {OLD}")
            except psycopg.Error as error:
                left.append(error)

    with lab.admin(NAME):
        # Somebody is connected, so the rename waits.
        thread = threading.Thread(target=rename)
        thread.start()
        until(lambda: waits(lab))
        assert action.settle(writing, plan, quiet).outcome is Outcome.NOT_DONE
        thread.join()
    assert len(left) == 1
    assert databases(lab) == before


def waits(lab):
    with lab.admin("postgres") as session:
        return session.execute("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'ALTER DATABASE kiosk%'").fetchall()


# -- take-backup --------------------------------------------------------------------------------------------


def test_a_backup_without_manifest_is_not_done_and_its_parts_are_taken_away(place):
    run = "20261123T130614Z-back-up-aaaaaa"
    plan = TakeBackup().plan(place.reading(run))
    store, base = place.writing(run).backup_store, f"{place.settings.backup_prefix}{run}-backup"
    store.put_new(f"{base}.dump", b"half", {})
    store.call("create_multipart_upload", Key=f"{base}.2.dump")
    assert place.uploads() == [f"{base}.2.dump"]
    assert TakeBackup().settle(place.writing(run), plan, quiet).outcome is Outcome.NOT_DONE
    assert place.uploads() == []
    assert not [name for name in place.objects() if run in name]


def test_a_backup_with_its_manifest_is_done_and_verified_by_what_a_look_tells(place):
    run = "20261123T130614Z-back-up-bbbbbb"
    plan = TakeBackup().plan(place.reading(run))
    values = place.take(run)
    settled = TakeBackup().settle(place.writing(run), plan, quiet)
    assert settled.outcome is Outcome.DONE
    assert dict(settled.values) == values
    assert TakeBackup().verify(place.writing(run), plan, settled.values).verdict is Verdict.OK


# -- prove-backup -------------------------------------------------------------------------------------------


@pytest.fixture
def proof(place):
    run = "20261123T130614Z-back-up-cccccc"
    taken = place.take(run)
    action = ProveBackup(backup=taken["backup"])
    plan = action.plan(place.reading(run))
    yield run, action, plan, taken
    TakeBackup().undo(place.writing(run), plan, taken, quiet)


@pytest.mark.parametrize("marked", first(1, True, False))
def test_what_a_killed_proof_made_is_taken_away_and_it_is_not_done(place, proof, marked):
    run, action, plan, taken = proof
    scratch = _scratch_name(run, taken["backup"])
    place.sql(f"CREATE DATABASE {scratch}")
    if marked:
        said = proof_mark(taken["backup"], run)
        place.sql(f"COMMENT ON DATABASE {scratch} IS '{said}'")
        place.sql("CREATE ROLE left_by_the_killed NOLOGIN")
        place.sql(f"COMMENT ON ROLE left_by_the_killed IS '{said}'")
    assert action.settle(place.writing(run), plan, quiet).outcome is Outcome.NOT_DONE
    assert scratch not in place.databases()
    assert place.sql("SELECT 1 FROM pg_roles WHERE rolname = 'left_by_the_killed'") == []


def test_a_proof_that_was_written_is_done(place, proof):
    run, action, plan, _ = proof
    values = place.do(action, run)
    settled = action.settle(place.writing(run), plan, quiet)
    assert (settled.outcome, settled.values["proof_version"]) == (Outcome.DONE, values["proof_version"])
    assert action.verify(place.writing(run), plan, settled.values).verdict is Verdict.OK
    action.undo(place.writing(run), plan, settled.values, quiet)


# -- apply-retention ----------------------------------------------------------------------------------------


def test_a_retention_that_had_nothing_to_delete_is_done(place):
    with place.beside() as other:
        other.history(1, proven=(1,))
        plan = ApplyRetention().plan(other.reading())
        settled = ApplyRetention().settle(other.writing(), plan, quiet)
        assert (settled.outcome, settled.values) == (Outcome.DONE, {"backups": [], "deleted": []})


# -- what may be repeated -----------------------------------------------------------------------------------


def test_staging_may_simply_be_repeated(staged):
    writing, _, plan = staged
    assert StageBackup().settle(writing, plan, quiet).outcome is Outcome.PARTLY
