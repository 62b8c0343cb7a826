"""Which ways back there are, and what each would lose: by facts, with what nobody saw kept apart."""

from dataclasses import asdict
from datetime import timedelta

import pytest

from opslib.checks import database as checks
from opslib.model import Reading, Verdict
from opslib.probes.database_ways import Facts, ways_back
from tests.checks.test_database_servers import AT, CUT, PRIMARY, STANDBY, gone

KEPT = {
    "where": "s3://b/continuous/", "base_backups": 2, "pieces": 9, "base": "monday", "base_age_seconds": 3600.0,
    "system_identifier": "7", "timeline": 1, "start_bytes": 0, "last": "0A", "end_bytes": 900,
    "ended": AT - timedelta(seconds=20), "missing": None,
}  # fmt: skip
VENDOR = {"point_in_time": False, "behind_minutes": None, "reaches_back_days": None, "backups": 7, "age_hours": 5.0}
DUMPS = {"backups": 3, "newest": AT, "newest_proven": AT, "age_hours": 2.0, "interval_hours": 24.0}


def facts(servers=(PRIMARY, STANDBY), kept=(KEPT,), vendor=(VENDOR,), dumps=(DUMPS,), **unknown):
    rows = {"database-servers": servers, "database-kept-log": kept, "backup-automatic": vendor, "recovery": dumps}
    blind = {name.replace("_", "-"): said for name, said in unknown.items()}
    return Facts(AT, {name: found for name, found in rows.items() if name not in blind}, blind)


def way(name, seen):
    return next(one for one in ways_back(seen) if one.way.startswith(name))


def judged(seen, rpo=3600.0):
    rows = tuple(asdict(one) | {"rpo_seconds": rpo} for one in ways_back(seen))
    return checks.ways_back.judge(Reading("ways", "ways", "lab", AT, 0.1, rows))


BESIDE = {
    "idle for two hours": ({}, {}, (True, 0.0, 0, None)),
    "behind": ({"position_bytes": 5000}, {"last_commit_seconds": 3.0}, (True, 3.0, 4000, None)),
    "commits wait for it": ({"synchronous": True}, {}, (True, 0.0, 0, 0.0)),
    "received what the look at the primary missed": ({}, {"received_bytes": 2000}, (True, 0.0, 0, None)),
    "another database": ({}, {"system_identifier": "8"}, (False, None, None, None)),
    "promoted": ({}, {"standby": False}, (False, None, None, None)),
}


@pytest.mark.parametrize(("primary", "standby", "wanted"), BESIDE.values(), ids=BESIDE)
def test_a_failover_loses_what_the_standby_has_not_received(primary, standby, wanted):
    found = way("failover", facts((PRIMARY | primary, STANDBY | standby)))
    assert (found.open, found.loses_seconds, found.loses_bytes, found.promises_seconds) == wanted
    assert found.mends == "server"


@pytest.mark.parametrize(("age", "lost"), [(4.0, 4.0), (None, None)])
def test_with_the_primary_dead_a_failover_loses_at_most_what_came_after_the_standbys_last_commit(age, lost):
    seen = facts((gone(PRIMARY, "refused"), STANDBY | CUT | {"last_commit_seconds": age}))
    found = way("failover", seen)
    assert (found.open, found.loses_seconds, found.loses_bytes) == (True, lost, None)


@pytest.mark.parametrize(
    ("servers", "open_"),
    [
        ((PRIMARY, gone(STANDBY, "refused")), False),
        ((PRIMARY, gone(STANDBY, "slow")), None),
        ((PRIMARY | {"meant": 0},), False),
        ((PRIMARY,), None),
    ],
)
def test_a_standby_that_nobody_could_ask_is_no_way_back_that_is_open(servers, open_):
    assert way("failover", facts(servers)).open is open_


def test_a_point_in_time_recovery_loses_what_was_written_since_the_last_piece_was_full():
    found = way("point-in-time", facts())
    assert (found.open, found.loses_seconds, found.loses_bytes, found.promises_seconds) == (True, 20.0, 100, 30.0)
    assert way("point-in-time", facts(kept=(KEPT | {"end_bytes": 1000},))).loses_seconds == 0.0


