"""Checks of indexes on a real server: broken, found, mended, gone."""

import psycopg
import pytest

from opslib.checks import database as checks
from opslib.model import Verdict
from opslib.probes import database as probes
from opslib.runs.reading import evaluate, take
from tests.checks.test_database_sessions import reading
from tests.databases import Waiting, schema
from tests.waiting import until


@pytest.fixture
def workshop(lab):
    with schema(lab) as admin:
        yield admin


def named(result):
    return [row["index"] for row in result.rows if "workshop" in row["relation"]]


def test_the_lab_has_no_index_to_complain_of(lab):
    for check in (checks.invalid_indexes, checks.redundant_indexes, checks.foreign_key_indexes):
        assert evaluate(check, lab.target).verdict is Verdict.OK


def test_an_invalid_index_is_found_and_gone_when_dropped(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int); INSERT INTO cars VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        workshop.execute("CREATE UNIQUE INDEX CONCURRENTLY cars_n ON cars (n)")
    found = evaluate(checks.invalid_indexes, lab.target)
    workshop.execute("DROP INDEX CONCURRENTLY cars_n")
    assert (found.verdict, named(found)) == (Verdict.WARNING, ["cars_n"])
    assert "DROP INDEX CONCURRENTLY" in found.remedy
    assert evaluate(checks.invalid_indexes, lab.target).verdict is Verdict.OK


def test_an_index_that_is_just_being_built_is_not_invalid(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int); INSERT INTO cars VALUES (1), (2)")
    with lab.admin() as old:
        old.execute("BEGIN; UPDATE workshop.cars SET n = 3 WHERE n = 1")
        builder = Waiting(lab, "builder", "CREATE INDEX CONCURRENTLY cars_n ON workshop.cars (n)")
        until(lambda: workshop.execute("SELECT 1 FROM pg_class WHERE relname = 'cars_n'").fetchall())
        until(lambda: builder.waits(workshop))
        building = evaluate(checks.invalid_indexes, lab.target)
        old.execute("COMMIT")
    builder.end()
    assert building.verdict is Verdict.OK


@pytest.mark.parametrize(
    ("definitions", "redundant"),
    [
        ("CREATE INDEX a ON cars (n); CREATE INDEX b ON cars (n)", ["b"]),
        ("CREATE INDEX a ON cars (n); CREATE INDEX b ON cars (n, m)", ["a"]),
        ("CREATE INDEX a ON cars (m); CREATE INDEX b ON cars (n, m)", []),
        ("CREATE INDEX a ON cars (n DESC); CREATE INDEX b ON cars (n)", []),
        ("CREATE INDEX a ON cars (n) WHERE m > 0; CREATE INDEX b ON cars (n)", []),
        ("CREATE INDEX a ON cars (n) WHERE m > 0; CREATE INDEX b ON cars (n, m) WHERE m > 0", ["a"]),
        ("CREATE UNIQUE INDEX a ON cars (n); CREATE INDEX b ON cars (n, m)", []),
        ("CREATE UNIQUE INDEX a ON cars (n); CREATE INDEX b ON cars (n)", ["b"]),
        ("CREATE INDEX a ON cars (n); CREATE UNIQUE INDEX b ON cars (n)", ["a"]),
        ("CREATE INDEX a ON cars USING hash (n); CREATE INDEX b ON cars (n, m)", []),
        ("CREATE INDEX a ON cars ((n + 1)); CREATE INDEX b ON cars ((n + 1))", ["b"]),
        ("CREATE INDEX a ON cars ((n + 1)); CREATE INDEX b ON cars ((n + 2))", []),
        ("CREATE INDEX a ON cars (n) INCLUDE (m); CREATE INDEX b ON cars (n)", ["b"]),
        ("CREATE INDEX a ON cars (t); CREATE INDEX b ON cars (t text_pattern_ops)", []),
        ("CREATE INDEX a ON cars (n, m); CREATE INDEX b ON cars (m, n)", []),
        ("ALTER TABLE cars ADD PRIMARY KEY (n); CREATE INDEX b ON cars (n)", ["b"]),
        ("ALTER TABLE cars ADD PRIMARY KEY (n); CREATE INDEX b ON cars (n, m)", []),
        ("CREATE INDEX a ON cars (n); CREATE INDEX b ON cars (n); CREATE INDEX c ON cars (n)", ["b", "c"]),
    ],
)
def test_an_index_is_redundant_only_where_another_one_does_all_it_does(lab, workshop, definitions, redundant):
    workshop.execute("CREATE TABLE cars (n int, m int, t text)")
    for definition in definitions.split("; "):
        workshop.execute(definition)
    assert sorted(named(evaluate(checks.redundant_indexes, lab.target))) == redundant


