"""When a schedule is due, above all in the two nights of a year in which clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.headless import schedule_times

SPRING = (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 6, tzinfo=UTC))
"""Berlin goes from 02:00 to 03:00 at 01:00 UTC."""
AUTUMN = (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 5, tzinfo=UTC))
"""Berlin goes from 03:00 back to 02:00 at 01:00 UTC."""


def due(expression, span, zone="Europe/Berlin"):
    return [f"{moment:%H:%M}" for moment in schedule_times.between(expression, zone, *span)]


def test_a_due_time_that_the_spring_night_has_not_comes_once_right_after_the_gap():
    assert due("30 2 * * *", SPRING) == ["01:00"]
    assert due("30 2,3 * * *", SPRING) == ["01:00", "01:30"]
    assert due("0 2 * * *", (SPRING[0] + timedelta(days=1), SPRING[1] + timedelta(days=1))) == ["00:00"]


def test_a_due_time_that_the_autumn_night_has_twice_comes_once_the_first_time():
    assert due("30 2 * * *", AUTUMN) == ["00:30"]
    assert due("0 3 * * *", AUTUMN) == ["02:00"]


def test_two_due_times_that_fall_together_at_the_end_of_a_gap_are_one():
    assert due("0,30 2 * * *", SPRING) == ["01:00"]


def test_what_is_due_every_hour_or_half_hour_follows_elapsed_time_in_both_nights():
    half_hours = [f"{hour:02}:{minute:02}" for hour in range(7) for minute in (0, 30)]
    assert due("*/30 * * * *", (SPRING[0] + timedelta(minutes=59), SPRING[1])) == half_hours[:13]
    assert due("10 * * * *", AUTUMN) == ["22:10", "23:10", "00:10", "01:10", "02:10", "03:10", "04:10"]


@pytest.mark.parametrize("span", [SPRING, AUTUMN])
@pytest.mark.parametrize("expression", ["30 2 * * *", "0,30 2 * * *", "*/15 * * * *", "15 */6 * * *"])
def test_from_wherever_one_looks_the_same_due_times_are_seen(expression, span):
    whole = list(schedule_times.between(expression, "Europe/Berlin", *span))
    for minutes in range(0, 7 * 60, 10):
        after = span[0] + timedelta(minutes=minutes)
        seen = list(schedule_times.between(expression, "Europe/Berlin", after, span[1]))
        assert seen == [moment for moment in whole if moment > after]


@settings(derandomize=True)
@given(st.integers(0, 366 * 24 * 60), st.sampled_from(["30 2 * * *", "0 9 * * 1-5", "*/20 * * * *", "0 0 1,15 * 5"]))
def test_the_next_due_time_is_later_and_there_is_none_between(minutes, expression):
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    following = schedule_times.following(expression, "Europe/Berlin", moment)
    assert following > moment
    assert list(schedule_times.between(expression, "Europe/Berlin", moment, following)) == [following]
    assert schedule_times.newest(expression, "Europe/Berlin", following, timedelta(0)) == following


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("61 * * * *", "Bad minute"),
        ("0 25 * * *", "Bad hour"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0 0 31 2,4 *", "Bad day-of-month"),
        ("* * * *", "five fields"),
        ("0 0 0 * * *", "five fields"),
        ("@daily", "five fields"),
        ("0 0 L * *", "five fields"),
        ("0 0 * * 5L", "five fields"),
        ("0 0 * * 5#2", "five fields"),
        ("0 0 15W * *", "five fields"),
        ("0  0 * * *", "five fields"),
        ("0 0 * * *\n", "five fields"),
        ("* * * * *", "more often than every 5 minutes"),
        ("0,3 2 * * *", "more often than every 5 minutes"),
    ],
)
def test_an_expression_that_cannot_be_kept_is_told(expression, words):
    assert words in schedule_times.fault(expression)


@pytest.mark.parametrize("expression", ["*/5 * * * *", "0 2 * JUL MON-WED", "0 0 29 2 *", "0 0 1 * 0", "0 0 * * 7"])
def test_an_expression_that_other_schedulers_read_alike_is_taken(expression):
    assert schedule_times.fault(expression) == ""


def test_a_day_fits_by_its_date_or_its_weekday_where_both_are_said():
    read = schedule_times.fields("0 4 1 * 0,7")
    assert (read.days, read.weekdays, read.either) == ({1}, {0}, True)
    assert schedule_times.fields("0 4 1 * *").either is False
