"""The vendor's recovery as the lab really does it: planned, begun once, seen at the server itself."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from opslib.actions.database import RecoverToMoment
from opslib.headless.resume import resume
from opslib.lab.database import DATABASE
from opslib.lab.recovery import Before
from opslib.probes.database_moment import second_before
from opslib.systems.supabase import ReadOnlySupabase
from opslib.systems.target import VerifyTarget, WriteTarget
from tests.backup_place import quiet
from tests.headless import bench
from tests.killing import killed
from tests.lab.test_standby import one, servers
from tests.scale import nightly
from tests.supabase import project
from tests.waiting import until

EVERYTHING = "select md5(string_agg(c::text, e'\\n' order by id)) from public.cases c"
ADD = (
    "insert into public.cases select (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(), "
    "'title', '{}'))).* from public.cases c limit 1"
)
STEP = (
    "from opslib import actions\n"
    "run.step(actions.database.RecoverToMoment(moment='{moment}', xid={xid}, without_backup='only-a-trial', "
    "wait_minutes=3.0, notice_minutes={notice}))"
)


def damage(pair):
    """Let good rows come, then a bad update and good rows after it; returns what was there, the bad one, its moment."""
    primary, *_ = servers(pair)
    with primary.session(DATABASE) as session:
        session.execute(ADD.format("the last good one"))
    at = one(primary, "select max(pg_xact_commit_timestamp(xmin)) from public.cases")
    # The second of the last good commit must be over: a recovery goes back to whole seconds.
    until(lambda: one(primary, "select now()") > at + timedelta(seconds=1))
    good = one(primary, EVERYTHING)
    with primary.session(DATABASE) as session:
        session.execute("update public.cases set title = 'oops'")
    xid = int(one(primary, "select xmin::text from public.cases limit 1"))
    at = one(primary, "select pg_xact_commit_timestamp(%s::text::xid)", str(xid))
    with primary.session(DATABASE) as session:
        session.execute(ADD.format("a good one that is lost"))
        session.execute("select pg_switch_wal()")
    settings = pair.settings()
    vendor = ReadOnlySupabase(settings, settings.read_supabase_token)
    until(lambda: (vendor.backups().window.latest or 0) >= second_before(at))
    vendor.close()
    return good, xid, at


def step(xid, at, notice=0.0):
    return STEP.format(moment=f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", xid=xid, notice=notice)


@pytest.fixture
def settings(pair, monkeypatch):
    monkeypatch.setenv("OPS_LAB", str(pair.folder))
    found = pair.settings()
    with project(found):
        yield found


def test_a_recovery_brings_back_exactly_the_rows_of_that_moment(pair, settings, tmp_path):
    good, xid, at = damage(pair)
    primary, standby, _ = servers(pair)
    before = one(primary, EVERYTHING)
    asked = step(xid, at)
    with project(settings) as there:
        planned, folder = bench.run(tmp_path, settings, asked, mode="plan")
        assert planned["state"] == "finished", planned["reason"]
        assert (one(primary, EVERYTHING), there.posts()) == (before, [])
        result, folder = bench.run(tmp_path, settings, asked)
        assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
        assert len(there.posts("/restore-pitr")) == 1
    primary, standby, _ = servers(pair)
    assert one(primary, EVERYTHING) == good
    (looked,) = [event["verification"] for event in bench.events(folder) if event["event"] == "verified"]
    assert looked["verdict"] == "OK"
    assert {row["right"] for row in looked["rows"] if "right" in row} == {"yes"}
    # The standby follows what is live now, and the log is kept from there on: the next recovery has a way.
    with primary.session(DATABASE) as session:
        session.execute(ADD.format("after the recovery"))
    again = one(primary, EVERYTHING)
    until(lambda: one(standby, EVERYTHING) == again)
    assert [path.name[:12] for path in primary.folder.glob("data-*")] == ["data-before-"]


@nightly
def test_a_recovery_after_a_recovery_and_one_beside_it_have_their_rows(pair, settings):
    for _ in range(2):
        good, xid, at = damage(pair)
        primary, *_ = servers(pair)
        beside = pair.recover(Before(at, xid))
        assert one(beside, EVERYTHING) == good
        action = RecoverToMoment(moment=f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", xid=xid, without_backup="only-a-trial")
        target, looking = WriteTarget(settings, "test"), VerifyTarget(settings, "test")
        try:
            plan = action.plan(target)
            values = action.apply(target, plan, quiet)
            assert action.verify(looking, plan, values).verdict == "OK"
        finally:
            target.close()
            looking.close()
        assert one(primary, EVERYTHING) == good


def events(archive):
    """Return what the journals of all runs say, in the order of their runs."""
    paths = sorted(archive.glob("runs/*/journal.jsonl"), key=lambda path: path.stat().st_mtime)
    lines = [line for path in paths for line in path.read_text().splitlines() if line.endswith("}")]
    return [json.loads(line)["event"] for line in lines]


POINTS = {
    "before it was asked": lambda archive, there: "intent" in events(archive),
    "just after it was asked": lambda archive, there: there.posts("/restore-pitr"),
    "while the database is away": lambda archive, there: there.state["status"] == "RESTORING",
    "while the services come up": lambda archive, there: there.state["status"] == "COMING_UP",
    "before it was looked at": lambda archive, there: "applied" in events(archive),
}


@nightly
@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_is_killed_goes_on_and_asks_once(pair, settings, tmp_path, monkeypatch, point):
    good, xid, at = damage(pair)
    notebooks, archive = tmp_path / "notebooks", tmp_path / "archive"
    bench.notebook(notebooks, step(xid, at, notice=0.1))
    monkeypatch.setenv("OPS_NOTEBOOKS", str(notebooks))
    (archive / "runs").mkdir(parents=True)
    with project(settings) as there:
        run, _ = killed("runbooks/try-things", (), archive, lambda: POINTS[point](archive, there))
        result = resume(run, archive)
        assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
        assert len(there.posts("/restore-pitr")) == 1
    assert one(servers(pair)[0], EVERYTHING) == good


@nightly
@pytest.mark.parametrize(("fault", "more"), [("lost", {}), ("slow", {"seconds": 65})])
def test_a_vendor_that_did_it_and_never_answered_is_followed(pair, settings, tmp_path, fault, more):
    good, xid, at = damage(pair)
    with project(settings) as there, there.doors.fault("supabase", fault, method="POST", path="/restore-pitr", **more):
        result, folder = bench.run(tmp_path, settings, step(xid, at, notice=1.0))
        assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
        assert len(there.posts("/restore-pitr")) == 1
    assert "settled" in [event["event"] for event in bench.events(folder)]
    assert one(servers(pair)[0], EVERYTHING) == good
