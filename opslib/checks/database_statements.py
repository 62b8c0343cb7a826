"""Checks of statements: what is slow, and what can be proven about the guide's query P95."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count, duration
from opslib.probes import database_statements as probes

FEWEST_CALLS = 100
"""Below this, 5 % of the calls are fewer than 5, and a single slow call decides."""

WORTH_A_LOOK = threshold("statement-mean")
FEWEST_REPEATS, LEAST_SHARE = 20, 5.0


def slow_statements(window_seconds: float = 0) -> Check:
    """Return the check of statements whose mean time is above the guide's target and that cost much in all."""
    return Check(
        name="database-slow-statements",
        title="No statement that matters is slow on average",
        probe=probes.slow_statements("total", window_seconds, limit=20),
        judge=_judge_slow,
        remedy=(
            "Take the first statement: EXPLAIN (ANALYZE, BUFFERS) it with real values on a restored copy, or, from 16 "
            "on, EXPLAIN (GENERIC_PLAN) here. Many pages read for few rows: an index is missing, and "
            "runbooks/maintain-database adds it CONCURRENTLY. Temporary pages: too little work_mem or too wide a "
            "sort. Fast but called very often: the application asks in a loop."
        ),
        threshold=WORTH_A_LOOK,
        items=("TRB-PDB-00", "TRB-PDB-01", "TRB-ERR-08"),
    )


def _judge_slow(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "No statement was counted, so nothing can be said of any.")
    slow = [row for row in reading.rows if _matters(row)]
    first = reading.rows[0]
    if not slow:
        said = f"None. The costliest takes {first['share_percent']:g} % of all time at {_each(first)} a call"
        return Judgement(Verdict.OK, f"{said}, {first['counted']}.", first["mean_ms"], reading.rows)
    worst = slow[0]
    said = (
        f"{len(slow)} statement{'s' * (len(slow) > 1)} above {WORTH_A_LOOK.warning:g} ms on average; the costliest "
        f"takes {worst['share_percent']:g} % of all time: {count(worst['calls'])} calls of {_each(worst)}, "
        f"{worst['counted']}."
    )
    return Judgement(Verdict.WARNING, said, worst["mean_ms"], reading.rows)


def _each(row: Row) -> str:
    return duration(row["mean_ms"] / 1000)


def _matters(row: Row) -> bool:
    return bool(
        WORTH_A_LOOK.judge(row["mean_ms"]) is Verdict.WARNING
        and row["calls"] >= FEWEST_REPEATS
        and (row["share_percent"] or 0) >= LEAST_SHARE
    )


def query_p95(window_seconds: float = 0, target_ms: float | None = None, alert_ms: float | None = None) -> Check:
    """Return the check of the guide's query P95, as far as it can be proven.

    pg_stat_statements knows calls, mean, standard deviation, minimum and maximum of each statement, no
    percentile. From these the one-sided Chebyshev (Cantelli) inequality and its kin bound the share of
    calls above a limit, for any distribution (:mod:`opslib.probes.database_bounds`). P95 is at most the
    target exactly when at most 5 % of calls are above it, so:

    * OK only if at most 5 % are above the target, proven, and no statement was thrown out uncounted;
    * CRITICAL only if more than 5 % are above the alert, proven; WARNING likewise for the target;
    * UNKNOWN in between, or with fewer than 100 calls, with the bounds in the sentence.

    This is never a measured P95. Times are the server's, without network and pool; calls that failed or
    were cancelled are not counted; statements on another server are not seen.
    """
    limits = threshold("query-p95", warning=target_ms, critical=alert_ms)
    assert limits.warning is not None
    assert limits.critical is not None

    return Check(
        name="database-query-p95",
        title=f"95 % of queries take less than {limits.warning:g} ms",
        probe=probes.query_bounds((limits.warning, limits.critical), window_seconds),
        judge=_judge_p95,
        remedy=(
            "Proven slow: go on with the statement named in the table (cell slow-statements). Unproven: look at the "
            "application's own histogram, which alone can measure a P95, or sample again under load with "
            "window_seconds=60. SELECT pg_stat_statements_reset() forgets old outliers, and everything else too."
        ),
        threshold=limits,
        items=("MON-DB-01T", "MON-DB-01A"),
    )


def _judge_p95(reading: Reading) -> Judgement:
    target, alert = reading.rows
    if target["calls"] < FEWEST_CALLS:
        said = f"Only {count(target['calls'])} queries were counted {target['counted']}; a P95 needs {FEWEST_CALLS}."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    said = (
        f"Of {count(target['calls'])} queries {target['counted']}, provably {_share(target)} took longer than "
        f"{target['limit_ms']:g} ms and {_share(alert)} longer than {alert['limit_ms']:g} ms"
    )
    if alert["above_at_least_percent"] > 5:
        return Judgement(Verdict.CRITICAL, f"{said}: P95 is above the alert.", None, reading.rows)
    if target["above_at_least_percent"] > 5:
        more = "" if alert["above_at_most_percent"] <= 5 else "; whether it is above the alert stays open"
        return Judgement(Verdict.WARNING, f"{said}: P95 is above the target{more}.", None, reading.rows)
    if target["above_at_most_percent"] > 5:
        return Judgement(Verdict.UNKNOWN, f"{said}: that proves nothing about P95.", None, reading.rows)
    if target["thrown_out"]:
        lost = f"{count(target['thrown_out'])} times the server dropped statements uncounted, so it proves nothing"
        return Judgement(Verdict.UNKNOWN, f"{said}, but {lost} of the whole.", None, reading.rows)
    return Judgement(Verdict.OK, f"{said}: P95 is within the target.", None, reading.rows)


def _share(row: Row) -> str:
    low, high = row["above_at_least_percent"], row["above_at_most_percent"]
    return f"{low:g} %" if low == high else f"{low:g} to {high:g} %"
