from __future__ import annotations

from datetime import UTC, datetime, timedelta

from opslib.archive import dates, log, timestamp
from opslib.archive.anchor import Head
from opslib.archive.dates import Bracket
from opslib.archive.log import Entry
from opslib.archive.timestamp import Stamp

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def entry(seq: int, minutes: float, event: str = "note", text: str = "") -> Entry:
    return Entry(seq, event, "-", at(minutes).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "", text)


def stamp(seq: int, minutes: float) -> Stamp:
    return Stamp(seq, at(minutes), f"{seq:064x}")


def beats(every: float, number: int) -> tuple[list[Entry], list[Stamp]]:
    """A log as heartbeats with stamps make it: each names the stamp of the entry before it, three notes between."""
    entries, stamps = [entry(1, -1)], []
    for turn in range(number):
        moment = turn * every
        stamps.append(stamp(entries[-1].seq, moment))
        entries.append(entry(entries[-1].seq + 1, moment + 0.1, "heartbeat", timestamp.naming(stamps[-1])))
        for part in (0.2, 0.5, 0.9):
            entries.append(entry(entries[-1].seq + 1, moment + part * every))
    return entries, stamps


def test_every_entry_between_two_stamped_heartbeats_is_bracketed_by_their_times() -> None:
    entries, stamps = beats(60, 4)
    found = dates.brackets(entries, stamps)
    assert [one.seq for one in found] == [one.seq for one in entries]
    for turn in range(3):
        for one in found[1 + 4 * turn : 5 + 4 * turn]:
            assert (one.not_before, one.not_after) == (at(60 * turn), at(60 * turn + 60))
            assert one.width == timedelta(hours=1)
    assert (found[0].not_before, found[0].not_after, found[0].width) == (None, at(0), None)
    assert all(one.not_after is None for one in found[-4:])
    assert dates.outside(found) == ()


def test_a_published_head_bounds_all_entries_up_to_it_and_the_earliest_proof_counts() -> None:
    entries = [entry(seq, seq) for seq in range(1, 6)]
    heads = [Head(4, "a" * 64, at(10)), Head(5, "b" * 64, at(7)), Head(2, "c" * 64, at(3))]
    found = dates.brackets(entries, [], heads)
    assert [one.not_after for one in found] == [at(3), at(3), at(7), at(7), at(7)]
    assert all(one.not_before is None for one in found)


def test_a_stamp_that_was_not_verified_bounds_nothing() -> None:
    entries, stamps = beats(60, 2)
    found = dates.brackets(entries, stamps[:1])
    assert {one.not_before for one in found[5:]} == {at(0)}
    other = dates.brackets(entries, [Stamp(stamps[0].seq, at(0), "f" * 64)])
    assert {one.not_before for one in other} == {None}


def test_a_date_outside_its_bracket_is_told_and_is_an_error_beyond_an_hour() -> None:
    def found(minutes: float) -> list[tuple[str, str]]:
        said = dates.outside([Bracket(7, at(minutes), at(0), at(60))])
        return [(finding.severity, finding.where) for finding in said]

    assert found(0) == found(30) == found(60) == found(60 + 2 / 60) == found(-2 / 60) == []
    assert found(-2.1 / 60) == found(60 + 2.1 / 60) == [("warning", log.name_of(7))]
    assert found(-60) == found(120) == [("warning", log.name_of(7))]
    assert found(-61) == found(121) == [("error", log.name_of(7))]
    assert dates.outside([Bracket(7, at(-1000), None, None)]) == ()


def test_a_date_outside_its_bracket_is_told_with_the_side_and_the_seconds() -> None:
    def found(minutes: float, first: float, last: float) -> str:
        return str(dates.outside([Bracket(7, at(minutes), at(first), at(last))])[0])

    made_up = "a wrong clock, or a date that was made up"
    assert found(-1, 0, 60) == f"warning: {log.name_of(7)}: is dated 60 s before what it names existed: {made_up}"
    assert found(62, 0, 60) == f"warning: {log.name_of(7)}: is dated 120 s after it was stamped or published: {made_up}"
    # Proofs that contradict one another: the worse one is told, of two alike the later.
    assert "300 s before" in found(5, 10, 1)
    assert "300 s after" in found(5, 10, 0)


def test_a_bracket_that_is_open_on_a_side_has_no_width() -> None:
    assert Bracket(7, at(0), at(0), None).width is Bracket(7, at(0), None, at(0)).width is None
    assert Bracket(7, at(0), at(1), at(3)).width == timedelta(minutes=2)


def test_many_dates_outside_are_told_shortly_and_errors_are_not_lost_among_them() -> None:
    many = [Bracket(seq, at(-1), at(0), None) for seq in range(1, 100)] + [Bracket(100, at(-100), at(0), None)]
    said = dates.outside(many)
    assert (said[0].severity, said[0].where, len(said)) == ("error", log.name_of(100), 22)


def test_a_late_publication_and_an_unpublished_tail_are_told() -> None:
    entries = [entry(seq, seq) for seq in range(1, 6)]
    assert dates.compare(entries, []) == ()
    assert dates.compare(entries, [Head(5, "a" * 64, at(6))]) == ()
    assert dates.compare(entries, [Head(5, "a" * 64, at(5 + 60))]) == ()
    assert dates.compare(entries, [Head(9, "a" * 64, at(900))]) == (), "what the archive lacks is for others to tell"
    late, tail = dates.compare(entries, [Head(2, "a" * 64, at(2 + 30 * 60)), Head(3, "b" * 64, at(4))])
    assert (late.severity, late.where, late.what.split(":")[0]) == (
        "warning",
        log.name_of(2),
        "was published 30.0 h after its own date",
    )
    assert (tail.severity, tail.where, "the first of 2 that are not published" in tail.what) == (
        "warning",
        log.name_of(4),
        True,
    )