def test_a_gap_in_the_kept_log_is_said_and_promises_nothing():
    found = way("point-in-time", facts(kept=(KEPT | {"missing": "0B", "ended": AT - timedelta(hours=3)},)))
    assert (found.open, found.loses_seconds, found.promises_seconds) == (True, 10_800.0, None)
    assert "0B is missing" in found.says


def test_with_the_primary_dead_nobody_knows_how_much_of_the_log_was_not_kept():
    found = way("point-in-time", facts((gone(PRIMARY, "refused"), STANDBY)))
    assert (found.open, found.loses_seconds, found.loses_bytes) == (True, 20.0, None)


@pytest.mark.parametrize(
    ("seen", "open_"),
    [
        (facts(kept=()), False),
        (facts(kept=(KEPT | {"base_backups": 0},)), False),
        (facts(kept=(KEPT | {"system_identifier": "8"},)), False),
        (facts(kept=(KEPT | {"system_identifier": "8"},), servers=(gone(PRIMARY, "slow"),)), True),
        (facts(database_kept_log="S3 is away."), None),
    ],
)
def test_a_log_that_is_anothers_or_was_not_seen_is_no_way_back(seen, open_):
    assert way("point-in-time", seen).open is open_


def test_a_dump_that_nobody_restored_is_a_hope_and_no_way():
    assert way("restore", facts()).open is True
    assert way("restore", facts(dumps=(DUMPS | {"age_hours": None},))).open is None
    assert way("restore", facts(dumps=(DUMPS | {"age_hours": None, "backups": 0},))).open is False
    assert way("restore", facts(recovery="S3 is away.")).open is None


@pytest.mark.parametrize(
    ("days", "reach"), [(7.0, "the last 7 days"), (0.04, "the last hours"), (None, "the last hours")]
)
def test_how_far_the_vendor_reaches_back_is_said_as_people_say_it(days, reach):
    found = way(
        "vendor's point",
        facts(vendor=(VENDOR | {"point_in_time": True, "behind_minutes": 2.0, "reaches_back_days": days},)),
    )
    assert (found.open, found.loses_seconds, reach in found.says) == (True, 120.0, True)


def test_a_nightly_dump_alone_cannot_meet_an_rpo_of_one_hour_however_young_it_is_just_now():
    alone = facts((PRIMARY | {"meant": 0, "keeps_log": False},), kept=(), vendor=(VENDOR | {"backups": 0},))
    dump = way("restore", alone)
    assert dump.promises_seconds == 86_400.0
    assert dump.promises_seconds > 3600
    assert judged(alone).verdict is Verdict.CRITICAL
    assert way("point-in-time", facts()).promises_seconds <= 3600


def test_a_standby_does_not_help_against_damaged_data():
    bare = facts(kept=(), vendor=(VENDOR | {"backups": 0},), dumps=(DUMPS | {"backups": 0, "age_hours": None},))
    found = judged(bare)
    assert found.verdict is Verdict.CRITICAL
    assert "After a lost server: failover would lose nothing." in found.summary
    assert "there is no way back" in found.summary
    assert judged(facts()).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(2800, Verdict.OK), (2900, Verdict.WARNING), (3700, Verdict.CRITICAL)]
)
def test_the_best_ways_loss_is_held_against_the_rpo(seconds, verdict):
    kept = KEPT | {"ended": AT - timedelta(seconds=seconds)}
    assert judged(facts((PRIMARY | {"meant": 0},), kept=(kept,), dumps=())).verdict is verdict


def test_a_loss_that_nobody_can_state_and_a_way_that_nobody_saw_are_unknown():
    dead = gone(PRIMARY, "refused"), STANDBY | CUT | {"last_commit_seconds": None}
    nothing_else = {"kept": (), "vendor": (VENDOR | {"backups": 0},)}
    assert judged(facts(dead, **nothing_else, dumps=(DUMPS | {"age_hours": None},))).verdict is Verdict.UNKNOWN
    away = dict.fromkeys(("database_servers", "database_kept_log", "backup_automatic", "recovery"), "It is away.")
    assert judged(facts(**away)).verdict is Verdict.UNKNOWN
