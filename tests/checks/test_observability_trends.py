"""Whether anything of an area got worse over its runs. Pure."""

import pytest

from opslib.checks.observability import trending
from opslib.model import Verdict
from tests.guide.test_trend import row
from tests.incidents_told import reading


def judged(*rows, names="none", runs=50):
    return trending("database", names, runs).judge(reading(*rows, probe="trends-database"))


def test_no_run_and_no_second_run_are_unknown():
    assert judged().verdict is Verdict.UNKNOWN
    found = judged(row([50]))
    assert (found.verdict, "made twice" in found.summary) == (Verdict.UNKNOWN, True)


def test_a_check_that_was_named_and_never_made_is_unknown():
    found = judged(row([50] * 4), names="database-disk,database-bloat")
    assert (found.verdict, found.summary) == (Verdict.UNKNOWN, "Never made here: database-bloat.")


def test_where_nothing_got_worse_it_is_ok():
    found = judged(row([50] * 4), row([None] * 9, check="database-core"))
    assert (found.verdict, found.summary) == (Verdict.OK, "2 checks over up to 9 runs: nothing got worse.")


@pytest.mark.parametrize(
    ("one", "verdict", "words"),
    [
        (row([None] * 3, ["OK", "OK", "CRITICAL"]), "WARNING", "database-disk is CRITICAL, usually OK"),
        (row([50, 52, 54, 56, 58, 60]), "WARNING", "beyond 70 % in 5.0 days at its pace"),
        (row([20, 30, 40, 50, 60, 69], days=1), "CRITICAL", "beyond 70 % in 0.1 days"),
        (row([50, 50, 50, None], ["OK", "OK", "OK", "UNKNOWN"]), "UNKNOWN", "nobody could look"),
    ],
)
def test_what_got_worse_or_soon_will_be_is_named(one, verdict, words):
    found = judged(one, row([None] * 4, check="database-core"))
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary
    assert found.rows[0]["check"] == "database-disk"


def test_over_fewer_runs_it_may_be_otherwise():
    went = row([None] * 6, ["OK", "OK", "OK", "OK", "CRITICAL", "CRITICAL"])
    assert judged(went).verdict is Verdict.WARNING
    assert judged(went, runs=2).verdict is Verdict.OK
