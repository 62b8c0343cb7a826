"""Checks of tables on a real server: dead rows, bloat, age; broken, found, mended, gone."""

import pytest

from opslib.checks import database as checks
from opslib.model import Verdict
from opslib.pictures.figures import count
from opslib.probes import database as probes
from opslib.runs.reading import evaluate, take
from tests.checks.test_database_sessions import reading
from tests.databases import schema
from tests.waiting import until


@pytest.fixture
def workshop(lab):
    with schema(lab) as admin:
        yield admin


def own(rows):
    return {row["relation"]: row for row in rows if row["relation"].startswith("workshop.")}


def flush(admin):
    admin.execute("SELECT pg_stat_force_next_flush()")


def test_the_lab_is_vacuumed_unbloated_and_young(lab):
    for check in (checks.vacuum(), checks.table_bloat(), checks.index_bloat(), checks.freeze):
        assert evaluate(check, lab.target).verdict is Verdict.OK


def test_dead_rows_beyond_the_tables_own_trigger_are_found_and_gone_when_vacuumed(lab, workshop):
    workshop.execute(
        "CREATE TABLE cars (n int) WITH (autovacuum_vacuum_threshold = 10, autovacuum_vacuum_scale_factor = 0.01)"
    )
    workshop.execute("INSERT INTO cars SELECT generate_series(1, 2000); ANALYZE cars")
    with lab.admin() as keeper:  # a vacuum of the server's own would find these rows still seen
        keeper.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        workshop.execute("DELETE FROM cars WHERE n > 1000")
        flush(workshop)
        until(lambda: own(take(probes.vacuum, lab.target).rows)["workshop.cars"]["dead_rows"] == 1000)
        found = evaluate(checks.vacuum(fewest_dead_rows=100), lab.target)
    workshop.execute("VACUUM ANALYZE cars")
    row = own(found.rows)["workshop.cars"]
    assert found.verdict is Verdict.CRITICAL
    assert (row["trigger_rows"], row["trigger_ratio"]) == (30, 33.33)
    # Other tests leave dead rows in tables of their own; of this one nothing is said any more.
    until(lambda: not own(take(probes.vacuum, lab.target).rows)["workshop.cars"]["dead_rows"])
    assert "workshop.cars" not in evaluate(checks.vacuum(fewest_dead_rows=100), lab.target).summary


def test_dead_pieces_of_large_values_are_found_although_hardly_a_row_is_dead(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int, t text) WITH (toast.autovacuum_vacuum_threshold = 10)")
    workshop.execute("ALTER TABLE cars ALTER t SET STORAGE EXTERNAL")
    workshop.execute("INSERT INTO cars SELECT i, repeat('x', 90000) FROM generate_series(1, 60) i")
    with lab.admin() as keeper:  # a vacuum of the server's own would find them still seen
        keeper.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        workshop.execute("UPDATE cars SET t = repeat('y', 90000) WHERE n < 30")
        flush(workshop)
        until(lambda: own(take(probes.vacuum, lab.target).rows)["workshop.cars"]["toast_dead_pieces"])
        found = evaluate(checks.vacuum(fewest_dead_rows=100), lab.target)
    row = own(found.rows)["workshop.cars"]
    assert (row["worst_part"], row["dead_rows"], found.verdict) == ("TOAST pieces", 29, Verdict.CRITICAL)
    assert f"workshop.cars has {count(row['toast_dead_pieces'])} dead TOAST pieces" in found.summary
    workshop.execute("VACUUM cars")
    until(lambda: not own(take(probes.vacuum, lab.target).rows)["workshop.cars"]["toast_dead_pieces"])


def test_autovacuum_switched_off_for_a_table_is_a_warning_that_names_it(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int) WITH (autovacuum_enabled = off)")
    found = evaluate(checks.vacuum(), lab.target)
    workshop.execute("ALTER TABLE cars RESET (autovacuum_enabled)")
    assert found.verdict is Verdict.WARNING
    assert "Switched off for workshop.cars" in found.summary
    assert evaluate(checks.vacuum(), lab.target).verdict is Verdict.OK


