from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from opslib.probes.backups_retention import Candidate, decide

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AGES = st.one_of(st.none(), st.integers(-48, 24 * 90))


def candidates():
    one = st.tuples(AGES, st.booleans(), st.booleans(), st.booleans())
    return st.lists(one, max_size=12).map(
        lambda rows: [
            Candidate(f"b{i}", None if age is None else NOW - timedelta(hours=age), proven, usable, locked)
            for i, (age, proven, usable, locked) in enumerate(rows)
        ]
    )


def backup(name, days, proven=False, usable=True, locked=False):
    return Candidate(name, NOW - timedelta(days=days), proven, usable, locked)


def going(*items, days=30):
    return [decision.name for decision in decide(items, NOW, days) if decision.goes]


@given(candidates(), st.integers(1, 60))
def test_the_newest_proven_backup_never_goes(items, days):
    stays = {d.name for d in decide(items, NOW, days) if not d.goes}
    proven = [item for item in items if item.proven and item.usable and item.taken_at]
    if proven:
        newest = max(item.taken_at for item in proven)
        assert any(item.name in stays for item in proven if item.taken_at == newest)


@given(candidates(), st.integers(1, 60))
def test_what_goes_is_old_whole_unlocked_and_has_a_younger_proven_backup(items, days):
    decisions = {d.name: d for d in decide(items, NOW, days)}
    assert list(decisions) == [item.name for item in items]
    for item in items:
        if decisions[item.name].goes:
            assert item.taken_at is not None
            assert item.usable
            assert not item.locked
            assert NOW - item.taken_at > timedelta(days=days)
            assert any(
                other.proven
                and other.usable
                and other.taken_at
                and other.taken_at >= item.taken_at
                and other is not item
                for other in items
            )


@given(candidates(), st.integers(1, 60))
def test_without_any_proven_backup_nothing_goes(items, days):
    unproven = [Candidate(item.name, item.taken_at, False, item.usable, item.locked) for item in items]
    assert [d for d in decide(unproven, NOW, days) if d.goes] == []


@given(candidates(), st.integers(1, 60))
def test_the_order_of_the_listing_does_not_matter(items, days):
    one = {(d.name, d.goes) for d in decide(items, NOW, days)}
    other = {(d.name, d.goes) for d in decide(list(reversed(items)), NOW, days)}
    assert one == other


def test_after_a_month_of_failing_backups_the_last_good_one_stays():
    assert going(backup("good", 45, proven=True), *(backup(f"bad{n}", n) for n in range(40))) == []


def test_old_backups_go_once_a_younger_one_is_proven():
    old, older = backup("old", 31), backup("older", 60, proven=True)
    assert going(older, old, backup("new", 0)) == []
    assert going(older, old, backup("new", 0, proven=True)) == ["older", "old"]


def test_a_backup_of_exactly_the_retention_stays():
    proven = backup("new", 0, proven=True)
    assert going(backup("edge", 30), proven) == []
    assert going(Candidate("edge", NOW - timedelta(days=30, microseconds=1), False, True), proven) == ["edge"]


def test_locked_broken_and_future_backups_stay_and_say_why():
    proven = backup("new", 0, proven=True)
    items = (backup("locked", 50, locked=True), backup("broken", 50, usable=False), backup("future", -3))
    why = {d.name: d.why for d in decide([*items, proven], NOW, 30)}
    assert going(*items, proven) == []
    assert "lock" in why["locked"]
    assert "person" in why["broken"]


def test_of_two_proven_backups_of_the_same_moment_one_stays():
    assert len(going(backup("a", 50, proven=True), backup("b", 50, proven=True))) == 1
