from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.canonical import canonical, digest, to_json
from opslib.model import Effect, Plan, Repeat, Threshold, Verdict


def test_the_worst_of_nothing_is_unknown():
    assert Verdict.worst([]) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ("OK OK", "OK"),
        ("OK WARNING", "WARNING"),
        ("WARNING UNKNOWN OK", "UNKNOWN"),
        ("UNKNOWN CRITICAL", "CRITICAL"),
    ],
)
def test_what_nobody_could_look_at_never_becomes_ok(verdicts, worst):
    assert Verdict.worst([Verdict(word) for word in verdicts.split()]) is Verdict(worst)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(80, "OK"), (80.1, "WARNING"), (90, "WARNING"), (91, "CRITICAL"), (None, "UNKNOWN"), (float("nan"), "UNKNOWN")],
)
def test_a_threshold_is_crossed_strictly_and_no_figure_is_unknown(value, verdict):
    assert Threshold(80, 90, "%", "guide").judge(value) is Verdict(verdict)


def test_a_threshold_can_be_a_lower_limit():
    ratio = Threshold(50, 20, "%", "reason", above=False)
    assert [ratio.judge(value) for value in (60, 40, 10)] == [Verdict.OK, Verdict.WARNING, Verdict.CRITICAL]


def test_times_are_written_in_utc_and_exact_numbers_stay_numbers():
    moment = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
    assert to_json({"at": moment, "n": Decimal("12"), "x": Decimal("1.5")}) == {
        "at": "2026-11-23T13:00:00Z",
        "n": 12,
        "x": 1.5,
    }


@pytest.mark.parametrize(("value", "said"), [("Infinity", "Infinity"), ("-Infinity", "-Infinity"), ("NaN", "NaN")])
def test_a_numeric_that_is_no_number_is_written_by_its_name(value, said):
    assert to_json(Decimal(value)) == said


def test_bytes_have_no_place_in_a_record():
    with pytest.raises(TypeError, match="bytes has no JSON form"):
        to_json({"raw": b"\x00"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_everything_that_can_be_read_has_a_digest_and_the_same_one_twice(value):
    assert digest(value) == digest(value)
    assert canonical(value) == canonical(value)


def plan(**changed):
    said = {
        "action": "take-backup",
        "title": "Take a backup",
        "effect": Effect.CHANGE,
        "repeat": Repeat.ONCE,
        "parameters": {},
        "before": {},
        "after": {"key": "a"},
        "touches": 1,
        "touched": "objects",
        "verification": "",
        "undo": "",
    }
    return Plan(**{**said, **changed})


def test_any_change_of_a_plan_changes_its_digest():
    same = plan()
    assert same.digest == plan().digest
    changes = [{"after": {"key": "b"}}, {"touches": 2}, {"effect": Effect.DESTRUCTIVE}, {"fingerprint": {"a": 1}}]
    assert len({plan(**change).digest for change in changes} | {same.digest}) == len(changes) + 1
