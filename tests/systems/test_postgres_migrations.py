"""A file and its record in one transaction, on a real server: both or neither, also where a text would not have it."""

import pytest

from opslib.errors import Refused, StepFailed
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_migrations import Limits, apply_file, roll_back_file
from tests.backup_place import place as make_place
from tests.migration_place import SCHEMA

LIMITS = Limits(1.0, 1.0, 30.0)
V = "20260401000000"


@pytest.fixture
def place(lab):
    with make_place(lab, SCHEMA) as made:
        yield made


@pytest.fixture
def session(place):
    with AdminDatabase(place.settings.database_url, "test") as made:
        yield made


def recorded(place):
    rows = place.sql("SELECT version FROM supabase_migrations.schema_migrations ORDER BY 1")
    return [row["version"] for row in rows][1:]


def there(place):
    return bool(place.sql("SELECT 1 FROM pg_class WHERE relname = 'made'"))


def test_a_file_of_many_statements_is_executed_as_it_is_percent_signs_and_all(place, session):
    text = "CREATE TABLE made (t text DEFAULT '100 %s');\nINSERT INTO made DEFAULT VALUES; -- 5 %\n"
    apply_file(session, V, "n", text, ["one", "two"], LIMITS)
    assert place.sql("SELECT t FROM made") == [{"t": "100 %s"}]
    (row,) = place.sql(f"SELECT * FROM supabase_migrations.schema_migrations WHERE version = '{V}'")
    assert row == {"version": V, "statements": ["one", "two"], "name": "n"}
    roll_back_file(session, V, "DROP TABLE made", LIMITS)
    assert (recorded(place), there(place)) == ([], False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("CREATE TABLE made (); SELECT pg_sleep(5)", "statement timeout"),
        ("CREATE TABLE made ();\n\nSELECT nothing", "line 3 of the file"),
        ("CREATE TABLE made (); DELETE FROM supabase_migrations.schema_migrations", "changed its own record"),
    ],
)
def test_what_fails_or_meddles_with_its_record_leaves_nothing(place, session, text, why):
    with pytest.raises(StepFailed, match=why):
        apply_file(session, V, "n", text, [], LIMITS)
    assert (recorded(place), there(place)) == ([], False)
    assert len(place.sql("SELECT 1 FROM supabase_migrations.schema_migrations")) == 1


def test_a_text_that_ends_the_transaction_is_told_though_its_first_part_is_there(place, session):
    # The plan refuses such a file by its words; this is the net behind.
    with pytest.raises(StepFailed, match="ended its transaction"):
        apply_file(session, V, "n", "CREATE TABLE made (); COMMIT; SELECT 1", [], LIMITS)
    assert there(place)


def test_what_is_recorded_is_not_applied_and_what_is_not_is_not_rolled_back(place, session):
    apply_file(session, V, "n", "CREATE TABLE made ()", [], LIMITS)
    with pytest.raises(StepFailed, match="duplicate key"):
        apply_file(session, V, "n", "DROP TABLE made", [], LIMITS)
    assert there(place)
    with pytest.raises(StepFailed, match="not recorded any more"):
        roll_back_file(session, "20260402000000", "DROP TABLE made", LIMITS)
    assert (recorded(place), there(place)) == ([V], True)


def test_limits_end_with_the_transaction(place, session):
    apply_file(session, V, "n", "SELECT 1", [], LIMITS)
    assert session.execute("SELECT current_setting('lock_timeout') AS s", what="look") == [{"s": "0"}]


def test_a_session_that_verifies_sends_no_script(place):
    with (
        AdminDatabase(place.settings.database_url, "test", read_only=True) as looking,
        pytest.raises(Refused, match="does not run it"),
    ):
        looking.script("CREATE TABLE made ()", what="run it", seconds=5)
