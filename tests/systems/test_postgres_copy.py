import uuid
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from opslib.errors import Refused, StepFailed
from opslib.systems import programs
from opslib.systems.postgres_admin import AdminDatabase, snapshot
from opslib.systems.postgres_copy import END, Source, begins, load, rows, written
from opslib.systems.postgres_databases import Locale, create_database, drop_database

SOURCE = Source("public", "t", ("id", 'odd "name", :here \\', "100%"))
TABLE = (
    'id int GENERATED ALWAYS AS IDENTITY, "odd ""name"", :here \\" text, "100%" text,'
    " made text GENERATED ALWAYS AS ('m') STORED"
)
VALUES = "(1, E'\\\\.', NULL), (2, E'tab\\there\\nline', ''), (3, E'\\\\N', 'ö'), (4, ':name', '%s')"


@pytest.fixture(scope="module")
def database(lab):
    name = f"copy_{uuid.uuid4().hex[:8]}"
    with AdminDatabase(lab.settings.scratch_database_url, "opslib:test") as session:
        create_database(session, name, Locale("UTF8", "libc", "C", "C"))
        yield lab.settings.scratch_database_url.with_path(name)
        drop_database(session, name)


@pytest.fixture
def session(database):
    with AdminDatabase(database, "opslib:test") as opened:
        opened.execute(f"CREATE TABLE t ({TABLE}); CREATE TABLE other (LIKE t)", what="create")
        opened.execute(f"INSERT INTO t OVERRIDING SYSTEM VALUE VALUES {VALUES}", what="fill")
        yield opened
        opened.execute("DROP TABLE t, other", what="clean up")


def script(session, source=SOURCE):
    """Return what is written of the table, and the version of the server."""
    version = session.execute("SHOW server_version", what="look")[0]["server_version"]
    with snapshot(session.url, "opslib:test", statement_seconds=20) as (_, shared):
        session.execute("INSERT INTO t (id) OVERRIDING SYSTEM VALUE VALUES (99)", what="write behind the snapshot")
        with written(session.url, source, shared, 5, server_version=version, seconds=60) as chunks:
            data = b"".join(chunks)
    session.execute("DELETE FROM t WHERE id = 99", what="go back")
    return data, version


def content(session):
    return session.execute("SELECT t::text AS line FROM t ORDER BY 1", what="look")


def test_a_table_comes_back_from_its_script_with_every_odd_value_and_is_emptied_first(session):
    before = content(session)
    data, _ = script(session)
    assert content(session) == before
    assert load(session, SOURCE, [data], 60) == 4
    assert content(session) == before


def test_psql_carries_the_script_out_without_us(session):
    before = content(session)
    data, version = script(session)
    session.execute("TRUNCATE t", what="empty")
    programs.feed("psql", session.url, ["--file=-"], [data], server_version=version, seconds=60)
    assert content(session) == before


def test_rows_are_stored_as_a_vacuum_would_leave_them(session):
    data, _ = script(session)
    load(session, SOURCE, [data], 60)
    session.execute("CREATE EXTENSION IF NOT EXISTS pg_visibility", what="look into pages")
    said = session.execute("SELECT all_visible, all_frozen FROM pg_visibility_map_summary('t')", what="look")
    assert said == [{"all_visible": 1, "all_frozen": 1}]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b'"t"', b'"other"', 1),
        lambda data: b"TRUNCATE other;\n" + data,
        lambda data: data[:-1],
        lambda data: data[:40],
        lambda data: b"",
        lambda data: data.replace(b"\t", b"", 1),
        lambda data: data[: -len(END)] + b"5\tx\n" + END,
    ],
)
def test_what_is_no_script_of_the_table_leaves_it_as_it_was(session, change):
    before = content(session)
    data, _ = script(session)
    with pytest.raises(StepFailed):
        load(session, SOURCE, [change(data)], 60)
    assert content(session) == before


def test_statements_behind_the_rows_are_never_carried_out(session):
    data, _ = script(session)
    evil = data + b"DROP TABLE other;\n" + END
    with suppress(StepFailed):
        load(session, SOURCE, [evil], 60)
    assert session.execute("SELECT FROM other", what="look") == []


def test_an_error_of_the_source_is_raised_as_it_is_and_leaves_the_table_as_it_was(session):
    before = content(session)
    data, _ = script(session)

    def broken():
        yield data[:-10]
        raise Refused("The object is another one.", "Look.")

    with pytest.raises(Refused, match="another one"):
        load(session, SOURCE, broken(), 60)
    assert content(session) == before


def test_a_session_that_verifies_loads_nothing(session):
    with AdminDatabase(session.url, "opslib:test", read_only=True) as reading, pytest.raises(Refused, match="verifies"):
        reading.load(sql.SQL("COPY t FROM STDIN").format(), [b""], what="load")


def test_a_column_that_is_not_there_fails_before_a_row_is_handed_out(session):
    with pytest.raises(StepFailed, match="does not exist"):
        script(session, Source("public", "t", ("never",)))


@given(st.lists(st.binary(max_size=40)), st.integers(1, 60))
def test_rows_come_out_whatever_the_chunks_are(lines, size):
    inside = b"".join(lines)
    whole = SOURCE.head() + inside + END
    chunks = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert b"".join(rows(SOURCE, chunks)) == inside
    begins(SOURCE, chunks)


@given(st.integers(0, len(SOURCE.head()) + len(END) - 1))
def test_a_script_that_is_cut_anywhere_is_refused(at):
    with pytest.raises(StepFailed):
        list(rows(SOURCE, [(SOURCE.head() + END)[:at]]))