TOAST = {"toast_dead_pieces": 50_000, "worst_part": "TOAST pieces"}


def table(**changes):
    row = {"relation": "t", "dead_rows": 20_000, "trigger_rows": 10_000, "trigger_ratio": 2.0}
    row |= {"autovacuum_enabled": True, "autovacuum_running": True, "being_vacuumed": False, "worst_part": "rows"}
    return row | {"seconds_since_vacuum": 3600.0} | changes


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.WARNING),
        ({"seconds_since_vacuum": None}, Verdict.WARNING),
        ({"seconds_since_vacuum": 60.0}, Verdict.OK),
        ({"being_vacuumed": True}, Verdict.OK),
        ({"trigger_ratio": 4.0}, Verdict.CRITICAL),
        ({"trigger_ratio": 4.0, "being_vacuumed": True}, Verdict.WARNING),
        ({"trigger_ratio": 4.0, "dead_rows": 500}, Verdict.OK),
        (TOAST | {"trigger_ratio": 4.0, "dead_rows": 0}, Verdict.CRITICAL),
        (TOAST | {"trigger_ratio": 4.0, "toast_dead_pieces": 500}, Verdict.OK),
        ({"autovacuum_running": False, "trigger_ratio": 0.0}, Verdict.CRITICAL),
    ],
)
def test_dead_rows_are_judged_by_trigger_time_and_a_vacuum_at_work(changes, verdict):
    assert checks.vacuum().judge(reading(table(**changes))).verdict is verdict


def test_no_table_at_all_is_unknown():
    assert checks.vacuum().judge(reading()).verdict is Verdict.UNKNOWN


def test_an_emptied_table_looks_bloated_and_is_well_after_a_rewrite(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int PRIMARY KEY, t text) WITH (autovacuum_enabled = off)")
    workshop.execute("INSERT INTO cars SELECT i, repeat('x', 100) FROM generate_series(1, 30000) i")
    workshop.execute("ANALYZE cars")
    full = own(take(probes.table_bloat, lab.target).rows)["workshop.cars"]["empty_percent_estimate"]
    workshop.execute("DELETE FROM cars WHERE n % 10 <> 0")
    workshop.execute("VACUUM ANALYZE cars")
    table, index = checks.table_bloat(megabytes=1), checks.index_bloat(megabytes=0.2)
    bloated = evaluate(table, lab.target), evaluate(index, lab.target)
    workshop.execute("VACUUM (FULL, ANALYZE) cars")
    assert full < 10
    assert own(bloated[0].rows)["workshop.cars"]["empty_percent_estimate"] == pytest.approx(90, abs=5)
    assert [result.verdict for result in bloated] == [Verdict.WARNING, Verdict.WARNING]
    assert "by estimate" in bloated[0].summary
    assert "pgstattuple_approx" in bloated[0].remedy
    assert [evaluate(check, lab.target).verdict for check in (table, index)] == [Verdict.OK, Verdict.OK]


def test_an_estimate_agrees_with_a_measurement_of_the_whole_table(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int, t text, u text) WITH (autovacuum_enabled = off)")
    workshop.execute("INSERT INTO cars SELECT i, repeat('x', i % 90), NULL FROM generate_series(1, 30000) i")
    workshop.execute("DELETE FROM cars WHERE n % 3 <> 0")
    workshop.execute("VACUUM ANALYZE cars")
    workshop.execute("CREATE EXTENSION IF NOT EXISTS pgstattuple SCHEMA workshop")
    workshop.execute("SET search_path = workshop, extensions, public")
    measured = workshop.execute("SELECT free_percent + dead_tuple_percent AS p FROM pgstattuple('cars')").fetchone()[
        "p"
    ]
    estimated = own(take(probes.table_bloat, lab.target).rows)["workshop.cars"]["empty_percent_estimate"]
    assert estimated == pytest.approx(measured, abs=5)


