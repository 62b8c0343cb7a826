"""What follows from a game day's rows: who did what, when, and how sure that is. Pure."""

import pytest

from opslib.guide import game_day as days
from tests.game_days import BEFORE, BEGAN, DAY, drilled, ran, told

COURSE = [
    told("injected", by="ann@valuecanvas"),
    told("alerted", 60),
    told("acknowledged", 90),
    told("opened", 100),
    told("mitigated", 400),
    told("resolved", 500),
]


def at(found):
    return {moment: (seen.at - BEGAN).total_seconds() for moment, seen in found.items()}


def test_where_nothing_was_measured_people_tell_the_whole_course():
    found = days.course(COURSE, "database")
    assert at(found) == {
        "injected": 0,
        "alerted": 60,
        "acknowledged": 90,
        "opened": 100,
        "mitigated": 400,
        "resolved": 500,
    }
    assert {seen.source for seen in found.values()} == {"word"}
    assert days.services(COURSE) == ["database"]


def test_what_was_measured_counts_before_what_was_said():
    found = days.course([*COURSE, drilled()], "database")
    assert (found["injected"].source, found["mitigated"].source, found["alerted"].source) == ("drill", "drill", "word")
    assert at(found)["noticed"] == 2.0
    assert at(found)["mitigated"] == 10.0


def test_the_archive_knows_better_than_anybody_which_runbook_was_opened_and_by_whom():
    rows = [
        *COURSE,
        ran("diagnostics/triage", 70),
        ran("disaster/recover-database", 120),
        ran("runbooks/maintain-database", 130),
    ]
    opened = days.course(rows, "database")["opened"]
    assert (opened.source, opened.by, opened.what) == ("run", "ben@ops-2", "disaster/recover-database")


@pytest.mark.parametrize(
    "run",
    [
        ran("disaster/recover-database", -60),
        ran("disaster/recover-database", 120, untrusted="is not what was sealed"),
        ran("disaster/recover-llm", 120),
        ran("diagnostics/database", 120),
        ran("disaster/recovery-drill", 120),
        ran("disaster/recover-database", 600),
    ],
    ids=["before the fault", "untrusted", "another service's", "a look", "a drill", "after all was well"],
)
def test_a_run_that_recovers_nothing_of_this_is_no_opened_runbook(run):
    assert days.course([*COURSE, run], "database")["opened"].source == "word"


def test_the_first_alert_counts_and_of_several_who_say_that_it_was_over_the_last():
    rows = [*COURSE, told("alerted", 30, by="cat@valuecanvas"), told("mitigated", 450, by="cat@valuecanvas")]
    assert at(days.course(rows, "database"))["alerted"] == 30
    assert at(days.course(rows, "database"))["mitigated"] == 450


def test_what_lies_before_the_fault_is_none_of_its_moments_unless_nobody_is_so_sure():
    rows = [told("injected"), told("alerted", -30), told("acknowledged", -30, within=60)]
    assert set(days.course(rows, "database")) == {"injected", "acknowledged"}


def test_a_span_is_as_unsure_as_both_its_ends():
    found = days.course([told("injected", within=20), told("alerted", 60, within=30)], "database")
    span = days.span(found, "injected", "alerted")
    assert (span.seconds, span.within, span.least, span.most) == (60.0, 50.0, 10.0, 110.0)
    assert days.span(found, "alerted", "mitigated") is None


def test_a_word_of_all_services_is_of_each_and_days_are_in_the_order_of_their_first_moments():
    rows = [told("injected", service="all"), told("injected", -86_400, day=BEFORE)]
    assert days.services(days.chosen(rows, DAY)) == ["database", "application", "llm", "cache", "frontend"]
    assert (days.days(rows), days.chosen(rows, "latest")[0]["day"]) == ([BEFORE, DAY], DAY)
    assert days.chosen([], "latest") == []


def test_a_look_at_the_whole_system_frames_what_nobody_measured():
    rows = [*COURSE, ran("diagnostics/triage", -600), ran("diagnostics/triage", -60), ran("diagnostics/triage", 520)]
    before, after = days.looks(rows, "database")
    seconds = [(days.when(run["started_at"]) - BEGAN).total_seconds() for run in (before, after)]
    assert seconds == [-60, 520]
    assert days.looks([], "database") == (None, None)


def test_a_service_that_could_not_be_broken_was_not_exercised():
    rows = [drilled("llm", why="It was not steady before."), drilled("cache")]
    assert days.services(rows) == ["cache"]
    assert days.drill_of(rows, "llm") is None
