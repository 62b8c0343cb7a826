"""Rows that one transaction damaged, brought back from a copy beside the live database; others' work stays."""

from __future__ import annotations

import pytest

from opslib.actions.database import BringBackRows
from opslib.actions.database_rows import TOUCHED
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.database import DATABASE
from opslib.lab.recovery import Before
from opslib.model import Outcome
from opslib.probes import ASKED
from opslib.runs.reading import take
from opslib.systems.filing import Filing
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.backup_place import quiet
from tests.headless import bench
from tests.killing import killed
from tests.lab.test_point_in_time import events
from tests.lab.test_standby import kept, one, servers
from tests.scale import nightly

ODD = """
create table public.odd (
  part int, name text, exact numeric, rough double precision, raw bytea, said json, tags text[], wait interval,
  at timestamptz, twice int generated always as (part * 2) stored, touched timestamptz, primary key (part, name)
);
insert into public.odd (part, name, exact, rough, raw, said, tags, wait, at) select n % 3, E'n "' || n || E'\\\\, ü',
  case when n = 2 then 'NaN' else n / 7.0 end, n / 3.0, decode(md5(n::text), 'hex'),
  ('{"b":1,  "a":' || n || '}')::json, array['a', null, 'c,"d'], n * interval '1 month 1 day',
  now() + n * interval '1 hour' from generate_series(1, 9) as n;
create function public.touch() returns trigger language plpgsql as
  $$ begin new.touched := clock_timestamp(); return new; end $$;
create trigger touch before update on public.odd for each row execute function public.touch();
create table public.even (id int primary key, word text);
insert into public.even select n, 'word ' || n from generate_series(1, 7) as n;
create table public.night (id int primary key, word text);
create table public.parents (id int primary key);
create table public.children (id int primary key, parent int references public.parents on delete cascade, word text);
insert into public.parents select generate_series(1, 3);
insert into public.children select n, 1 + n % 3, 'word ' || n from generate_series(1, 6) as n;
"""
NEW = "('made by it', 'by others')"
REST = f"(select * from public.odd where strpos(name, '4') = 0 and name not in {NEW})"
ALL = "select md5(string_agg(t::text, e'\\n' order by t::text)) from {} t"


class Damage:
    """One transaction that changed all of two tables, and what others did afterwards."""

    def __init__(self, pair):
        self.pair = pair
        self.primary, *_ = servers(pair)
        with self.primary.session(DATABASE) as session:
            session.execute(ODD)
        self.good = self.all("public.odd")
        with self.primary.session(DATABASE) as session, session.transaction():
            session.execute("update public.odd set exact = 0, raw = null, said = 'null', tags = '{}'")
            session.execute("insert into public.odd (part, name) values (9, 'made by it')")
            session.execute("update public.even set word = 'oops'")
            session.execute("update public.children set word = 'oops'")
            self.xid = int(str(session.execute("select pg_current_xact_id()::xid::text as x").fetchone()["x"]))
        self.at = one(self.primary, "select pg_xact_commit_timestamp(%s::text::xid)", str(self.xid))
        with self.primary.session(DATABASE) as session:
            session.execute("update public.odd set wait = '5 days' where strpos(name, '4') > 0")
            session.execute("delete from public.odd where strpos(name, '5') > 0")
            session.execute("insert into public.odd (part, name) values (8, 'by others')")
            session.execute("delete from public.parents where id = 2")
        kept(pair)

    def all(self, table):
        return one(self.primary, ALL.format(table))


@pytest.fixture(scope="module")
def copied():
    """What the tests of this file share once it is made; its tables go afterwards."""
    shared = {}
    yield shared
    if "damage" in shared:
        with shared["damage"].primary.session(DATABASE) as session:
            session.execute("drop table public.odd, public.even, public.children, public.parents, public.night")
            session.execute("drop function public.touch")


