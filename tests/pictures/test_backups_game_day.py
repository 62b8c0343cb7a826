from xml.etree import ElementTree

from opslib.pictures import backups
from tests.drills import MOMENTS
from tests.game_days import drilled, ran, reading, told

SLOW = MOMENTS.model_copy(update={"mitigated": 200.0, "resolved": 260.0})
PEOPLE = [told("alerted", 60, within=30), told("acknowledged", 90), ran("disaster/recover-database", 100)]


def test_each_service_has_a_lane_that_says_what_the_time_was_spent_on_and_who_says_so():
    made = backups.game_day(reading(drilled(moments=SLOW), *PEOPLE))
    ElementTree.fromstring(made.svg)
    assert made.alternative == (
        "Database: nobody was told for 1 min, told, and nobody on it for 30.0 s, taken on, without a runbook for "
        "10.0 s, being recovered for 1 min 40 s, served, not all steady for 1 min; served again after 3 min 20 s, "
        "promised 5 min."
    )
    for words in (
        "promised 5 min",
        "11:01:00 ± 30.0 s: alerted (signed word, ben@valuecanvas)",
        "(the archive, ben@ops-2)",
    ):
        assert words in made.svg
    assert "broken (measured, ann@ops-1): table-dropped" in made.svg


def test_what_nobody_says_is_no_time_and_is_named():
    made = backups.game_day(reading(told("injected"), told("alerted", 60)))
    assert (
        "not served again, promised 5 min; nobody says when it was acknowledged, opened, mitigated" in made.alternative
    )
    assert "not served again" in made.svg


def test_without_a_game_day_and_where_nobody_could_look_that_is_said():
    assert "nobody says that anything was broken" in backups.game_day(reading()).alternative
    assert backups.game_day(reading(unknown="no archive")).alternative == "Nobody could look: no archive."


def test_what_people_write_is_text_and_nothing_else():
    made = backups.game_day(reading(told("injected", says="<script>alert(1)</script>"), told("mitigated", 60)))
    ElementTree.fromstring(made.svg)
    assert "<script" not in made.svg
