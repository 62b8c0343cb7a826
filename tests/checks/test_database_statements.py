"""Slow statements and the guide's P95 on a real pg_stat_statements: proven, disproven, or honestly unknown."""

import threading

import pytest

from opslib.checks import database as checks
from opslib.model import Verdict
from opslib.probes import database as probes
from opslib.runs.reading import evaluate, take
from tests.waiting import until


@pytest.fixture
def counted(lab):
    """A session as superuser, right after the statistics were forgotten."""
    with lab.admin() as admin:
        admin.execute("SELECT extensions.pg_stat_statements_reset()")
        yield admin


def calls(admin, times, milliseconds):
    for _ in range(times):
        admin.execute("SELECT pg_sleep(%s)", [milliseconds / 1000])


def test_fast_queries_only_prove_the_target(lab, counted):
    calls(counted, 120, 0)
    result = evaluate(checks.query_p95(), lab.target)
    assert result.verdict is Verdict.OK
    assert "P95 is within the target" in result.summary


def test_slow_queries_are_proven_slow_and_well_again_when_forgotten(lab, counted):
    check = checks.query_p95(target_ms=1, alert_ms=5)
    calls(counted, 60, 0)
    calls(counted, 60, 20)
    slow = evaluate(check, lab.target)
    counted.execute("SELECT extensions.pg_stat_statements_reset()")
    calls(counted, 120, 0)
    well = evaluate(checks.query_p95(target_ms=1000, alert_ms=5000), lab.target)
    assert (slow.verdict, well.verdict) == (Verdict.CRITICAL, Verdict.OK)
    assert "pg_sleep" in slow.rows[0]["mostly"]


def test_between_target_and_alert_is_a_warning(lab, counted):
    calls(counted, 60, 0)
    calls(counted, 60, 20)
    result = evaluate(checks.query_p95(target_ms=5, alert_ms=10_000), lab.target)
    assert result.verdict is Verdict.WARNING


def test_a_few_slow_calls_among_many_leave_it_unknown_with_the_bounds_in_the_sentence(lab, counted):
    calls(counted, 147, 0)
    calls(counted, 3, 200)
    result = evaluate(checks.query_p95(target_ms=30, alert_ms=10_000), lab.target)
    assert result.verdict is Verdict.UNKNOWN
    assert " to " in result.summary
    assert "proves nothing about P95" in result.summary


def test_few_calls_prove_nothing(lab, counted):
    calls(counted, 3, 0)
    assert evaluate(checks.query_p95(), lab.target).verdict is Verdict.UNKNOWN


def test_statements_that_the_server_dropped_forbid_an_ok():
    row = {"calls": 500, "above_at_least_percent": 0.0, "above_at_most_percent": 0.0, "counted": "since", "mostly": ""}
    from tests.checks.test_database_sessions import reading

    rows = [row | {"limit_ms": limit, "thrown_out": 3, "other_calls": 0} for limit in (100, 500)]
    assert checks.query_p95().judge(reading(*rows)).verdict is Verdict.UNKNOWN


def test_transactions_begun_and_ended_do_not_thin_out_slow_queries(lab, counted):
    for _ in range(50):
        counted.execute("BEGIN")
        counted.execute("COMMIT")
    calls(counted, 5, 0)
    row = take(probes.query_bounds(), lab.target).rows[0]
    assert row["calls"] == 6  # pg_sleep, and the reset itself
    assert row["other_calls"] >= 2


def test_the_costliest_statement_comes_first_with_its_share_and_without_literals(lab, counted):
    counted.execute("SELECT pg_sleep(0.05), 'a secret word'")
    counted.execute("SELECT count(*) FROM public.cases")
    for by in ("total", "mean"):
        first = take(probes.slow_statements(by), lab.target).rows[0]
        assert first["statement"].startswith("SELECT pg_sleep")
        assert first["share_percent"] > 50
        assert first["counted"].startswith("since ")


def test_our_own_questions_are_not_counted(lab, counted):
    for _ in range(3):
        take(probes.server, lab.target)
    rows = take(probes.slow_statements(limit=1000), lab.target).rows
    assert {row["user_name"] for row in rows} <= {"postgres", "authenticator"}
    assert not [row for row in rows if "pg_postmaster_start_time" in row["statement"]]


def test_a_statement_slow_on_average_is_a_warning_and_names_the_remedy(lab, counted):
    calls(counted, 20, 110)
    slow = evaluate(checks.slow_statements(), lab.target)
    counted.execute("SELECT extensions.pg_stat_statements_reset()")
    counted.execute("SELECT 1")
    well = evaluate(checks.slow_statements(), lab.target)
    assert (slow.verdict, well.verdict) == (Verdict.WARNING, Verdict.OK)
    assert "runbooks/maintain-database" in slow.remedy


def test_a_window_of_two_samples_sees_only_what_ran_in_it(lab, counted):
    counted.execute("SELECT count(*) FROM public.users")
    stop = threading.Event()

    def work():
        with lab.admin() as busy:
            while not stop.is_set():
                busy.execute("SELECT count(*) FROM public.organizations")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        rows = take(probes.slow_statements("total", window_seconds=0.5, limit=50), lab.target).rows
    finally:
        stop.set()
        thread.join()
    statements = [row["statement"] for row in rows]
    assert "SELECT count(*) FROM public.organizations" in statements
    assert "SELECT count(*) FROM public.users" not in statements
    assert rows[0]["counted"].endswith("two samples")


def test_a_reset_between_the_two_samples_is_unknown(lab, counted):
    timer = threading.Timer(0.3, lambda: counted.execute("SELECT extensions.pg_stat_statements_reset()"))
    timer.start()
    result = evaluate(checks.slow_statements(window_seconds=1), lab.target)
    timer.join()
    assert result.verdict is Verdict.UNKNOWN
    assert "were reset" in result.summary


@pytest.mark.parametrize(
    ("break_it", "mend_it", "said"),
    [
        (
            "DROP EXTENSION pg_stat_statements",
            "CREATE EXTENSION pg_stat_statements SCHEMA extensions",
            "CREATE EXTENSION",
        ),
        (
            "CREATE SCHEMA elsewhere; ALTER EXTENSION pg_stat_statements SET SCHEMA elsewhere",
            "ALTER EXTENSION pg_stat_statements SET SCHEMA extensions; DROP SCHEMA elsewhere",
            "SET SCHEMA extensions",
        ),
        (
            "ALTER SYSTEM SET pg_stat_statements.track = 'none'; SELECT pg_reload_conf()",
            "ALTER SYSTEM RESET pg_stat_statements.track; SELECT pg_reload_conf()",
            "is told to count nothing",
        ),
    ],
)
def test_statistics_out_of_reach_are_unknown_with_the_mend_and_other_checks_go_on(lab, break_it, mend_it, said):
    def each(script):
        with lab.admin() as admin:
            for statement in script.split("; "):
                admin.execute(statement)

    each(break_it)
    try:
        until(lambda: evaluate(checks.slow_statements(), lab.target).verdict is Verdict.UNKNOWN)
        results = [evaluate(check, lab.target) for check in (checks.slow_statements(), checks.query_p95())]
        assert evaluate(checks.invalid_indexes, lab.target).verdict is Verdict.OK
    finally:
        each(mend_it)
    assert {result.verdict for result in results} == {Verdict.UNKNOWN}
    assert said in results[0].summary
    until(lambda: take(probes.slow_statements(), lab.target).unknown is None)
