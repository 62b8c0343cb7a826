"""Who loses by a failover and whether the servers support it: every case is a pair of rows, and nothing is asked."""

from datetime import UTC, datetime, timedelta

import pytest

from opslib.errors import Refused
from opslib.probes.database_failover import lost, parties
from opslib.probes.database_servers import by_role
from tests.checks.test_database_servers import AT, CUT, PRIMARY, STANDBY, gone

TAKEN_OVER = STANDBY | CUT | {"standby": False, "timeline": 2}
ANEW = STANDBY | {"meant_as": "primary"}
LEADING = PRIMARY | {"meant_as": "standby"}


@pytest.mark.parametrize(
    ("primary", "standby", "roles"),
    [
        (PRIMARY, STANDBY, ("primary", "standby")),
        (ANEW, LEADING, ("standby", "primary")),
        (gone(PRIMARY, "refused"), TAKEN_OVER, ("standby", "primary")),
        (gone(PRIMARY, "refused"), STANDBY, ("primary", "standby")),
        (ANEW, gone(STANDBY, "slow"), ("standby", "primary")),
        (PRIMARY, TAKEN_OVER, ("primary", "standby")),
        (ANEW, STANDBY, ("primary", "standby")),
    ],
)
def test_a_role_is_what_a_server_says_and_not_what_the_description_calls_it(primary, standby, roles):
    assert tuple(row["meant_as"] for row in by_role([primary, standby])) == roles


SUPPORTED = {
    "it refuses, and its standby hears nothing": (gone(PRIMARY, "refused"), STANDBY | CUT, "by-evidence", "primary"),
    "it is silent for both": (gone(PRIMARY, "slow"), STANDBY | CUT, "by-evidence", "primary"),
    "its name is gone, and its standby hears nothing": (gone(PRIMARY, "dns"), STANDBY | CUT, "by-evidence", "primary"),
    "it was closed by a failover that broke off": (gone(PRIMARY, "fenced"), STANDBY | CUT, "by-evidence", "primary"),
    "the standby was promoted, and nothing after that": (
        gone(PRIMARY, "refused"), TAKEN_OVER, "by-evidence", "primary"),
    "roles were changed before, and the new primary died": (
        ANEW | CUT, gone(LEADING, "refused"), "by-evidence", "standby"),
    "split, and the first one loses": (PRIMARY, TAKEN_OVER, "primary", "primary"),
    "split, and the second one loses": (PRIMARY, TAKEN_OVER, "standby", "standby"),
}  # fmt: skip


@pytest.mark.parametrize(("primary", "standby", "loser", "former"), SUPPORTED.values(), ids=SUPPORTED)
def test_a_failover_is_supported_where_the_primary_serves_nobody(primary, standby, loser, former):
    found = parties([primary, standby], loser)
    assert (found.former["meant_as"], found.against) == (former, ())
    assert found.successor["meant_as"] != former
    assert found.promoted is (not found.successor["standby"])


DOUBTED = {
    "it takes writes": (PRIMARY, STANDBY, "by-evidence", "answers and takes writes"),
    "it takes writes, whoever is named": (PRIMARY, STANDBY, "primary", "answers and takes writes"),
    "only we do not reach it": (gone(PRIMARY, "slow"), STANDBY, "by-evidence", "heard it 0.4 s ago"),
    "it refuses, and its standby still streams": (gone(PRIMARY, "refused"), STANDBY, "by-evidence", "still streams"),
    "it is starting": (gone(PRIMARY, "recovering"), STANDBY | CUT, "by-evidence", "is starting"),
    "it is full": (gone(PRIMARY, "full"), STANDBY | CUT, "by-evidence", "runs, and refuses us"),
    "our password is wrong": (gone(PRIMARY, "authentication"), STANDBY | CUT, "by-evidence", "runs, and refuses us"),
    "neither takes writes": (ANEW, STANDBY, "by-evidence", "is a standby as well"),
    "only its standby is gone": (PRIMARY, gone(STANDBY, "refused"), "by-evidence", "only its standby is gone"),
}  # fmt: skip


@pytest.mark.parametrize(("primary", "standby", "loser", "said"), DOUBTED.values(), ids=DOUBTED)
def test_what_speaks_against_a_failover_is_said(primary, standby, loser, said):
    assert said in "; ".join(parties([primary, standby], loser).against)


IMPOSSIBLE = {
    "no second server": ([PRIMARY], "by-evidence", "No standby is described"),
    "none answers": ([gone(PRIMARY, "refused"), gone(STANDBY, "refused")], "by-evidence", "nothing to fail over to"),
    "who would take over is gone": ([PRIMARY, gone(STANDBY, "slow")], "primary", "nothing to fail over to"),
    "nobody said which of two loses": ([PRIMARY, TAKEN_OVER], "by-evidence", "Split brain"),
    "another database": ([PRIMARY, STANDBY | {"system_identifier": "8"}], "by-evidence", "copy of another database"),
}


@pytest.mark.parametrize(("rows", "loser", "said"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_failover_to_nothing_is_refused(rows, loser, said):
    with pytest.raises(Refused, match=said):
        parties(rows, loser)


def test_what_is_lost_is_an_upper_bound_with_what_it_rests_on():
    commit = AT - timedelta(seconds=90)
    dead = parties([gone(PRIMARY, "refused"), STANDBY | CUT])
    assert f"after {commit.isoformat()}" in lost(dead, {"last_commit_at": commit}, AT)
    assert "no more than the last 90 s" in lost(dead, {"last_commit_at": commit}, AT)
    assert lost(dead, {"last_commit_at": None}, AT).endswith("unknown")
    alive = parties([PRIMARY | {"position_bytes": 1500}, STANDBY])
    assert lost(alive, {"last_commit_at": commit}, AT).startswith("500 bytes of its log")
    split = parties([PRIMARY, TAKEN_OVER], "standby")
    assert "all that postgresql://s/app took by itself" in lost(split, {"last_commit_at": None}, AT)


def test_a_clock_that_runs_ahead_makes_no_negative_loss():
    dead = parties([gone(PRIMARY, "refused"), STANDBY | CUT])
    assert "no more than the last 0 s" in lost(dead, {"last_commit_at": datetime(2100, 1, 1, tzinfo=UTC)}, AT)
