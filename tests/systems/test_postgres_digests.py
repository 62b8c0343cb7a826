import uuid

import pytest

from opslib.systems.postgres_admin import AdminDatabase, snapshot
from opslib.systems.postgres_databases import Locale, create_database, drop_database
from opslib.systems.postgres_digests import MOST, digest_rows
from opslib.systems.postgres_properties import give_settings

LIKE_A_PLACE = """
CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN mail AS text;
CREATE TABLE kinds (
    a int, b bigint, c bool, d numeric, e float8, f date, g timestamptz, h uuid, i text, j varchar(9), k char(4),
    l jsonb, m json, n bytea, o text[], p mood, q pair, r mail, s interval, t inet, u "char", v int4range, w int[]
);
INSERT INTO kinds VALUES
    (1, -5000000000, true, 1.00, 'NaN', '2026-02-03', '2026-03-29 01:30+00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
     'x, "y" \\ z', 'ö', 'ab', '{"a": 1.00}', '{"a":  1}', '\\x00ff', ARRAY['a,b', NULL, ''], 'ok', (1, NULL), 'a@b',
     '1 month 30 days', '10.0.0.1/8', 'z', '[1,5)', '{{1,2},{3,4}}'),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL);
"""


@pytest.fixture(scope="module")
def database(lab):
    name = f"digests_{uuid.uuid4().hex[:8]}"
    with AdminDatabase(lab.settings.scratch_database_url, "opslib:test") as session:
        create_database(session, name, Locale("UTF8", "libc", "C", "C"))
        yield lab.settings.scratch_database_url.with_path(name)
        drop_database(session, name)


@pytest.fixture
def writer(database):
    with AdminDatabase(database, "opslib:test") as session:
        yield session
        session.execute("DROP TABLE IF EXISTS t, kinds; DROP TYPE IF EXISTS mood, pair, mail", what="clean up")


def digest(writer, form=2, table="t"):
    with snapshot(writer.url, "opslib:test", statement_seconds=20) as (inside, _):
        return digest_rows(inside, "public", table, form)


@pytest.mark.parametrize("form", [1, 2])
def test_the_digest_depends_on_neither_order_nor_session_settings_but_on_every_value(writer, form):
    writer.execute("CREATE TABLE t (a int, at timestamptz, raw bytea, f float8)", what="create")
    insert = (
        "INSERT INTO t SELECT n, '2026-01-01'::timestamptz + n * interval '1 h', '\\x00ff', n / 3.0"
        " FROM generate_series(1, 99) AS n"
    )
    writer.execute(f"{insert} ORDER BY n", what="fill")
    first = digest(writer, form)
    writer.execute("TRUNCATE t", what="empty")
    writer.execute(f"{insert} ORDER BY -n", what="fill")
    assert digest(writer, form) == first
    name = writer.execute("SELECT current_database() AS d", what="look")[0]["d"]
    give_settings(
        writer, name, [("", "TimeZone", "Asia/Tokyo"), ("", "DateStyle", "German"), ("", "bytea_output", "escape")]
    )
    assert digest(writer, form) == first
    writer.execute("UPDATE t SET f = f + 1e-12 WHERE a = 50", what="change")
    assert digest(writer, form) != first
    assert digest(writer, form)["rows"] == first["rows"]


@pytest.mark.parametrize(
    ("columns", "one", "other"),
    [
        ("a text, b text", "('x', NULL)", "('x', '')"),
        ("a text, b text", "('x,y', 'z')", "('x', 'y,z')"),
        ("a text, b text", "(NULL, 'z')", "('z', NULL)"),
        ("a int, b int", "(1, NULL)", "(NULL, 1)"),
        ("a int, b int", "(1, 23)", "(12, 3)"),
        ("a int, b text", "(1, '2')", "(12, '')"),
        ("a int, b text, c int", "(1, '2,3', 4)", "(1, '2', 34)"),
        ("a bigint", "(4294967296)", "(1)"),
        ("a numeric", "(1.0)", "(1.00)"),
        ("a interval", "('1 month')", "('30 days')"),
        ("a jsonb", """('{"a": 1.0}')""", """('{"a": 1.00}')"""),
        ("a json", "('{}')", "('{ }')"),
        ("a bpchar", "('x')", "('x ')"),
        ("a timestamptz", "('2026-01-01 00:00:00.000001+00')", "('2026-01-01 00:00:00+00')"),
        ("a text[]", "(ARRAY['a,b'])", "(ARRAY['a', 'b'])"),
        ("a text[]", "(ARRAY[NULL]::text[])", "(NULL)"),
        ("a mood", "('ok')", "('sad')"),
        ("a pair", "(ROW(NULL, NULL))", "(NULL)"),
        ("a pair", "(ROW(1, NULL))", "(ROW(1, ''))"),
        ("a mail, b mail", "('x', NULL)", "('x', '')"),
        ("a bytea", "('\\x00')", "('\\x0000')"),
    ],
)
def test_rows_that_differ_in_one_value_have_other_digests(writer, columns, one, other):
    writer.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN mail AS text",
        what="create",
    )
    writer.execute(f"CREATE TABLE t ({columns})", what="create")
    found = []
    for values in (one, other):
        writer.execute(f"TRUNCATE t; INSERT INTO t VALUES {values}", what="fill")
        found.append(digest(writer))
    assert found[0]["sum"] != found[1]["sum"]
    assert found[0]["xor"] != found[1]["xor"]


def test_values_exchanged_between_rows_are_seen(writer):
    writer.execute("CREATE TABLE t (a int, b text, c text)", what="create")
    writer.execute("INSERT INTO t VALUES (1, 'x', 'p'), (2, 'y', 'q')", what="fill")
    first = digest(writer)
    writer.execute("UPDATE t SET c = CASE c WHEN 'p' THEN 'q' ELSE 'p' END", what="change")
    assert digest(writer) != first


def test_digests_are_those_that_stand_in_manifests_of_earlier_years(writer):
    writer.execute(LIKE_A_PLACE, what="create")
    assert digest(writer, 1, "kinds") == {"rows": 2, "sum": "-1825268338485682530", "xor": "-4412597188197301955"}
    assert digest(writer, 2, "kinds") == {"rows": 2, "sum": "-2113745494083831610", "xor": "4784746155885828242"}


@pytest.mark.parametrize("columns", [0, 1, MOST, MOST + 1, 1000])
def test_a_table_of_any_width_has_a_digest(writer, columns):
    writer.execute(f"CREATE TABLE t ({', '.join(f'c{n} text' for n in range(columns))})", what="create")
    writer.execute("INSERT INTO t DEFAULT VALUES", what="fill")
    first = digest(writer)
    assert first["rows"] == 1
    if columns:
        writer.execute(f"UPDATE t SET c{columns - 1} = ''", what="change")
        assert digest(writer) != first