@pytest.fixture
def there(pair, copied, tmp_path, monkeypatch):
    if "damage" not in copied:
        copied["damage"] = Damage(pair)
        copied["damage"].copy = pair.recover(Before(copied["damage"].at, copied["damage"].xid))
    monkeypatch.setenv("OPS_LAB", str(pair.folder))
    damage, settings = copied["damage"], pair.settings()
    damage.settings, damage.files = settings, Filing(tmp_path / "r1", "r1", "bring-back")
    (tmp_path / "r1").mkdir()
    damage.planning, damage.looking = PlanTarget(settings, "r1"), VerifyTarget(settings, "r1", damage.files)
    damage.writing = WriteTarget(settings, "r1", damage.files)
    yield damage
    for target in (damage.planning, damage.looking, damage.writing):
        target.close()


def test_live_database_and_copy_are_compared_table_by_table(there):
    reading = take(ASKED["database-recovered-rows"], there.planning)
    rows = {row["table"]: row for row in reading.rows}
    odd = {name: rows["public.odd"][name] for name in ("live", "copy", "only_live", "only_copy", "differing")}
    assert odd == {"live": 10, "copy": 9, "only_live": 2, "only_copy": 1, "differing": 8}
    assert (rows["public.even"]["differing"], rows["public.children"]["only_copy"]) == (7, 2)
    assert rows["public.users"]["equal"] is True
    assert [row["table"] for row in reading.rows if row["equal"] is None] == []


def test_without_their_deletion_rows_that_are_gone_stay_gone(there):
    plan = BringBackRows(table="public.odd", xid=there.xid).plan(there.planning)
    assert plan.touches == 7
    assert plan.observed["deleted since, by whom nothing says"].startswith("1 rows: 2,")


def test_rows_come_back_exactly_and_what_others_wrote_stays(there):
    action = BringBackRows(table="public.odd", xid=there.xid, with_deleted=True)
    before = there.all("public.odd")
    plan = action.plan(there.planning)
    assert (plan.touches, there.all("public.odd")) == (8, before)
    assert plan.observed[TOUCHED] == 1
    (conflict,) = [value for name, value in plan.observed.items() if name.startswith("row ")]
    assert conflict == "is other in exact, raw, said, tags, touched, wait"
    assert plan.observed["made by that transaction: they stay"] == "1 rows: 9,made by it"
    assert plan.observed["triggers that do not fire"] == ["touch"]
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.NOT_DONE

    values = action.apply(there.writing, plan, quiet)
    looked = action.verify(there.looking, plan, values)
    assert (looked.verdict, values["rows"]) == ("OK", 8)
    assert "8 of 8 rows are exactly as in the copy; 1 that others had changed since the damage stay" in looked.summary
    assert one(there.primary, "select wait = '5 days' and exact = 0 from public.odd where strpos(name, '4') > 0")
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.DONE

    # But for the row that somebody changed since, and those that are new, all is byte for byte what it was.
    assert there.all(REST) == one(there.copy, ALL.format(REST))
    assert one(there.primary, f"select count(*) from public.odd where name in {NEW}") == 2

    assert action.undo(there.writing, plan, values, quiet).verdict == "OK"
    assert there.all("public.odd") == before


def test_what_somebody_works_on_meanwhile_is_not_overwritten_and_nothing_is_half_undone(there):
    action = BringBackRows(table="public.even", xid=there.xid)
    plan = action.plan(there.planning)
    values = action.apply(there.writing, plan, quiet)
    assert action.verify(there.looking, plan, values).verdict == "OK"
    with there.primary.session(DATABASE) as session:
        session.execute("update public.even set word = 'newer' where id = 3")
    before = there.all("public.even")
    with pytest.raises(Refused, match="1 of 7 rows were changed since: nothing was undone"):
        action.undo(there.writing, plan, values, quiet)
    assert there.all("public.even") == before
    looked = action.verify(there.looking, plan, values)
    assert (looked.verdict, "1 were changed by others since" in looked.summary) == ("OK", True)
    with pytest.raises(Refused, match="Other rows are damaged by now than planned"):
        action.apply(there.writing, plan, quiet)
    with there.primary.session(DATABASE) as session:
        session.execute("update public.even set word = 'newest'")
    assert action.verify(there.looking, plan, values).verdict == "UNKNOWN"


