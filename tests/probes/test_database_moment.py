"""Which second is asked for, and what a recovered server must show: rules without a server; then the questions."""

from datetime import UTC, datetime, timedelta

import pytest

from opslib.errors import UsageError
from opslib.probes.database_moment import (
    at_second,
    commit_times,
    commits_around,
    commits_since,
    evidence,
    moment_of,
    rows_of,
    second_before,
)
from opslib.runs.reading import take

AT = datetime(2026, 11, 29, 10, 0, 0, 250_000, UTC)


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("2026-11-29T10:00:00.000001Z", "2026-11-29T10:00:00Z"),
        ("2026-11-29T10:00:00.999999Z", "2026-11-29T10:00:00Z"),
        # A recovery to a second has what was committed at that second itself.
        ("2026-11-29T10:00:00Z", "2026-11-29T09:59:59Z"),
        ("2026-11-29T11:00:00.5+01:00", "2026-11-29T10:00:00Z"),
    ],
)
def test_the_second_that_is_asked_for_is_the_last_one_without_the_moment(text, second):
    asked = at_second(second_before(moment_of(text)))
    assert asked == moment_of(second)
    assert asked < moment_of(text) <= asked + timedelta(seconds=1)


@pytest.mark.parametrize("text", ["none", "", "2026-11-29", "2026-11-29T10:00:00", "2026-13-29T10:00:00Z", "10:00Z"])
def test_what_is_no_moment_with_its_zone_is_refused(text):
    with pytest.raises(UsageError, match="is no moment"):
        moment_of(text)


def commit(xid, seconds):
    return {"xid": xid, "at": (AT + timedelta(seconds=seconds)).isoformat()}


PLAN = {"system": "7", "timeline": 3, "kept": commit("90", -1), "first": commit("91", 1), "bad": commit("92", 2)}
VALUES = {"newest": commit("99", 9)}
SEEN = {
    "system": "7",
    "timeline": 4,
    "standby": False,
    "times": {"90": AT - timedelta(seconds=1), "91": None, "92": None, "99": None},
    "tables": {"public.cases": True},
}


def wrong(plan=None, values=None, **seen):
    found = evidence({**PLAN, **(plan or {})}, VALUES if values is None else values, {**SEEN, **seen})
    return [what for what, _, _, right in found if right is False], [what for what, *_, right in found if right is None]


def test_a_right_recovery_shows_it_by_eight_proofs():
    assert wrong() == ([], [])
    assert len(evidence(PLAN, VALUES, SEEN)) == 8
    assert {row["right"] for row in rows_of(evidence(PLAN, VALUES, SEEN))} == {"yes"}


@pytest.mark.parametrize(
    ("seen", "what"),
    [
        ({"system": "8"}, ["system identifier"]),
        ({"timeline": 3}, ["timeline"]),
        ({"standby": True}, ["takes writes"]),
        ({"times": {}}, ["last commit before the moment"]),
        ({"times": {**SEEN["times"], "90": AT}}, ["last commit before the moment"]),
        ({"times": {**SEEN["times"], "91": AT + timedelta(seconds=1)}}, ["first commit after it"]),
        ({"times": {**SEEN["times"], "92": AT + timedelta(seconds=2)}}, ["the bad transaction"]),
        ({"times": {**SEEN["times"], "99": AT + timedelta(seconds=9)}}, ["newest commit when it was begun"]),
        ({"tables": {"public.cases": False}}, ["public.cases"]),
    ],
)
def test_each_thing_that_is_not_as_it_was_is_named(seen, what):
    assert wrong(**seen) == (what, [])


def test_a_number_that_was_given_anew_is_another_transaction():
    again = {**SEEN["times"], "91": AT + timedelta(hours=1), "92": AT + timedelta(hours=1)}
    assert wrong(times=again) == ([], [])


def test_what_nobody_can_tell_is_no_proof():
    unknown = {"kept": None, "first": None, "bad": None}
    assert wrong(unknown) == ([], ["last commit before the moment", "first commit after it"])
    assert wrong(tables={"public.cases": None}) == ([], ["public.cases"])
    assert wrong(values={"newest": None}) == ([], [])


@pytest.fixture
def committed(lab):
    """Three commits with their moments, in a table of their own."""
    with lab.admin() as session:
        session.execute("CREATE TABLE public.moments (n int)")
        found = []
        for number in range(3):
            session.execute("INSERT INTO public.moments VALUES (%s)", (number,))
            asked = "SELECT xmin::text AS xid, pg_xact_commit_timestamp(xmin) AS at FROM public.moments WHERE n = %s"
            found.append(session.execute(asked, (number,)).fetchone())
        yield found
        session.execute("DROP TABLE public.moments")


def test_commits_are_told_apart_by_the_second_and_the_moment(lab, committed):
    one, two, three = committed
    second = second_before(one["at"])
    found = commits_since(lab.target, at_second(second), three["at"])
    assert (found.dated, found.newest.xid) == (True, three["xid"])
    assert found.first.at <= one["at"]
    assert found.kept.at <= at_second(second) < found.first.at
    assert found.count - found.between == 1
    assert commits_since(lab.target, at_second(second), one["at"]).between == found.between - 2
    times = commit_times(lab.target, [two["xid"], "4000000000"])
    assert times == {two["xid"]: two["at"], "4000000000": None}
    assert commit_times(lab.target, []) == {}


def test_the_commits_around_a_moment_are_shown_in_their_order(lab, committed):
    reading = take(commits_around(committed[1]["at"].isoformat()), lab.target)
    assert reading.unknown is None
    rows = {row["xid"]: row["before"] for row in reading.rows}
    assert [rows[one["xid"]] for one in committed] == [True, False, False]
    assert [row["at"] for row in reading.rows] == sorted(row["at"] for row in reading.rows)


def test_without_a_moment_the_newest_commits_are_shown(lab, committed):
    reading = take(commits_around("none"), lab.target)
    assert (reading.rows[-1]["xid"], {row["before"] for row in reading.rows}) == (committed[-1]["xid"], {True})
