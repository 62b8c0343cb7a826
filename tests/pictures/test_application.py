from opslib.checks.application import after_change
from opslib.model import Reading, now
from opslib.pictures.application import watched as drawn
from opslib.runs.display import Note
from opslib.runs.reading import watched

WATCH = after_change(0.1)


def look(requests, failures=0, state="ready"):
    row = {"process": 1.0, "requests": requests, "failures": failures, "state": state, "status": 200}
    row |= {"over_500_ms": 0, "over_1000_ms": 0}
    return Reading("application-serving", "Serving", "lab", now(), 0.1, (row,))


def test_failures_and_readiness_are_drawn_with_the_verdict():
    result = watched(WATCH, [look(0), look(1000, 2), look(2000, 3, "not ready"), look(9000, 4)], last=True)
    picture = drawn(result)
    assert picture.alternative.startswith("WARNING: Failures 0.04 %")
    assert "alert: 1 %" in picture.svg
    assert picture.svg.count("●") == 3 + 1
    assert picture.svg.count("✗") == 1 + 1


def test_a_planning_run_has_watched_nothing():
    assert drawn(Note("Here the run will watch.")).alternative == "Nothing was watched yet."


def test_a_watch_that_saw_nothing_says_so():
    gone = Reading("application-serving", "Serving", "lab", now(), 0.1, unknown="It is gone.")
    assert "It is gone" in drawn(watched(WATCH, [gone], last=True)).alternative
