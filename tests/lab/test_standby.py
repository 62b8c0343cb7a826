"""The lab's second PostgreSQL, the log that it keeps, and what can be had back from both."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from datetime import timedelta

import psutil
import pytest

from opslib.checks import database as checks
from opslib.lab import state as states
from opslib.lab import wal
from opslib.lab.broken.parts import kill
from opslib.lab.cloud import Cloud
from opslib.lab.database import DATABASE, Database
from opslib.lab.processes import LabError, find
from opslib.lab.recovery import Before
from opslib.lab.rejoin import rejoin, switch_back
from opslib.lab.standby import Standby
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget
from tests.scale import first, nightly
from tests.waiting import living, until


def servers(lab):
    found, passwords = states.read(lab.folder), states.passwords(lab.folder)
    primary = Database(found, passwords)
    return primary, Standby(found, passwords, primary), Cloud(found, passwords)


def one(server, query, *parameters, database=DATABASE):
    with server.session(database) as session:
        return next(iter(session.execute(query, parameters).fetchone().values()))


def kept(lab):
    """Wait until all that was committed by now is in the object store."""
    primary, _, cloud = servers(lab)
    name = one(primary, "select pg_walfile_name(pg_switch_wal())")
    s3 = cloud.client("s3")
    prefix = f"{wal.PREFIX}{wal.WAL}"
    until(lambda: s3.list_objects_v2(Bucket="valuecanvas-backups", Prefix=f"{prefix}{name}.gz").get("Contents"), 60)
    return s3, name


def test_what_is_committed_is_on_the_standby_which_takes_no_write(pair):
    primary, standby, _ = servers(pair)
    with primary.session(DATABASE) as session:
        session.execute("create table public.followed as select 7 as one")
    until(lambda: one(standby, "select to_regclass('public.followed') is not null"))
    assert one(standby, "select one from public.followed") == 7
    with pytest.raises(Exception, match="read-only"), standby.session(DATABASE) as session:
        session.execute("drop table public.followed")
    same = "select system_identifier from pg_control_system()"
    assert one(primary, same) == one(standby, same)
    slot = "select slot_name || ' ' || active from pg_replication_slots"
    assert one(primary, slot) == "standby true"
    with primary.session(DATABASE) as session:
        session.execute("drop table public.followed")


def test_the_description_says_what_there_is(pair, lab):
    found, alone = pair.settings(), lab.settings
    assert (found.standbys, found.continuous_prefix) == (1, "continuous/")
    assert found.standby_database_url.port == found.read_standby_url.port != found.database_url.port
    assert (alone.standbys, alone.standby_database_url, alone.continuous_prefix) == (0, None, None)


def test_recovery_to_just_before_a_bad_update_brings_back_exactly_the_rows_of_that_moment(pair):
    primary, _, _ = servers(pair)
    everything = "select md5(string_agg(c::text, e'\\n' order by id)) from public.cases c"
    with primary.session(DATABASE) as session:
        session.execute(
            "insert into public.cases select (jsonb_populate_record(c, jsonb_build_object('id', "
            "gen_random_uuid(), 'title', 'the last good one'))).* from public.cases c limit 1"
        )
    good, count = one(primary, everything), one(primary, "select count(*) from public.cases")
    with primary.session(DATABASE) as session, session.transaction():
        session.execute("update public.cases set title = 'oops'")
        xid = int(str(session.execute("select pg_current_xact_id() as xid").fetchone()["xid"]))
    at = one(primary, "select pg_xact_commit_timestamp(%s::text::xid)", xid)
    with primary.session(DATABASE) as session:
        session.execute("delete from public.cases where id in (select id from public.cases limit 3)")
    assert one(primary, everything) != good
    kept(pair)
    for before in first(1, Before(at, xid), Before(at)):
        recovered = pair.recover(before)
        assert recovered.port != primary.port
        assert (one(recovered, everything), one(recovered, "select count(*) from public.cases")) == (good, count)
        with recovered.session(DATABASE) as session:
            session.execute("create table public.writable as select 1 as one")
    assert one(primary, "select count(*) from public.cases where title = 'oops'") == count - 3
    assert [row["state"] for row in pair.status() if row["service"] == "recovery"] == ["up"]


@nightly
def test_a_moment_that_the_kept_log_does_not_reach_is_refused_and_never_half_recovered(pair):
    primary, _, _ = servers(pair)
    now = one(primary, "select now()")
    with pytest.raises(LabError, match="was whole before"):
        pair.recover(Before(now - timedelta(days=1)))
    with pytest.raises(LabError, match="recovery ended before configured recovery target was reached"):
        pair.recover(Before(now + timedelta(days=1)))


def test_the_checks_of_the_database_know_its_standby(pair):
    target = ReadTarget(pair.settings().reading(), "test")
    try:
        for check in (checks.servers, checks.keeping, checks.replication, checks.slots, checks.ways_back):
            until(lambda check=check: evaluate(check, target).verdict is Verdict.OK)
        seen = evaluate(checks.ways_back, target)
    finally:
        target.close()
    open_ = {row["way"]: row for row in seen.rows if row["open"]}
    assert {"failover", "point-in-time recovery"} <= open_.keys()
    assert open_["point-in-time recovery"]["promises_seconds"] == wal.TIMEOUT_SECONDS
    assert open_["failover"]["mends"] == "server"


def run(pair, *arguments):
    command = [sys.executable, "-P", "-m", "opslib.lab.wal", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_piece_of_the_log_is_kept_once_and_another_under_its_name_is_refused(pair, tmp_path):
    file, name = pair.folder / wal.FILE, "00000009000000000000000A"
    piece, other, back = (tmp_path / word for word in ("piece", "other", "back"))
    piece.write_bytes(b"w" * 100_000)
    other.write_bytes(b"x" * 100_000)
    assert run(pair, "keep", file, piece, name).returncode == 0
    assert run(pair, "keep", file, piece, name).returncode == 0
    refused = run(pair, "keep", file, other, name)
    assert (refused.returncode, "another content" in refused.stderr) == (1, True)
    assert run(pair, "fetch", file, name, back).returncode == 0
    assert back.read_bytes() == piece.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "other", "piece"]


def test_a_piece_that_is_not_there_ends_a_recovery_and_a_store_that_is_away_stops_it(pair, tmp_path):
    missing = run(pair, "fetch", pair.folder / wal.FILE, "00000009000000000000000B", tmp_path / "back")
    assert missing.returncode == 1
    away = tmp_path / "wal.json"
    away.write_text((pair.folder / wal.FILE).read_text().replace("127.0.0.1:", "127.0.0.1:1"))
    for verb, code in (("fetch", 150), ("keep", 1)):
        said = run(pair, verb, away, tmp_path / "wal.json", tmp_path / "back")
        assert (said.returncode, said.stderr[:16]) == (code, "opslib.lab.wal: ")
    assert not (tmp_path / "back").exists()


def test_a_standby_that_died_follows_again_and_one_whose_slot_is_gone_is_made_anew(pair):
    primary, standby, _ = servers(pair)
    find(standby.trace).kill()
    until(lambda: not standby.running)
    with primary.session("postgres") as session:
        until(lambda: session.execute("select 1 from pg_replication_slots where not active").fetchall())
        session.execute("select pg_drop_replication_slot('standby')")
    assert pair.up() == "repaired"
    with primary.session(DATABASE) as session:
        session.execute("create table public.anew as select 1 as one")
    standby = servers(pair)[1]
    until(lambda: one(standby, "select to_regclass('public.anew') is not null"))


@nightly
def test_a_former_primary_is_not_started_beside_the_promoted_one_and_rejoins_as_its_standby(pair):
    primary, standby, _ = servers(pair)
    with primary.session(DATABASE) as session:
        session.execute("create table public.told as select 'before' as word")
    until(lambda: one(standby, "select to_regclass('public.told') is not null"))
    kill(primary.trace)
    assert one(standby, "select pg_promote(true, 20)", database="postgres")
    with standby.session(DATABASE) as session:
        session.execute("insert into public.told values ('after')")
    with pytest.raises(LabError, match="would take writes as well"):
        pair.up()

    rejoin(primary, standby)
    words = "select string_agg(word, ' ' order by word) from public.told"
    until(lambda: one(primary, words) == "after before")
    with pytest.raises(Exception, match="read-only"), primary.session(DATABASE) as session:
        session.execute("insert into public.told values ('lost')")
    kill(primary.trace)
    assert pair.up() == "repaired"
    primary, standby, _ = servers(pair)
    until(lambda: one(primary, "select pg_is_in_recovery()"))
    with pytest.raises(LabError, match="not promoted"):
        rejoin(*servers(pair)[:2])
    switch_back(primary, standby)
    assert one(primary, words) == "after before"
    assert standby.follows
    with primary.session(DATABASE) as session:
        session.execute("drop table public.told")


@nightly
def test_nothing_is_left_when_it_is_taken_down_frozen(pair):
    mains = [find(server.trace) for server in servers(pair)[:2]]
    family = [process for main in mains for process in (main, *main.children())]
    assert len(family) > 8
    for process in family:
        with suppress(psutil.NoSuchProcess):  # a session that ended by itself
            process.suspend()
    until(lambda: {process.status() for process in family if living(process)} == {psutil.STATUS_STOPPED})
    assert pair.down() is True
    assert [process for process in family if living(process)] == []
    assert not pair.folder.exists()
