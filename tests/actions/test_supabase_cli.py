"""What our migrations leave in the history is what the real Supabase CLI reads and writes there, and the other way."""

import re

import pytest

from opslib.actions.database import ApplyMigrations, RollBackMigration
from opslib.errors import Refused
from opslib.model import Verdict
from tests import supabase_cli
from tests.migration_place import DUE, NOTES, bench
from tests.scale import nightly

pytestmark = supabase_cli.needed
BASE = "20260101000000"
TOO_FEW = "ALTER TABLE public.things ADD CONSTRAINT few CHECK (worth < 100);\n"


@pytest.fixture(scope="module")
def shared(lab, tmp_path_factory):
    with bench(lab, tmp_path_factory.mktemp("bench")) as made:
        yield made


@pytest.fixture
def place(shared, tmp_path):
    # What is made once is made before the test's own database is as the schema makes it.
    assert shared.rehearsed.is_dir()
    with shared.checkout(tmp_path / "supabase") as made:
        (tmp_path / "supabase" / "config.toml").write_text('project_id = "valuecanvas"\n')
        yield made


@pytest.fixture
def supabase(place, tmp_path):
    return supabase_cli.Cli(place.settings.database_url, tmp_path)


def history(place):
    """Return the rows of the history, without the line by which a run of ours knows its own."""
    rows = place.place.sql("SELECT version, name, statements FROM supabase_migrations.schema_migrations ORDER BY 1")
    return [row | {"statements": [re.sub("^-- opslib: .*\n", "", one) for one in row["statements"]]} for row in rows]


@pytest.fixture
def ready(place):
    """Two pending migrations with rollbacks, rehearsed."""
    return place.rehearsed()


def done(place, action):
    said = place.carry_out(action)[2]
    assert said.verdict is Verdict.OK, said.summary


@nightly
def test_what_we_applied_is_applied_for_the_cli_and_what_we_rolled_back_is_pending_again(ready, supabase):
    assert "up to date" not in supabase("db", "push", "--dry-run")
    done(ready, ApplyMigrations(through="all"))
    assert "up to date" in supabase("db", "push", "--dry-run")
    done(ready, RollBackMigration(version=DUE[0]))
    said = supabase("db", "push", "--dry-run")
    assert (DUE[0] in said, NOTES[0] in said) == (True, False)


def test_the_cli_records_a_migration_in_the_same_words_as_we_do(ready, supabase):
    done(ready, ApplyMigrations(through="all"))
    ours = history(ready)
    for version in (DUE[0], NOTES[0]):
        done(ready, RollBackMigration(version=version))
    supabase("db", "push")
    assert history(ready) == ours


def test_what_the_cli_applied_is_not_applied_again_by_us_and_can_be_rolled_back(ready, supabase):
    supabase("db", "push")
    before = ready.state()
    assert ready.plan(ApplyMigrations(through="all")).touches == 0
    done(ready, RollBackMigration(version=DUE[0]))
    assert "due" not in ready.columns()
    supabase("db", "push")
    assert ready.state() == before


def test_what_nobody_rehearsed_is_not_rolled_back_although_the_cli_applied_it(place, supabase):
    place.both()
    supabase("db", "push")
    with pytest.raises(Refused, match="never rehearsed"):
        place.plan(RollBackMigration(version=DUE[0]))


@nightly
def test_a_history_that_was_repaired_by_hand_but_not_the_database_holds_us_up(ready, supabase):
    supabase("migration", "repair", "--status", "applied", NOTES[0])
    with pytest.raises(Refused, match=r"notes is half applied: recorded, but table public.notes is not there"):
        ready.plan(ApplyMigrations(through="all"))


@nightly
def test_a_push_that_broke_off_is_pending_where_it_broke_off(ready, supabase):
    ready.file("20260403090000", "few", "ALTER TABLE public.things ADD COLUMN a int;\n" + TOO_FEW, "SELECT 1;")
    assert "violated by some row" in supabase("db", "push", code=1)
    assert "a" not in ready.columns()
    assert ready.versions() == [BASE, NOTES[0], DUE[0]]
    assert ready.plan(ApplyMigrations(through="20260403090000")).touches == 1
