"""A run that is killed, wherever that is, goes on: nothing is done twice, nothing is lost, and its record says so."""

import random

import pytest

from tests.crash.bench import Case, working
from tests.crash.steps import RUNBOOKS
from tests.scale import NIGHTLY, count

MOST = 3
"""So often a run is gone on with; by then it must have finished."""


def points(scenario, number, last):
    """Return so many points, evenly over the run, each nightly's and each runbook's beginning elsewhere."""
    start = random.Random(scenario).random()
    return sorted({1 + int((start + n) * last / number) for n in range(number)})


def until_finished(driver, case, fault, again=None):
    """Kill the run at a point, go on with it until it has finished; returns what every process told."""
    told = [driver.run(case, fault)]
    while told[-1].ended != "finished" and len(told) <= MOST:
        told.append(driver.run(case, again if len(told) == 1 else None, go_on=True))
        if "nothing to resume" in told[-1].reason:
            return told[:-1], True
    return told, told[-1].ended == "finished"


@pytest.mark.parametrize("scenario", list(RUNBOOKS) if NIGHTLY else list(RUNBOOKS)[2::6])
def test_a_run_that_was_killed_anywhere_is_gone_on_with_to_the_same_end(base, driver, undisturbed, tmp_path, scenario):
    expected, last = undisturbed[scenario]
    wrong = []
    for number, at in enumerate(points(scenario, count(1, 170), last)):
        with working(Case(base, scenario, tmp_path / str(at))) as case:
            # Every third is killed once more while it goes on.
            again = {"kind": "kill", "at": at // 2 + 1} if NIGHTLY and number % 3 == 0 else None
            told, finished = until_finished(driver, case, {"kind": "kill", "at": at}, again)
            assert told[0].code == -9 or told[0].points < at, "it was not killed"
            faults = [] if finished else [f"it did not finish: {told[-1].ended} {told[-1].reason}"]
            faults += case.faults(told, expected, finished=finished)
            wrong += [f"point {at}: {fault}" for fault in faults]
    assert wrong == []
