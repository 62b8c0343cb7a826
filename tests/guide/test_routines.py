"""The guide's lists as data: each line once, each with checks or a person's word."""

from datetime import timedelta

import pytest

from opslib.errors import UsageError
from opslib.guide import routines
from opslib.guide.catalogue import items, places


def test_each_of_the_guides_41_lines_is_there_exactly_once_in_its_routine():
    listed = [item.id for item in items().values() if item.notebook.startswith("routines/")]
    assert list(routines.lines()) == listed
    assert {name: len(routines.lines_of(name)) for name in routines.ROUTINES} == {
        "daily": 4,
        "weekly": 4,
        "monthly": 4,
        "production-readiness": 24,
        "post-deployment-watch": 5,
    }


def test_a_cell_shows_each_line_and_the_guides_map_names_it():
    mapped = {place.id: (place.notebook, place.cell) for place in places() if place.notebook.startswith("routines/")}
    assert mapped == {line.item: (f"routines/{line.routine}", line.cell) for line in routines.lines().values()}


def test_no_line_is_without_evidence_and_without_a_word():
    for line in routines.lines().values():
        assert bool(line.checks) or line.word == "only", line.item
        assert (line.holds == "-") is (line.word == "none"), line.item


def test_a_daily_word_is_not_one_for_next_week_and_a_readiness_word_is_of_one_commit():
    assert routines.line("MNT-WK-04").days == timedelta(days=7)
    assert routines.line("MNT-MO-04").days == timedelta(days=31)
    assert routines.line("CHK-PRE-03").of_commit
    assert routines.line("CHK-PRE-03").days is None
    assert all(line.of_commit for line in routines.lines_of("production-readiness") if line.word != "none")


def test_the_words_are_the_guides():
    assert routines.line("CHK-PRE-02").says == "Code review complete"


@pytest.mark.parametrize("name", ["yearly", "routines/yearly", ""])
def test_another_routine_is_none(name):
    with pytest.raises(UsageError, match="no routine"):
        routines.lines_of(name)


def test_another_item_is_no_line():
    with pytest.raises(UsageError, match="no line"):
        routines.line("BAK-SBC-03")
