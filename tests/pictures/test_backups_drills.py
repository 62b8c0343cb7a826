from xml.etree import ElementTree

from opslib.guide.promises import PROMISES
from opslib.pictures import backups
from tests.drills import MOMENTS, RUN, drill, exercise, reading


def test_each_service_has_a_lane_and_the_share_of_its_promise():
    made = backups.timeline(reading(drill(*map(exercise, PROMISES))))
    ElementTree.fromstring(made.svg)
    assert "Database: noticed after 2.00 s, served again after 10.0 s, promised 5 min." in made.alternative
    assert all(made.svg.count(one.title) >= 2 for one in PROMISES.values())
    for words in ("unnoticed, 2.00 s", "being recovered, 7.90 s", "served, not all checks OK, 2.00 s", "3 %"):
        assert words in made.svg


def test_what_was_not_drilled_and_what_was_not_recovered_are_no_short_times():
    failed = {"moments": MOMENTS.model_copy(update={"mitigated": None, "resolved": None}), "trouble": "It failed."}
    made = backups.timeline(reading(drill(exercise("llm", **failed), exercise("cache", why="Not there yet."))))
    assert made.alternative == (
        "LLM services: noticed after 2.00 s, not recovered, promised 15 min. Redis cache: not drilled."
    )
    assert "not recovered" in made.svg
    assert "not drilled: Not there yet." in made.svg
    assert "not measured" in made.svg


def test_without_a_drill_and_where_nobody_could_look_that_is_said():
    assert backups.timeline(reading()).alternative == "There is no drill to be drawn."
    strange = reading(drill(exercise("llm")), unsealed={RUN: "is not what was sealed"})
    assert "nothing of it is drawn" in backups.timeline(strange).alternative
    assert backups.timeline(reading(unknown="no archive")).alternative == "Nobody could look: no archive."