def test_no_two_redundant_indexes_excuse_each_other(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int, m int)")
    for name in "abcd":
        workshop.execute(f"CREATE INDEX {name} ON cars (n{', m' if name in 'bd' else ''})")
    rows = [row for row in take(probes.redundant_indexes, lab.target).rows if row["relation"] == "workshop.cars"]
    for row in rows:
        workshop.execute(f"DROP INDEX {row['index']}")
    left = workshop.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'workshop'").fetchall()
    assert [row["indexname"] for row in left] == ["b"]


def test_a_redundant_index_is_a_warning_and_gone_when_dropped(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int); CREATE INDEX a ON cars (n); CREATE INDEX b ON cars (n)")
    found = evaluate(checks.redundant_indexes, lab.target)
    workshop.execute("DROP INDEX b")
    assert found.verdict is Verdict.WARNING
    assert "b on workshop.cars is a duplicate of a" in found.summary
    assert evaluate(checks.redundant_indexes, lab.target).verdict is Verdict.OK


FAMILY = "CREATE TABLE parents (n int PRIMARY KEY); CREATE TABLE children (p int REFERENCES parents, m int)"


def test_a_foreign_key_without_index_is_found_and_gone_when_indexed(lab, workshop):
    workshop.execute(FAMILY)
    workshop.execute(
        "INSERT INTO parents VALUES (1); INSERT INTO children SELECT 1, i FROM generate_series(1, 10001) i"
    )
    workshop.execute("ANALYZE children")
    found = evaluate(checks.foreign_key_indexes, lab.target)
    workshop.execute("CREATE INDEX children_p ON children (p, m)")
    assert found.verdict is Verdict.WARNING
    assert "each delete in workshop.parents reads all of workshop.children" in found.summary
    assert found.rows[0]["columns"] == ["p"]
    assert evaluate(checks.foreign_key_indexes, lab.target).verdict is Verdict.OK


def test_a_small_table_may_do_without_and_says_so(lab, workshop):
    workshop.execute(FAMILY)
    result = evaluate(checks.foreign_key_indexes, lab.target)
    assert result.verdict is Verdict.OK
    assert "all on small tables" in result.summary


@pytest.mark.parametrize(
    ("index", "serves"),
    [
        ("ON children (p)", True),
        ("ON children (m, p)", False),
        ("ON children (p) WHERE p IS NOT NULL", True),
        ("ON children (p) WHERE m > 0", False),
    ],
)
def test_only_an_index_that_begins_with_the_key_serves_it(lab, workshop, index, serves):
    workshop.execute(FAMILY)
    workshop.execute(f"CREATE INDEX i {index}")
    rows = [r for r in take(probes.foreign_keys_without_index, lab.target).rows if "workshop" in r["relation"]]
    assert (rows == []) is serves


