"""Checks of migrations on a real database and real files: red when something is wrong, and only then."""

import os
import subprocess
import sys

import pytest

from opslib.checks import database as checks
from opslib.checks.database_migrations import weight
from opslib.errors import Unreachable
from opslib.model import Verdict, now
from opslib.probes import database as probes
from opslib.probes import database_rehearsals as rehearsals
from opslib.probes.database_migration_standing import PENDING
from opslib.probes.database_migrations import standing
from opslib.runs.reading import evaluate, take
from opslib.systems.squawk import lint
from tests.migration_place import BASE, DUE, NOTES, NOTES_UP, checkout

FIRST = "20260101000000"
ALL = (
    checks.migration_order,
    checks.half_applied_migrations,
    checks.edited_migrations,
    checks.migration_rollbacks,
    checks.migration_lint,
)


@pytest.fixture
def place(lab, tmp_path):
    with checkout(lab, tmp_path / "supabase") as made:
        yield made


def judged(check, place):
    return evaluate(check, place.place.reading())


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.name)
def test_the_labs_checkout_is_in_order(lab, check):
    said = evaluate(check, lab.target)
    assert said.verdict is Verdict.OK, said.summary


def test_the_lab_has_two_pending_migrations_and_names_the_next(lab):
    assert evaluate(checks.migration_order, lab.target).value == 2
    names = [row["file"] for row in take(probes.new_migration, lab.target).rows]
    assert [name.partition("/")[0] for name in names] == ["migrations", "rollbacks"]
    assert names[0] > "migrations/20260408103000_"


def test_a_new_name_comes_after_the_newest_whatever_the_clock_says(place):
    place.file("29991231000000", "far", "CREATE SCHEMA far;")
    names = [row["file"] for row in take(probes.new_migration, place.place.reading()).rows]
    assert names == ["migrations/29991231000001_name.sql", "rollbacks/29991231000001_name.sql"]


@pytest.mark.parametrize(
    ("spoil", "verdict", "why"),
    [
        (lambda p: None, Verdict.OK, "1 applied, 2 pending, in order"),
        (
            lambda p: p.place.sql("INSERT INTO supabase_migrations.schema_migrations VALUES ('20260501000000')"),
            Verdict.CRITICAL,
            "20260501000000: recorded, and no file",
        ),
        (lambda p: p.file("20251231000000", "late", "CREATE SCHEMA s;"), Verdict.CRITICAL, "older than"),
        (lambda p: p.file(NOTES[0], "again", "SELECT 1;"), Verdict.CRITICAL, "two files"),
        (lambda p: p.file("2026", "short", "SELECT 1;"), Verdict.WARNING, "skips in silence"),
    ],
)
def test_drift_and_disorder_are_told(place, spoil, verdict, why):
    place.both()
    spoil(place)
    said = judged(checks.migration_order, place)
    assert (said.verdict, why in said.summary) == (verdict, True), said.summary


def test_half_applied_migrations_are_found_both_ways_and_what_cannot_be_told_is_unknown(place):
    place.both()
    assert judged(checks.half_applied_migrations, place).verdict is Verdict.OK
    place.place.sql("ALTER TABLE public.things ADD COLUMN due date")
    said = judged(checks.half_applied_migrations, place)
    assert said.verdict is Verdict.CRITICAL
    assert "20260402090000 due: not recorded, but column public.things.due is there already" in said.summary
    place.place.sql("ALTER TABLE public.things DROP COLUMN due; DROP TABLE public.things CASCADE")
    assert "recorded, but table public.things is not there" in judged(checks.half_applied_migrations, place).summary
    place.place.sql("CREATE TABLE public.things (id bigint)")
    place.file("20260403000000", "rows", "INSERT INTO public.things VALUES (1);")
    said = judged(checks.half_applied_migrations, place)
    assert (said.verdict, "20260403000000" in said.summary) == (Verdict.UNKNOWN, True)


def test_edits_are_critical_and_unknown_where_nothing_was_recorded(place):
    assert judged(checks.edited_migrations, place).verdict is Verdict.OK
    place.file(FIRST, "base", BASE.replace("bigint", "int"))
    assert judged(checks.edited_migrations, place).verdict is Verdict.CRITICAL
    place.file(FIRST, "base", BASE)
    place.place.sql("UPDATE supabase_migrations.schema_migrations SET statements = NULL")
    assert judged(checks.edited_migrations, place).verdict is Verdict.UNKNOWN


def test_without_a_rollback_file_a_migration_is_forward_only(place):
    place.both()
    assert judged(checks.migration_rollbacks, place).verdict is Verdict.OK
    place.file("20260403000000", "more", "CREATE SCHEMA more;")
    said = judged(checks.migration_rollbacks, place)
    assert (said.verdict, said.value, "20260403000000" in said.summary) == (Verdict.WARNING, 1, True)


