"""Two runs beside one another: each check and step that came out otherwise, and nothing where nothing did."""

import pytest

from opslib.archive import record
from opslib.archive.differences import Difference, differences
from opslib.archive.store import Archive

from .test_search_index import DISK, judged, ran


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


@pytest.fixture
def told(archive):
    def told(old, new):
        return differences(*(record.load(archive.folder / "runs" / run) for run in (old, new)))

    return told


def planned(**plan):
    return {"event": "planned", "cell": "take", "step": "take", "plan": {"title": "Take it", **plan}}


def test_runs_that_came_out_alike_do_not_differ(archive, told):
    old = ran(archive, 1, judged(DISK, "OK", 41.5, "41.5 % is used."))
    new = ran(archive, 2, judged(DISK, "OK", 41.5, "41.5 % is used."))
    assert told(old, new) == []


def test_a_check_is_compared_value_by_value(archive, told):
    old = ran(archive, 1, judged(DISK, "OK", 41.5, "41.5 % is used."), parameters={"days": 7}, environment="lab")
    new = ran(archive, 2, judged(DISK, "CRITICAL", 93, "93 % is used."), parameters={"days": 8}, verdict="CRITICAL")
    assert told(old, new) == [
        Difference("run", "run", "verdict", "OK", "CRITICAL"),
        Difference("parameter", "days", "", "7", "8"),
        Difference("check", DISK, "verdict", "OK", "CRITICAL"),
        Difference("check", DISK, "value", "41.5", "93"),
        Difference("check", DISK, "summary", "41.5 % is used.", "93 % is used."),
    ]


def test_a_check_that_one_of_them_never_made_is_named(archive, told):
    old, new = ran(archive, 1, judged("a", "OK", 1, "a")), ran(archive, 2, judged("b", "WARNING", 1, "b"))
    assert told(old, new) == [
        Difference("check", "b", "made", "–", "WARNING"),
        Difference("check", "a", "made", "OK", "–"),
    ]


def test_a_step_is_compared_by_what_stood_before_and_what_was_to_stand_after(archive, told):
    old = ran(archive, 1, planned(touches=1, before={"size": 1, "gone": 2}, after={"size": 3}))
    new = ran(archive, 2, planned(touches=2, before={"size": 2}, after={"size": 3, "more": [1]}))
    assert told(old, new) == [
        Difference("step", "take", "before: size", "1", "2"),
        Difference("step", "take", "before: gone", "2", "–"),
        Difference("step", "take", "after: more", "–", "[1]"),
        Difference("step", "take", "touches", "1", "2"),
    ]


def test_a_record_that_is_damaged_is_compared_as_far_as_it_can_be_read(archive, told):
    old = ran(archive, 1, judged(DISK, "OK", 41.5, "41.5 % is used."))
    new = ran(archive, 2, judged(DISK, "OK", 41.5, "41.5 % is used."))
    (archive.folder / "runs" / new / "journal.jsonl").write_bytes(b"\xff\n{}")
    said = told(old, new)
    assert Difference("check", DISK, "made", "OK", "–") in said