def test_rows_that_would_refer_to_nothing_are_not_written(there):
    """A parent was deleted after the damage, and its children with it: they can't come back alone."""
    action = BringBackRows(table="public.children", xid=there.xid, with_deleted=True)
    before = there.all("public.children")
    plan = action.plan(there.planning)
    with pytest.raises(StepFailed, match=r"2 rows would refer to rows of public\.parents that are gone") as told:
        action.apply(there.writing, plan, quiet)
    assert "table=public.parents, with_deleted=true" in told.value.next_step
    assert there.all("public.children") == before
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.NOT_DONE
    parents = BringBackRows(table="public.parents", xid=there.xid, with_deleted=True)
    for one_of in (parents, action):
        there.files.begin()
        plan = one_of.plan(there.planning)
        assert one_of.verify(there.looking, plan, one_of.apply(there.writing, plan, quiet)).verdict == "OK"
    assert there.all("public.children") == one(there.copy, ALL.format("public.children"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"recovered_database_url": None}, "No recovered copy of the database is described"),
        ({"recovered_database_url": "live"}, "is the live server itself"),
        ({"recovered_database_url": "standby"}, "The copy has transaction .* as well"),
    ],
)
def test_a_copy_that_is_none_of_that_moment_is_told(there, changes, why):
    known = {"live": there.settings.database_url, "standby": there.settings.standby_database_url, None: None}
    settings = there.settings.model_copy(update={name: known[value] for name, value in changes.items()})
    target = PlanTarget(settings, "r1")
    try:
        with pytest.raises((Refused, Unreachable), match=why) as told:
            BringBackRows(table="public.odd", xid=there.xid).plan(target)
        assert told.value.next_step
    finally:
        target.close()


@pytest.mark.parametrize(
    ("table", "xid", "why"),
    [
        ("public.nowhere", 0, "There is no table public.nowhere"),
        ("public.odd", 1, "The live server has no commit time"),
        ("public.odd", -1, "would be undone"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(there, table, xid, why):
    xid = {0: there.xid, 1: 4_000_000_000, -1: there.xid + 1}[xid]
    with pytest.raises(Refused, match=why):
        BringBackRows(table=table, xid=xid).plan(there.planning)


STEP = "from opslib import actions\nrun.step(actions.database.BringBackRows(table='public.night', xid={xid}))"
WAITS = (
    "select count(*) from pg_stat_activity where starts_with(application_name, 'opslib:') and wait_event_type = 'Lock'"
)
POINTS = {
    "before anything is kept": lambda archive, there: "intent" in events(archive),
    "while it waits in its transaction": lambda archive, there: one(there.primary, WAITS),
    "before it was looked at": lambda archive, there: "applied" in events(archive),
}


@nightly
@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_is_killed_goes_on_and_can_be_undone(pair, there, tmp_path, monkeypatch, point):
    with there.primary.session(DATABASE) as session:
        session.execute("truncate public.night")
        session.execute("insert into public.night select n, 'word ' || n from generate_series(1, 500) as n")
        good = there.all("public.night")
        session.execute("update public.night set word = 'oops'")
    xid = int(one(there.primary, "select xmin::text from public.night limit 1"))
    bad, at = there.all("public.night"), one(there.primary, "select pg_xact_commit_timestamp(%s::text::xid)", str(xid))
    kept(pair)
    pair.recover(Before(at, xid))
    notebooks, archive = tmp_path / "notebooks", tmp_path / "archive"
    bench.notebook(notebooks, STEP.format(xid=xid))
    monkeypatch.setenv("OPS_NOTEBOOKS", str(notebooks))
    (archive / "runs").mkdir(parents=True)
    with there.primary.session(DATABASE) as holder, holder.transaction(force_rollback=True):
        if "waits" in point:
            holder.execute("select 1 from public.night where id = 400 for update")
        run, _ = killed("runbooks/try-things", (), archive, lambda: POINTS[point](archive, there))
    result = resume(run, archive)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert there.all("public.night") == good
    taken = undo(result["run"], archive)
    assert (taken["state"], taken["exit_code"]) == ("finished", 0), taken["reason"]
    assert there.all("public.night") == bad