def test_a_large_table_without_statistics_is_unknown_until_analyzed(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int, t text) WITH (autovacuum_enabled = off)")
    workshop.execute("INSERT INTO cars SELECT i, repeat('x', 100) FROM generate_series(1, 10000) i")
    check = checks.table_bloat(megabytes=1)
    before = evaluate(check, lab.target)
    workshop.execute("ANALYZE cars")
    assert before.verdict is Verdict.UNKNOWN
    assert "ANALYZE" in before.summary
    assert evaluate(check, lab.target).verdict is Verdict.OK


def test_an_old_table_is_found_by_its_own_limit_and_well_when_frozen(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int) WITH (autovacuum_freeze_max_age = 100000, autovacuum_enabled = off)")
    workshop.execute("INSERT INTO cars VALUES (1)")
    workshop.execute("DO $$ BEGIN FOR i IN 1..151000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    found = evaluate(checks.freeze, lab.target)
    workshop.execute("VACUUM (FREEZE) cars")
    assert found.verdict is Verdict.WARNING
    assert "table workshop.cars is the oldest" in found.summary
    assert evaluate(checks.freeze, lab.target).verdict is Verdict.OK


def aged(**changes):
    row = {"kind": "database", "name": "d", "transactions": 1, "multixacts": 1}
    return row | {"transactions_limit": 200_000_000, "multixacts_limit": 400_000_000} | changes


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"transactions": 299_000_000}, Verdict.OK),
        ({"transactions": 301_000_000}, Verdict.WARNING),
        ({"multixacts": 601_000_000}, Verdict.WARNING),
        ({"transactions": 1_000_000_001}, Verdict.CRITICAL),
        ({"transactions": 1_000_000_001, "transactions_limit": 2_000_000_000}, Verdict.CRITICAL),
    ],
)
def test_age_is_judged_by_autovacuums_promise_and_by_the_failsafe(changes, verdict):
    assert checks.freeze.judge(reading(aged(), aged(**changes))).verdict is verdict


def test_the_size_of_a_table_holds_its_toast_and_indexes(lab, workshop):
    workshop.execute("CREATE TABLE cars (n int PRIMARY KEY, t text)")
    workshop.execute("ALTER TABLE cars ALTER t SET STORAGE EXTERNAL")
    workshop.execute("INSERT INTO cars SELECT i, repeat('x', 9000) FROM generate_series(1, 300) i")
    row = own(take(probes.largest_tables, lab.target).rows)["workshop.cars"]
    whole = workshop.execute("SELECT pg_relation_size('cars') AS b").fetchone()["b"]
    assert (row["table_bytes"], row["size_is"]) == (whole, "measured")
    assert row["toast_bytes"] > 300 * 9000
    assert row["bytes"] == row["table_bytes"] + row["toast_bytes"] + row["index_bytes"]


def test_a_view_that_would_shut_readers_out_is_found_and_gone_when_it_has_a_unique_index(lab, workshop):
    assert evaluate(checks.materialised_views, lab.target).verdict is Verdict.OK
    workshop.execute("CREATE MATERIALIZED VIEW totals AS SELECT n FROM generate_series(1, 3) n WITH NO DATA")
    empty = evaluate(checks.materialised_views, lab.target)
    assert (empty.verdict, "workshop.totals" in empty.summary) == (Verdict.WARNING, True)
    workshop.execute("REFRESH MATERIALIZED VIEW totals")
    for useless in ("(n) WHERE n > 0", "((n + 0))"):
        workshop.execute(f"CREATE UNIQUE INDEX ON totals {useless}")
        assert evaluate(checks.materialised_views, lab.target).verdict is Verdict.WARNING
    workshop.execute("CREATE UNIQUE INDEX ON totals (n)")
    assert evaluate(checks.materialised_views, lab.target).verdict is Verdict.OK
