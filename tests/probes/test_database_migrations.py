"""What a migration's text says, and where each version stands: pure rules on texts and rows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import Unreachable
from opslib.probes.database_migration_files import parse, read
from opslib.probes.database_migration_standing import mark, marked, sought, stand
from opslib.probes.database_migration_text import destroys, plain, refused, split
from opslib.probes.database_migration_things import Thing, makes, table_of, without_security
from opslib.probes.database_rehearsals import strongest
from opslib.settings import load_reading
from tests.test_settings import GOOD

ODD = r"""
-- a comment; with a semicolon
CREATE TABLE a (t text DEFAULT ';' /* ; /* nested ; */ */, "odd;""name" int);
INSERT INTO a VALUES ($$it's; $$, $tag$ $$ ; $tag$, E'\'; '), ('''; ');
CREATE FUNCTION f(n int) RETURNS int LANGUAGE sql BEGIN ATOMIC
  SELECT CASE WHEN n > 0 THEN 1 END; SELECT 2;
END;
SELECT $1, date '2026-01-01'
"""


def one(text):
    (statement,) = split(text)
    return statement


def test_a_semicolon_ends_a_statement_only_where_postgresql_says_so():
    found = split(ODD)
    assert [(s.begins, s.line) for s in found] == [("create", 3), ("insert", 4), ("create", 5), ("select", 8)]
    assert found[0].text.startswith("-- a comment; with")
    assert found[2].text.endswith("END")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SELECT 1;\nSELECT 'open", "line 2 has a quote"),
        ('SELECT "open', "line 1 has a quote"),
        ("SELECT 1; /* open /* */", "line 1 has a comment"),
        ("\\i other.sql", "a psql command"),
    ],
)
def test_what_is_no_sql_is_refused_with_its_line(text, why):
    with pytest.raises(ValueError, match=why):
        split(text)
    assert why.split("has")[0].strip() in (parse("1", "x", text).fault or why)


@given(st.text(max_size=200))
def test_any_text_is_split_or_refused_and_no_word_is_lost(text):
    try:
        found = split(text)
    except ValueError:
        return
    assert all(statement.text in text for statement in found)
    assert plain(";\n".join(statement.text for statement in found)) == tuple(statement.words for statement in found)


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN",
        "commit",
        "ROLLBACK",
        "START TRANSACTION",
        "SAVEPOINT a",
        "PREPARE TRANSACTION 'a'",
        "END",
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "DROP INDEX CONCURRENTLY i",
        "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
        "VACUUM t",
        "REINDEX TABLE t",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "CREATE DATABASE d",
        "DROP SUBSCRIPTION s",
        "CREATE TABLESPACE t LOCATION '/x'",
        "COPY t FROM STDIN",
        "COPY t TO PROGRAM 'sh'",
    ],
)
def test_what_cannot_share_a_transaction_with_its_record_is_refused(text):
    assert refused(one(text))


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a int)",
        "CREATE INDEX i ON t (a)",
        "PREPARE x AS SELECT 1",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "ALTER TYPE mood ADD VALUE 'odd'",
        "COMMENT ON TABLE t IS 'commit; begin'",
        "COPY t FROM '/srv/data.csv'",
    ],
)
def test_what_can_is_not(text):
    assert refused(one(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE t",
        "DROP POLICY p ON t",
        "TRUNCATE t",
        "DELETE FROM t WHERE id = 1",
        "UPDATE t SET a = 1 WHERE id = 1",
        "MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE",
        "ALTER TABLE t DROP COLUMN a",
        "ALTER TABLE t RENAME TO s",
        "ALTER TABLE t ALTER COLUMN a TYPE int",
        "ALTER TABLE t ALTER a SET DATA TYPE int",
        "ALTER TABLE t DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE t DETACH PARTITION p",
        "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "SELECT cleanup()",
        "DO $$ BEGIN NULL; END $$",
        "CALL p()",
        "EXECUTE x",
    ],
)
def test_what_drops_overwrites_or_cannot_be_told_counts_as_destroying(text):
    assert destroys(one(text))


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a int REFERENCES s ON DELETE CASCADE)",
        "CREATE POLICY p ON t FOR UPDATE USING (true)",
        "CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM t $$",
        "ALTER TABLE t ADD COLUMN type text",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS type text",
        "ALTER TABLE t ALTER COLUMN a DROP NOT NULL",
        "ALTER TABLE t ALTER COLUMN a DROP DEFAULT",
        "ALTER TYPE mood ADD VALUE 'odd'",
        "GRANT DELETE, UPDATE ON t TO r",
        "INSERT INTO t VALUES ('drop table; delete')",
        "COMMENT ON COLUMN t.a IS 'DROP'",
    ],
)
def test_what_only_adds_does_not(text):
    assert destroys(one(text)) is None


def test_what_a_statement_makes_is_named_with_its_schema():
    made = {
        "CREATE TABLE IF NOT EXISTS t (a int)": [Thing("table", "public", "t", tolerant=True)],
        'CREATE UNLOGGED TABLE app."Odd ""one" (a int)': [Thing("table", "app", 'Odd "one')],
        "CREATE TEMP TABLE t (a int)": [],
        "CREATE UNIQUE INDEX i ON ONLY app.t (a)": [Thing("index", "app", "i")],
        "CREATE INDEX ON t (a)": [],
        "CREATE OR REPLACE VIEW v AS SELECT 1": [Thing("view", "public", "v", tolerant=True)],
        "CREATE MATERIALIZED VIEW app.v AS SELECT 1": [Thing("view", "app", "v")],
        "CREATE POLICY p ON app.t USING (true)": [Thing("policy", "app", "p", "t")],
        "CREATE TRIGGER g BEFORE UPDATE ON t EXECUTE FUNCTION f()": [Thing("trigger", "public", "g", "t")],
        "CREATE TYPE mood AS ENUM ('ok')": [Thing("type", "public", "mood")],
        "CREATE SCHEMA app": [Thing("schema", "app", "app")],
        "CREATE EXTENSION pg_trgm": [],
        "CREATE DATABASE": [],
        "ALTER TABLE t ADD a numeric(1, 2), ADD IF NOT EXISTS b int, ADD CONSTRAINT c CHECK (a > 0), ADD UNIQUE (b)": [
            Thing("column", "public", "a", "t"),
            Thing("column", "public", "b", "t", tolerant=True),
            Thing("constraint", "public", "c", "t"),
        ],
        "ALTER TABLE t ADD": [],
        "INSERT INTO t VALUES (1)": [],
    }
    assert {text: list(makes(one(text))) for text in made} == made


def test_the_table_of_a_statement_is_the_one_that_it_locks():
    assert table_of(one("ALTER TABLE IF EXISTS ONLY app.t ADD a int")) == ("app", "t")
    assert table_of(one("CREATE INDEX ON t USING gin (a)")) == ("public", "t")
    assert table_of(one("CREATE TABLE t (a int)")) == ("public", "t")
    assert table_of(one("UPDATE t SET a = 1")) is None


def test_a_new_table_needs_row_level_security_in_these_files():
    text = (
        "CREATE TABLE a (); CREATE TABLE b (); CREATE TEMP TABLE c (); ALTER TABLE public.b ENABLE ROW LEVEL SECURITY"
    )
    assert [str(table) for table in without_security(split(text))] == ["table public.a"]


def folder(tmp_path, **texts):
    for kind in ("migrations", "rollbacks"):
        (tmp_path / kind).mkdir(exist_ok=True)
    for name, text in texts.items():
        (tmp_path / "migrations" / f"{name[1:]}.sql").write_text(text)
    return read(load_reading({**GOOD, "OPS_MIGRATIONS": str(tmp_path)}))


def states(found, history, there=()):
    return {one.version: one.state for one in stand(found, history, frozenset(there))}


def row(version, *statements):
    return {"version": version, "name": "n", "statements": list(statements) or None}


A, B, C = "20260101000000", "20260102000000", "20260103000000"


def test_versions_are_applied_pending_missing_late_or_twice(tmp_path):
    found = folder(
        tmp_path, **{f"_{A}_a": "CREATE TABLE a ();", f"_{B}_b": "CREATE TABLE b ();", f"_{B}_c": "SELECT 1;"}
    )
    table = Thing("table", "public", "a")
    assert states(found, [row(A), row(C)], [table]) == {A: "applied", B: "named twice", C: "missing here"}
    (tmp_path / "b").mkdir()
    found = folder(tmp_path / "b", **{f"_{A}_a": "CREATE TABLE a ();", f"_{C}_c": "CREATE TABLE c ();"})
    assert states(found, [row(B)]) == {A: "out of order", B: "missing here", C: "pending"}
    assert states(found, []) == {A: "pending", C: "pending"}


def test_half_applied_is_seen_by_what_is_there_and_by_what_is_not(tmp_path):
    found = folder(tmp_path, **{f"_{A}_a": "CREATE TABLE a ();", f"_{B}_b": "CREATE TABLE b (); CREATE TABLE bb ();"})
    a, b = Thing("table", "public", "a"), Thing("table", "public", "b")
    assert set(sought(found, [row(A)])) == {a, b, Thing("table", "public", "bb")}
    assert states(found, [row(A)], [a]) == {A: "applied", B: "pending"}
    assert states(found, [row(A)], [a, b]) == {A: "applied", B: "half applied"}
    assert states(found, [row(A)], []) == {A: "half applied", B: "pending"}


def test_what_a_file_takes_away_or_tolerates_tells_nothing(tmp_path):
    text = "DROP POLICY IF EXISTS p ON t; CREATE POLICY p ON t; CREATE TABLE IF NOT EXISTS t ();"
    found = folder(tmp_path, **{f"_{A}_a": "CREATE TABLE gone ();", f"_{B}_b": "DROP TABLE gone;", f"_{C}_c": text})
    assert sought(found, [row(A), row(B)]) == ()
    versions = stand(found, [row(A), row(B)], frozenset())
    assert [(one.state, one.looked) for one in versions] == [("applied", True), ("applied", True), ("pending", False)]


def test_an_edit_is_seen_and_a_comment_is_none(tmp_path):
    found = folder(tmp_path, **{f"_{A}_a": "CREATE TYPE a AS ENUM ('x'); -- why\nCREATE TYPE b AS ENUM ('y');"})
    there = sought(found, [row(A)])
    same = row(A, mark("0" * 64, "r1") + "create type a as enum ('x')", "CREATE TYPE b AS ENUM ('y')")
    assert marked(same) == ("0" * 64, "r1")
    assert states(found, [same], there) == {A: "applied"}
    assert states(found, [row(A, "CREATE TYPE a AS ENUM ('x')")], there) == {A: "edited since"}
    assert states(found, [row(A, "CREATE TYPE a AS ENUM ('z')", "CREATE TYPE b AS ENUM ('y')")], there) == {
        A: "edited since"
    }
    (unknown,) = stand(found, [row(A)], frozenset(there))
    assert (unknown.state, unknown.compared) == ("applied", False)
    assert marked(row(A)) is None
    (odd,) = stand(found, [row(A, "CREATE TYPE a AS ENUM ('x")], frozenset(there))
    assert not odd.compared


def test_names_that_are_none_and_rollbacks_that_say_nothing_are_told(tmp_path):
    folder(tmp_path, **{f"_{A}_a": "SELECT 1;", "_2026_short": "", "_notes": ""})
    (tmp_path / "rollbacks" / "YYYYMMDD_rollback.sql").write_text("-- TEMPLATE")
    (tmp_path / "rollbacks" / f"{B}_b.sql").write_text("-- TODO: undo\nSELECT 1;")
    (tmp_path / "rollbacks" / f"{C}_c.sql").write_text("DROP TABLE c;")
    found = folder(tmp_path)
    assert found.wrong == ("migrations/2026_short.sql", "migrations/notes.sql", "rollbacks/YYYYMMDD_rollback.sql")
    assert "there is no file" in found.why_no_rollback(A)
    assert "is a template" in found.why_no_rollback(B)
    assert found.why_no_rollback(C) is None


def test_a_folder_that_is_not_there_not_described_or_not_readable_is_unknown(tmp_path):
    for given_, why in (({}, "not described"), ({"OPS_MIGRATIONS": str(tmp_path / "none")}, "There is no folder")):
        with pytest.raises(Unreachable, match=why):
            read(load_reading({**GOOD, **given_}))
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / f"{A}_a.sql").write_bytes(b"\xff")
    with pytest.raises(Unreachable, match="not UTF-8"):
        folder(tmp_path)
    (tmp_path / "migrations" / f"{A}_a.sql").unlink()
    (tmp_path / "migrations" / f"{A}_a.sql").symlink_to("/etc/hostname")
    with pytest.raises(Unreachable, match="cannot be read"):
        folder(tmp_path)


def test_the_strongest_lock_counts_and_reading_does_not():
    locks = [("a", "AccessShareLock"), ("b", "ShareLock"), ("b", "AccessExclusiveLock"), ("b", "RowExclusiveLock")]
    assert strongest(locks) == {"b": "AccessExclusiveLock"}


def test_the_labs_files_can_run_and_their_new_tables_are_closed():
    for path in Path("opslib/lab/migrations").glob("*.sql"):
        file = parse(path.name[:14], path.name[15:-4], path.read_text())
        assert (file.fault, file.destroys, without_security(file.statements)) == (None, None, ())
        assert (Path("opslib/lab/rollbacks") / path.name).is_file()