def test_what_locks_a_large_table_is_critical_and_on_a_small_one_it_is_not(place):
    place.file(*DUE, "-- why\n\nCREATE INDEX things_name ON public.things (name);\n")
    said = judged(checks.migration_lint, place)
    assert (said.verdict, said.rows[0]["table"]) == (Verdict.WARNING, "public.things"), said.summary
    place.place.sql("INSERT INTO public.things (name) SELECT 'x' FROM generate_series(1, 12000); ANALYZE public.things")
    said = judged(checks.migration_lint, place)
    assert said.verdict is Verdict.CRITICAL
    assert "20260402090000 line 3: require-concurrent-index-creation" in said.summary


def test_a_new_table_that_is_open_to_everybody_is_critical_until_its_own_file_closes_it(place):
    place.file(*NOTES, NOTES_UP.splitlines()[0])
    said = judged(checks.migration_lint, place)
    assert (said.verdict, "no-row-level-security" in said.summary) == (Verdict.CRITICAL, True)
    place.file(*DUE, "ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;")
    # Between the two it would be open.
    assert judged(checks.migration_lint, place).verdict is Verdict.CRITICAL
    place.file(*NOTES, NOTES_UP)
    assert judged(checks.migration_lint, place).verdict is Verdict.OK


def test_style_does_not_count_and_what_is_no_sql_does():
    finding = {"table": "", "rows_estimate": None}
    for rule, verdict in (
        ("prefer-robust-stmts", Verdict.OK),
        ("require-lock-timeout", Verdict.OK),
        ("syntax-error", Verdict.CRITICAL),
        ("transaction-nesting", Verdict.CRITICAL),
        ("changing-column-type", Verdict.CRITICAL),
        ("ban-drop-column", Verdict.WARNING),
        ("a-rule-that-is-new", Verdict.WARNING),
    ):
        assert weight({"rule": rule, **finding}) is verdict
    assert {one.rule for one in lint("creat tabel x;", 18)} == {"syntax-error"}
    assert lint("", 16) == ()


def test_without_the_linter_nobody_knows():
    # A Python beside which there is no squawk, and a PATH without one.
    code = """
from opslib.systems.squawk import lint
try:
    lint("SELECT 1", 18)
except Exception as error:
    print(type(error).__name__, error)
"""
    packages = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [os.path.realpath(sys.executable), "-c", code],
        env={"PATH": "/nonexistent", "PYTHONPATH": packages},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("Unreachable squawk, which lints migrations, is not installed.")


def test_a_database_without_a_history_is_unknown(lab, place):
    place.place.sql("DROP SCHEMA supabase_migrations CASCADE")
    for check in ALL:
        said = judged(check, place)
        assert (said.verdict, "schema_migrations" in said.summary) == (Verdict.UNKNOWN, True)
    with pytest.raises(Unreachable):
        probes.migrations.read(place.place.reading())


def recorded(place, **said):
    """Write the record of a rehearsal of each pending migration, as the runbook leaves it on this machine."""
    found = standing(place.place.reading())
    applied = list(found.applied)
    for one in found.versions:
        if one.state != PENDING:
            continue
        back = found.folder.rollbacks.get(one.version)
        record = rehearsals.Rehearsal(
            environment=place.settings.environment,
            database=place.settings.read_database_url.public,
            version=one.version,
            name=one.name,
            before=tuple(applied),
            sha256=one.file.sha256,
            rollback_sha256=back.sha256 if back else None,
            run="20261129T110000Z-runbooks-migrate-database-a1b2c3",
            rehearsed_at=now(),
            backup="newest",
            seconds=0.1,
            locks={},
            without_security=(),
            rollback_seconds=0.1,
            differences=(),
            **{"proven": True, **said},
        )
        rehearsals.keep(record)
        applied.append(one.version)


def test_a_pending_migration_counts_as_rehearsed_by_the_record_of_exactly_this_file(place, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert judged(checks.rehearsed, place).verdict is Verdict.OK  # none is pending
    place.both()
    said = judged(checks.rehearsed, place)
    assert (said.verdict, "2 of 2 pending" in said.summary) == (
        Verdict.CRITICAL,
        True,
    )
    recorded(place)
    assert judged(checks.rehearsed, place).verdict is Verdict.OK
    place.file(*DUE, "ALTER TABLE public.things ADD COLUMN due timestamptz;")
    said = judged(checks.rehearsed, place)
    assert (said.verdict, "1 of 2 pending" in said.summary) == (Verdict.CRITICAL, True)
    recorded(place, proven=False)
    said = judged(checks.rehearsed, place)
    assert (said.verdict, "no way back is proven" in said.summary) == (Verdict.WARNING, True)