def test_an_unused_index_needs_an_old_window_and_is_gone_when_used(lab, workshop):
    workshop.execute(
        "CREATE TABLE cars (n int, m int UNIQUE); INSERT INTO cars SELECT i, i FROM generate_series(1, 20000) i"
    )
    workshop.execute("CREATE INDEX cars_n ON cars (n); ANALYZE cars")
    too_young = evaluate(checks.unused_indexes(30, unused_index_megabytes=0.1), lab.target)
    old_enough = evaluate(checks.unused_indexes(0, unused_index_megabytes=0.1), lab.target)
    too_small = evaluate(checks.unused_indexes(0, unused_index_megabytes=10), lab.target)
    workshop.execute("SET enable_seqscan = off")
    workshop.execute("SELECT m FROM cars WHERE n = 7")
    workshop.execute("SELECT pg_stat_force_next_flush()")
    until(lambda: "cars_n" not in named(evaluate(checks.unused_indexes(0, unused_index_megabytes=0.1), lab.target)))
    assert "cars_n" in named(old_enough)
    assert "cars_m_key" not in named(old_enough)
    assert (too_young.verdict, old_enough.verdict, too_small.verdict) == (Verdict.UNKNOWN, Verdict.WARNING, Verdict.OK)
    assert "30 are needed" in too_young.summary


@pytest.mark.parametrize(
    ("days", "verdict"), [(None, Verdict.UNKNOWN), (29.9, Verdict.UNKNOWN), (30.1, Verdict.WARNING)]
)
def test_the_statistics_window_decides_what_unused_means(days, verdict):
    row = {"relation": "t", "index": "i", "bytes": 2e7, "statistics_days": days, "standbys": 1}
    judged = checks.unused_indexes().judge(reading(row))
    assert judged.verdict is verdict
    assert verdict is Verdict.UNKNOWN or "1 standbys may use them" in judged.summary


def sorted_by(**changes):
    row = {"collation": "database v", "provider": "libc", "built_under": "2.36", "there_now": "2.36", "by_bytes": False}
    return row | {"indexes": 3, "unique_indexes": 1, "first_indexes": ["a", "b", "c"], "bytes_estimate": 8192} | changes


@pytest.mark.parametrize(
    ("rows", "verdict", "said"),
    [
        ([], Verdict.OK, "No index sorts"),
        ([sorted_by()], Verdict.OK, "(1 collation)"),
        ([sorted_by(built_under=None, there_now=None, by_bytes=True), sorted_by()], Verdict.OK, "(2 collations)"),
        ([sorted_by(there_now="2.40"), sorted_by()], Verdict.CRITICAL, "3 indexes (1 unique) were sorted by another"),
        ([sorted_by(built_under=None)], Verdict.UNKNOWN, "is not known"),
        ([sorted_by(there_now=None)], Verdict.UNKNOWN, "is not known"),
        ([sorted_by(built_under=None, there_now=None)], Verdict.UNKNOWN, "3 indexes sort by it"),
        ([sorted_by(built_under=None), sorted_by(there_now="2.40")], Verdict.CRITICAL, "2.36, now 2.40 (a, b, c)"),
    ],
)
def test_a_collation_is_judged_by_the_version_that_sorted_and_the_one_that_would(rows, verdict, said):
    found = checks.collations.judge(reading(*rows))
    assert (found.verdict, said in found.summary) == (verdict, True), found.summary


def test_indexes_sorted_by_an_older_collation_are_found_and_gone_when_rebuilt(lab, workshop):
    workshop.execute("CREATE COLLATION words (provider = builtin, locale = 'C.UTF-8')")
    workshop.execute("CREATE TABLE words (w text, v text)")
    workshop.execute("CREATE INDEX by_expression ON words (lower(w COLLATE words))")
    workshop.execute("CREATE INDEX partial ON words (length(v)) WHERE v < 'm' COLLATE words")
    assert evaluate(checks.collations, lab.target).verdict is Verdict.OK
    workshop.execute("UPDATE pg_collation SET collversion = '0' WHERE collname = 'words'")
    found = evaluate(checks.collations, lab.target)
    assert found.verdict is Verdict.CRITICAL
    assert "workshop.by_expression, workshop.partial" in found.summary
    workshop.execute("REINDEX TABLE words")
    workshop.execute("ALTER COLLATION words REFRESH VERSION")
    assert evaluate(checks.collations, lab.target).verdict is Verdict.OK
