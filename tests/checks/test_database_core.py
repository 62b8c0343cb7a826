"""The core tables: whether they are there, and whether one statement changed all of one."""

from datetime import UTC, datetime

import pytest

from opslib.checks import database as checks
from opslib.model import Reading, Verdict

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
TABLE = {
    "relation": "public.cases", "rows_seen": 300, "by_one_percent": 100.0, "xid": "868", "committed_at": AT,
    "committed_seconds": 10.0, "updates": 300, "live_rows": 300,
}  # fmt: skip


def judged(check, *rows):
    return check.judge(Reading("core", "core", "lab", AT, 0.1, tuple(rows)))


REWRITTEN = {
    "by one statement": ({}, "WARNING"),
    "nobody knows when": ({"committed_at": None, "committed_seconds": None}, "WARNING"),
    "two days ago": ({"committed_seconds": 172_800.0}, "OK"),
    "most of it": ({"by_one_percent": 91.0, "updates": 280}, "WARNING"),
    "half of it": ({"by_one_percent": 50.0, "updates": 150}, "OK"),
    "filled for the first time": ({"updates": 0}, "OK"),
    "after a crash nobody knows": ({"updates": 0, "live_rows": 0}, "OK"),
    "a sample of a large table, seldom changed": ({"live_rows": 1_000_000}, "OK"),
    "a sample of a large table": ({"live_rows": 1_000_000, "updates": 1_000_000}, "WARNING"),
    "a few rows": ({"rows_seen": 49, "live_rows": 49}, "OK"),
}


@pytest.mark.parametrize(("changes", "verdict"), REWRITTEN.values(), ids=REWRITTEN)
def test_a_table_that_one_transaction_rewrote_today_is_a_question(changes, verdict):
    well = TABLE | {"relation": "public.users", "updates": 0}
    found = judged(checks.rewritten, TABLE | changes, well)
    assert found.verdict is Verdict(verdict), found.summary
    assert verdict == "OK" or "Transaction 868" in found.summary


def test_tables_without_a_row_tell_nothing():
    assert judged(checks.rewritten).verdict is Verdict.UNKNOWN


def test_a_core_table_that_is_missing_is_named():
    there, gone = ({"relation": name, "present": name != "public.cases"} for name in ("auth.users", "public.cases"))
    assert judged(checks.core_tables, there).verdict is Verdict.OK
    found = judged(checks.core_tables, there, gone)
    assert (found.verdict, found.summary.startswith("public.cases: not there.")) == (Verdict.CRITICAL, True)
    assert judged(checks.core_tables).verdict is Verdict.UNKNOWN
