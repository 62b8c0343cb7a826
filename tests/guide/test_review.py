"""The times of a post-incident review: intervals from words and readings. Pure."""

import pytest

from opslib.guide.review import Told, times, turned, turns
from tests.incidents_told import BEGAN, after, turn

WORDS = {"began": BEGAN, "acknowledged": after(6), "by": "ann", "mitigated": after(20), "resolved": after(30)}


def told(**said):
    return Told(**{"name": "INC-1", "shown_by": "cache-memory", **said})


def spans(incident, *rows, at=60):
    found = times(incident, rows, after(at))
    return {name: (span.least, span.most) for name in found.moments if (span := found.span(name))}


def test_what_people_tell_holds_give_or_take_a_minute():
    found = spans(told(**WORDS, detected=after(5)))
    assert found["detected"] == (180, 420)
    assert found["resolved"] == (28 * 60, 32 * 60)


def test_detection_and_mitigation_lie_between_two_readings():
    worse = turn(("OK", -10), ("CRITICAL", 4))
    better = turn(("CRITICAL", 15), ("OK", 18))
    found = times(told(**WORDS), (worse, better), after(60))
    assert (found.moments["detected"].earliest, found.moments["detected"].latest) == (after(-1), after(4))
    assert found.moments["detected"].source == "cache-memory: last good and first bad reading"
    assert (found.moments["mitigated"].earliest, found.moments["mitigated"].latest) == (after(15), after(18))
    assert (found.span("mitigated").least, found.span("mitigated").most) == (14 * 60, 19 * 60)
    assert found.contradictions == ()


def test_without_a_word_of_its_beginning_the_readings_tell_it():
    found = times(told(), (turn(("OK", -10), ("CRITICAL", 4)),), after(60))
    assert (found.moments["began"].earliest, found.moments["began"].latest) == (after(-10), after(4))
    assert (found.span("detected").least, found.span("detected").most) == (0, 14 * 60)


def test_a_person_who_noticed_it_before_the_check_was_made_again_counts():
    rows = (turn(("OK", -10), ("CRITICAL", 40)),)
    assert times(told(**WORDS, detected=after(3)), rows, after(60)).moments["detected"].source == "word of a person"


def test_it_began_no_later_than_the_first_bad_reading():
    found = times(told(**WORDS), (turn(("OK", -10), ("CRITICAL", 0.5)),), after(60))
    assert found.moments["began"].latest == after(0.5)


@pytest.mark.parametrize(
    ("said", "rows", "why"),
    [
        ({"resolved": after(90)}, (), "resolved lies in the time to come"),
        ({"resolved": after(15)}, (), "resolved comes before mitigated"),
        ({"acknowledged": after(-5)}, (), "acknowledged comes before began"),
        ({}, (turn(("OK", -40), ("CRITICAL", -20)),), "it began, and cache-memory was ill already at 09:40:00 UTC"),
        (
            {},
            (turn(("OK", -1), ("CRITICAL", 4)), turn(("CRITICAL", 25), ("OK", 28))),
            "it was mitigated, and cache-memory was still ill at 10:25:00 UTC",
        ),
    ],
)
def test_what_contradicts_the_rest_is_said(said, rows, why):
    assert times(told(**{**WORDS, **said}), rows, after(60)).contradictions == (why,)


def test_who_takes_it_on_after_it_was_mitigated_contradicts_nothing():
    late = told(**{**WORDS, "acknowledged": after(25)})
    assert times(late, (), after(60)).contradictions == ()


def test_other_checks_other_times_and_runs_that_are_not_believed_do_not_count():
    rows = (
        turn(("OK", -10), ("CRITICAL", 4), check="other"),
        turn(("OK", -3000), ("CRITICAL", -2900)),
        turn(("CRITICAL", -2800), ("OK", -2700)),
        turn(("OK", 50), ("CRITICAL", 55)),
        turn(("OK", 1), ("CRITICAL", 2), untrusted="is not what was sealed"),
    )
    assert turned(told(**WORDS), rows) == (None, None)


def test_it_is_mitigated_once_it_is_as_good_as_before_and_not_a_little_better():
    rows = (
        turn(("WARNING", -10), ("CRITICAL", 4)),
        turn(("CRITICAL", 10), ("WARNING", 12)),
    )
    assert turned(told(**WORDS), rows)[1]["after"] == "WARNING"
    rows = (turn(("OK", -10), ("CRITICAL", 4)), rows[1])
    assert turned(told(**WORDS), rows)[1] is None


def test_what_nobody_could_see_is_no_turn():
    assert turns(["OK", "UNKNOWN", "OK", "CRITICAL", "UNKNOWN", "CRITICAL", "WARNING"]) == [(2, 3), (5, 6)]
    assert turns([]) == turns(["UNKNOWN"]) == []
