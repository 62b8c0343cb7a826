"""A watch as a notebook asks for it: looks are journalled, it ends early or in time, and a stop ends it at once."""

import threading
from dataclasses import replace

import pytest

from opslib.errors import Refused, Unreachable, UsageError
from opslib.model import Judgement, Probe, Result, Verdict, Watch
from opslib.runs import journal
from opslib.runs.channel import Client, Server
from opslib.runs.run import Run
from opslib.systems.target import ReadTarget
from tests.descriptions import description
from tests.waiting import until

LOOKS = []


def look(target):
    LOOKS.append(target)
    if len(LOOKS) == 2:
        raise Unreachable("Gone for a moment.", "Look.")
    return [{"number": len(LOOKS)}]


def decide(samples, last):
    if last or len(samples) == 4:
        return Judgement(Verdict.WARNING, f"{len(samples)} looks", float(len(samples)))
    return None


WATCH = Watch("paint-dries", "The paint dries", Probe("paint", "The paint", look), decide, "Wait.", seconds=0.05)


@pytest.fixture
def begin(executor, tmp_path):
    """Make a run of a notebook over a real line."""
    LOOKS.clear()
    made = []

    def start(**more):
        one = executor(**more)
        server = Server(tmp_path / "line", one)
        line = Client(str(tmp_path / "line"))
        made.extend((line, server))
        return one, Run(line, ReadTarget(description("lab").reading(), "r"), line.ask("hello"))

    yield start
    for one in made:
        one.close()


def events(tmp_path):
    return [line.event for line in journal.read(tmp_path / "journal.jsonl")]


def test_every_look_is_journalled_and_the_result_counts_for_the_verdict(begin, tmp_path):
    one, run = begin()
    result = run.watch(WATCH, minutes=5)
    assert isinstance(result, Result)
    assert (result.verdict, result.summary, len(LOOKS)) == (Verdict.WARNING, "4 looks", 4)
    assert [row["number"] for row in result.reading.rows] == [1, 3, 4]
    assert events(tmp_path) == ["opened", *["reading"] * 4, "result"]
    assert one.findings.verdict is Verdict.WARNING


def test_it_ends_in_time_when_nothing_ends_it_early(begin):
    _, run = begin()
    watch = replace(WATCH, decide=lambda samples, last: Judgement(Verdict.OK, "done") if last else None)
    result = run.watch(watch, minutes=0.004)
    assert isinstance(result, Result)
    assert result.verdict is Verdict.OK
    assert len(LOOKS) >= 2


def test_a_planning_run_looks_once_and_waits_for_nothing(begin, tmp_path):
    _, run = begin(mode="plan")
    note = run.watch(WATCH, minutes=600)
    assert "will watch for 600 minutes" in note.text
    assert events(tmp_path) == ["opened", "reading"]


def test_a_stop_ends_it_at_once_though_the_next_look_is_far_away(begin):
    one, run = begin()
    caught = []

    def watch():
        try:
            run.watch(replace(WATCH, seconds=600), minutes=600)
        except Refused as error:
            caught.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    until(lambda: LOOKS)
    one.stop("the test")
    thread.join(20)
    assert [error.message for error in caught] == ["Nothing is begun any more: the test."]


@pytest.mark.parametrize("minutes", [0, -1, 1441, float("nan")])
def test_a_time_that_is_not_possible_is_refused_before_a_look(begin, minutes):
    _, run = begin()
    with pytest.raises(UsageError, match="not possible"):
        run.watch(WATCH, minutes)
    assert LOOKS == []


@pytest.mark.parametrize("seconds", [-1, 601, float("inf")])
def test_no_rest_is_longer_than_ten_minutes(begin, seconds):
    one, _ = begin()
    with pytest.raises((UsageError, ValueError)):
        one.answer({"verb": "rest", "seconds": seconds, "text": "x"}, lambda said: None)
