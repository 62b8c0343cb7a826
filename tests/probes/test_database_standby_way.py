"""Why a standby receives nothing, from what both servers say: what is wrong for certain, and what nobody sees."""

import pytest

from opslib.probes.database_standby_way import NO_LOGIN, judged, wrong

LEADS = {"standby": True, "role": "replicator", "host": "db", "port": "5433", "slot": "standby", "receiver": None}
LET = {
    "standby": False,
    "known": True,
    "logs_in": True,
    "replicates": True,
    "expired": False,
    "valid_until": None,
    "connections_at_most": -1,
    "slot_there": True,
    "slot_type": "physical",
    "slot_used": False,
    "wal_status": "reserved",
    "senders_at_most": 10,
    "senders": 0,
}


def rows(leads=None, let=None):
    return {row["thing"]: row for row in judged({**LEADS, **(leads or {})}, {**LET, **(let or {})})}


def test_where_it_streams_all_is_well():
    found = rows({"receiver": "streaming"}, {"logs_in": False})
    assert {row["state"] for row in found.values()} == {"well"}


@pytest.mark.parametrize(
    ("thing", "leads", "let", "words"),
    [
        ("log-in", {}, {"logs_in": False}, NO_LOGIN),
        ("log-in", {}, {"known": False, "logs_in": False}, "no such role"),
        ("log-in", {}, {"replicates": False}, "NOREPLICATION"),
        ("log-in", {}, {"expired": True, "valid_until": "2026-01-01"}, "since 2026-01-01"),
        ("log-in", {}, {"connections_at_most": 0}, "CONNECTION LIMIT 0"),
        ("slot", {}, {"slot_there": False}, "was dropped"),
        ("slot", {}, {"slot_type": "logical"}, "logical"),
        ("slot", {}, {"wal_status": "lost"}, "copied anew"),
        ("slot", {}, {"slot_used": True}, "somebody else"),
        ("way there", {}, {"standby": True}, "takes no writes"),
        ("way there", {}, {"senders": 10}, "max_wal_senders"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_else(thing, leads, let, words):
    found = rows(leads, let)
    (bad,) = wrong(list(found.values()))
    assert (bad["thing"], words in bad["why"]) == (thing, True), bad


@pytest.mark.parametrize(
    ("thing", "leads", "words"),
    [
        ("log-in", {}, "password and pg_hba.conf"),
        ("log-in", {"role": None}, "names no role"),
        ("way there", {}, "leads to db:5433"),
        ("way there", {"host": None, "port": None}, "leads to no host:5432"),
    ],
)
def test_what_nobody_sees_from_here_is_not_called_well(thing, leads, words):
    found = rows(leads)[thing]
    assert (found["state"], words in found["why"]) == ("not seen", True)


def test_a_standby_without_a_slot_needs_none():
    assert rows({"slot": ""}, {"slot_there": False, "slot_type": None})["slot"]["state"] == "well"
