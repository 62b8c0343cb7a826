"""What the guide promises of a recovery, and which drill of several is meant."""

import pytest

from opslib.guide.catalogue import items
from opslib.guide.promises import PROMISES, before, chosen, counts
from opslib.probes.backups_drill import damaged
from tests.drills import drill, exercise, reading


def test_the_newest_is_chosen_though_it_is_damaged_and_the_one_before_must_be_sound():
    names = [f"2026112{day}T110000Z-drill-a1b2c3" for day in range(4)]
    rows = list(reading(*(drill(exercise("llm"), name=name) for name in (names[0], names[2]))).rows)
    rows += [damaged(names[1], "is gone"), damaged(names[3], "is gone")]
    assert [row["drill"] for row in chosen(rows, "latest")] == [names[3]]
    assert before(rows, names[3])["llm"]["drill"] == names[2]
    assert before(rows, names[2])["llm"]["drill"] == names[0]
    assert chosen(rows, "20200101T000000Z-drill-000000") == chosen([], "latest") == []
    assert before(rows, names[0]) == {}


@pytest.mark.parametrize(
    "said",
    [
        {"state": "interrupted"},
        {"unsealed": ["X is gone"]},
        {"why": "Not there."},
        {"damage": "is gone"},
    ],
)
def test_what_was_stopped_left_out_or_changed_is_no_drill_to_count(said):
    (row,) = reading(drill(exercise("llm"))).rows
    assert counts(row)
    assert not counts({**row, **said})


def test_the_promises_are_the_guides_own():
    for promise in PROMISES.values():
        rto, rpo = (items()[item].item for item in promise.items)
        assert f"RTO {promise.rto.critical:g} min" in rto
        assert ("RPO N/A" in rpo) == (promise.rpo is None)
        if promise.rpo is not None and promise.rpo.critical:
            assert f"RPO {promise.rpo.critical / 60:g} hour" in rpo
    assert [one.priority for one in PROMISES.values()] == ["P0", "P0", "P1", "P1", "P2"]


def test_what_people_recovered_on_a_game_day_is_no_drill_of_the_tool_and_is_compared_with_its_like():
    names = [f"2026{month:02d}29T110000Z-drill-a1b2c3" for month in (5, 8, 11)]
    tool, people, newest = (
        reading(drill(exercise("cache"), name=name, day=day)).rows[0]
        for name, day in zip(names, ("", "2026-q3", "2026-q4"), strict=True)
    )
    rows = [tool, people, newest]
    assert chosen(rows, "latest") == [tool]
    assert chosen(rows, names[2]) == [newest]
    assert before(rows, names[2]) == {"cache": people}
    assert before([tool, people], names[1]) == {}
