"""The waits of a run, without a run around them: what is asked outside, how long, and that a stop is heard."""

import time

import pytest

from opslib.errors import Refused, UsageError
from opslib.redaction import Redactor
from opslib.runs import journal, outside
from opslib.runs.journal import Journal
from opslib.runs.waiting import Waiting
from opslib.runs.work import Work
from tests.descriptions import description

RUN = "20261123T130614Z-runbooks-paint-a1b2c3"


class Waits:
    """``looks`` counts how often the wait asked whether it may go on; ``at`` says what happens at which of them."""

    def __init__(self, archive):
        folder = archive / "running" / RUN
        folder.mkdir(parents=True)
        self.told, self.looks, self.at = [], 0, {}
        self.journal = Journal(folder / "journal.jsonl", Redactor([]))
        work = Work(RUN, "runbooks/paint", description(), folder, "run")
        self.waiting = Waiting(work, self.journal, self._may_go_on, self.told.append)

    def _may_go_on(self):
        self.looks += 1
        if happens := self.at.get(self.looks):
            happens()

    def events(self):
        return [line.event for line in journal.read(self.journal.path)]


@pytest.fixture
def waits(tmp_path):
    made = Waits(tmp_path)
    yield made
    made.journal.close()


def stop():
    raise Refused("stopped by ann", "Resume.")


def test_a_person_may_answer_late(waits, tmp_path):
    waits.at[3] = lambda: outside.say(tmp_path, RUN, "confirm", "ann@bastion")
    assert waits.waiting.confirm("Writers stopped?", 1) == "ann@bastion"
    assert (waits.looks, waits.events()) == (3, ["waiting", "confirmed"])


def test_a_rest_lasts_as_long_as_it_should_and_says_why(waits):
    started = time.monotonic()
    waits.waiting.rest(0.6, "until the paint is dry")
    assert time.monotonic() - started >= 0.6
    assert waits.told == ["until the paint is dry"]
    assert waits.looks >= 3


def test_a_stop_ends_a_rest_at_its_next_look(waits):
    waits.at[2] = stop
    started = time.monotonic()
    with pytest.raises(Refused, match="stopped by ann"):
        waits.waiting.rest(500, "x")
    assert time.monotonic() - started < 400


def test_no_rest_at_all_is_one_and_hears_a_stop_too(waits):
    waits.waiting.rest(0, "x")
    waits.at[waits.looks + 1] = stop
    with pytest.raises(Refused, match="stopped by ann"):
        waits.waiting.rest(0, "x")


@pytest.mark.parametrize("seconds", [-0.1, 600.1])
def test_what_is_no_rest_is_refused(waits, seconds):
    with pytest.raises(UsageError, match="not possible"):
        waits.waiting.rest(seconds, "x")
    assert waits.told == []
