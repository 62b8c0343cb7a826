"""Errors and slow answers since a deployment beside those before it."""

from contextlib import closing
from datetime import timedelta

import pytest

from opslib.checks import application as checks
from opslib.model import Reading, now
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget
from tests.routines import deployed

ERRORS, TIMES = checks.errors_compared(deployed(3)), checks.times_compared(deployed(3))


def sides(before, since):
    """Return two windows, each as (requests, failures, slow)."""
    rows = [
        {
            "when": name,
            "minutes": 60,
            "until": "",
            "requests": one[0],
            "failures": one[1],
            "timed": one[0],
            "slow": one[2],
        }
        for name, one in (("before", before), ("since", since))
    ]
    return Reading("application-compared", "Compared", "lab", now(), 0.1, tuple(rows))


@pytest.mark.parametrize(
    ("before", "since", "errors", "times"),
    [
        ((10_000, 5, 100), (10_000, 5, 100), "OK", "OK"),
        ((10_000, 5, 100), (10_000, 40, 300), "WARNING", "WARNING"),
        ((10_000, 5, 100), (10_000, 400, 900), "CRITICAL", "CRITICAL"),
        ((10_000, 400, 900), (10_000, 5, 100), "OK", "OK"),
        # One of 120 may be chance.
        ((10_000, 12, 100), (120, 1, 2), "OK", "OK"),
        ((10_000, 5, 100), (99, 50, 50), "UNKNOWN", "UNKNOWN"),
        ((0, 0, 0), (10_000, 5, 100), "UNKNOWN", "UNKNOWN"),
        ((None, 0, None), (10_000, 5, 100), "UNKNOWN", "UNKNOWN"),
    ],
)
def test_more_is_said_only_where_it_is_more_for_certain(before, since, errors, times):
    reading = sides(before, since)
    assert (ERRORS.judge(reading).verdict, TIMES.judge(reading).verdict) == (errors, times)


def of(hours):
    at = (now() - timedelta(hours=hours)).isoformat()
    return Reading("deployed", "Deployed", "lab", now(), 0.1, ({"what": "API", "at": at, "commit": None},))


def looked(lab, check, **said):
    with closing(ReadTarget(lab.settings.model_copy(update=said), "test")) as target:
        return evaluate(check, target)


def test_prometheus_tells_both_windows_of_the_lab(lab):
    found = looked(lab, checks.errors_compared(of(30)))
    assert (found.verdict, [row["when"] for row in found.reading.rows]) == ("OK", ["before", "since"]), found.summary
    assert found.reading.rows[0]["until"] < found.reading.rows[1]["until"]
    assert all(row["requests"] > 1000 for row in found.reading.rows)


def test_right_after_a_deployment_and_without_prometheus_nobody_knows(lab):
    soon = looked(lab, checks.errors_compared(of(0.05)))
    assert (soon.verdict, "It was deployed 3 minutes ago" in soon.summary) == ("UNKNOWN", True), soon.summary
    assert looked(lab, checks.times_compared(of(30)), prometheus_url=None).verdict == "UNKNOWN"
    untold = looked(lab, checks.errors_compared(deployed(3, unknown="The hoster is silent.")))
    assert (untold.verdict, "The hoster is silent" in untold.summary) == ("UNKNOWN", True)
