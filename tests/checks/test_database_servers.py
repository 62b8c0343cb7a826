"""What state the database's servers are in, judged by what each of them says of itself."""

from datetime import UTC, datetime

import pytest

from opslib.checks import database as checks
from opslib.model import Reading, Verdict

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
PRIMARY = {
    "meant_as": "primary", "address": "postgresql://p/app", "answers": True, "kind": "", "reason": None, "meant": 1,
    "system_identifier": "7", "standby": False, "timeline": 1, "position_bytes": 1000, "received_bytes": 1000,
    "not_replayed_bytes": None, "receiver": None, "heard_seconds": None, "replay": None, "last_commit_seconds": None,
    "followers": 1, "synchronous": False, "keeps_log": True, "keeps_every_seconds": 30.0, "last_kept": "0A",
    "last_kept_seconds": 5.0, "last_failed": None, "last_failed_seconds": None, "waiting_pieces": 0,
}  # fmt: skip
STANDBY = PRIMARY | {
    "meant_as": "standby", "address": "postgresql://s/app", "standby": True, "not_replayed_bytes": 0,
    "receiver": "streaming", "heard_seconds": 0.4, "replay": "not paused", "last_commit_seconds": 7200.0,
    "followers": 0,
}  # fmt: skip


def gone(row, kind):
    return {name: row[name] for name in ("meant_as", "address", "meant")} | {
        "answers": False,
        "kind": kind,
        "reason": f"It says {kind}.",
    }


def judged(check, *rows):
    return check.judge(Reading("servers", "servers", "lab", AT, 0.1, tuple(rows)))


CUT = {"receiver": None, "heard_seconds": None}
STATES = {
    "streaming, idle for two hours": (PRIMARY, STANDBY, "OK", "0 B not received"),
    "late": (PRIMARY, STANDBY | {"not_replayed_bytes": 9, "last_commit_seconds": 31.0}, "WARNING", "31.0 s old"),
    "later than the RPO": (PRIMARY, STANDBY | {"not_replayed_bytes": 9}, "CRITICAL", "2 h"),
    "something on its way": (PRIMARY, STANDBY | {"not_replayed_bytes": 9, "last_commit_seconds": 0.2}, "OK", "9 B not"),
    "late by nobody knows how much": (
        PRIMARY, STANDBY | {"not_replayed_bytes": 9, "last_commit_seconds": None}, "UNKNOWN", "unknown age"),
    "replay paused": (PRIMARY, STANDBY | {"replay": "paused"}, "WARNING", "replay is paused"),
    "cut off": (PRIMARY | {"position_bytes": 5000}, STANDBY | CUT, "CRITICAL", "3.9 KiB behind"),
    "both take writes": (PRIMARY, STANDBY | {"standby": False, "timeline": 2}, "CRITICAL", "Split brain"),
    "two databases": (
        PRIMARY, STANDBY | {"standby": False, "system_identifier": "8"}, "CRITICAL", "nothing to do with"),
    "nobody takes writes": (PRIMARY | {"standby": True}, STANDBY, "CRITICAL", "nobody takes writes"),
    "a copy of another": (PRIMARY, STANDBY | {"system_identifier": "8"}, "CRITICAL", "copy of another database"),
    "failed over, the former primary follows": (
        STANDBY | {"meant_as": "primary"}, PRIMARY | {"meant_as": "standby"}, "OK", "takes writes; postgresql://s/app"),
    "failed over, the former primary receives nothing": (
        STANDBY | CUT | {"meant_as": "primary"}, PRIMARY | {"meant_as": "standby"}, "CRITICAL", "receives nothing"),
    "failed over, the former primary is fenced": (
        gone(PRIMARY, "fenced"), STANDBY | {"standby": False, "timeline": 2}, "CRITICAL", "It says fenced"),
    "primary refuses": (gone(PRIMARY, "refused"), STANDBY | CUT, "CRITICAL", "does not hear it either"),
    "primary silent for both": (gone(PRIMARY, "slow"), STANDBY | CUT, "CRITICAL", "does not hear it either"),
    "primary silent for us": (gone(PRIMARY, "slow"), STANDBY, "UNKNOWN", "our way that is cut. Do not fail over"),
    "primary's password wrong": (gone(PRIMARY, "authentication"), STANDBY, "UNKNOWN", "Do not fail over"),
    "primary shut, standby streams": (gone(PRIMARY, "shut"), STANDBY, "CRITICAL", "still streams"),
    "promoted, primary gone": (gone(PRIMARY, "refused"), STANDBY | {"standby": False}, "CRITICAL", "takes writes; "),
    "standby gone": (PRIMARY | {"followers": 0}, gone(STANDBY, "refused"), "CRITICAL", "nothing to fail over to"),
    "standby silent for us": (PRIMARY, gone(STANDBY, "slow"), "UNKNOWN", "we do not reach it"),
    "standby silent for both": (PRIMARY | {"followers": 0}, gone(STANDBY, "slow"), "CRITICAL", "nothing to fail over"),
    "only a standby left, at the primary's address": (
        PRIMARY | {"standby": True} | CUT, gone(STANDBY, "refused"), "CRITICAL", "does not hear it either"),
    "both gone": (gone(PRIMARY, "refused"), gone(STANDBY, "slow"), "CRITICAL", "None of the servers answers"),
}  # fmt: skip


@pytest.mark.parametrize(("primary", "standby", "verdict", "said"), STATES.values(), ids=STATES)
def test_the_state_of_two_servers_is_named(primary, standby, verdict, said):
    found = judged(checks.servers, primary, standby)
    assert (found.verdict, said in found.summary) == (Verdict(verdict), True), found.summary
    assert len(found.rows) == 2


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [({"meant": 0}, "OK"), ({"meant": None}, "UNKNOWN"), ({"meant": 1}, "UNKNOWN"), ({"standby": True}, "CRITICAL")],
)
def test_one_server_alone_is_fine_only_where_it_is_meant_to_be(changes, verdict):
    assert judged(checks.servers, PRIMARY | changes).verdict is Verdict(verdict)


@pytest.mark.parametrize(("kind", "verdict"), [("refused", "CRITICAL"), ("slow", "UNKNOWN")])
def test_a_single_server_that_does_not_answer_may_be_out_of_reach_only_for_us(kind, verdict):
    assert judged(checks.servers, gone(PRIMARY, kind)).verdict is Verdict(verdict)


KEEPING = {
    "kept": ({}, "OK", "last one kept is 0A"),
    "failing": ({"last_failed": "0B", "last_failed_seconds": 2.0}, "CRITICAL", "Keeping 0B failed 2.00 s ago"),
    "failed once, kept since": ({"last_failed": "0B", "last_failed_seconds": 60.0}, "OK", "0A"),
    "never kept": (
        {"last_kept": None, "last_kept_seconds": None, "last_failed": "01", "last_failed_seconds": 60.0},
        "CRITICAL", "nothing was kept since"),
    "slow": ({"waiting_pieces": 5}, "WARNING", "5 pieces wait"),
    "far behind": ({"waiting_pieces": 65}, "CRITICAL", "65 pieces wait"),
    "without end in quiet hours": ({"keeps_every_seconds": 0.0}, "WARNING", "archive_timeout is 0"),
    "not kept, and a standby is meant": ({"keeps_log": False}, "WARNING", "not kept anywhere"),
    "not kept, as nobody meant it": ({"keeps_log": False, "meant": 0}, "OK", "not kept anywhere"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "verdict", "said"), KEEPING.values(), ids=KEEPING)
def test_keeping_the_log_is_judged_by_the_server_that_takes_writes(changes, verdict, said):
    found = judged(checks.keeping, PRIMARY | changes, STANDBY | {"last_failed_seconds": 1.0})
    assert (found.verdict, said in found.summary) == (Verdict(verdict), True), found.summary


def test_nobody_knows_whether_the_log_is_kept_while_no_server_takes_writes():
    assert judged(checks.keeping, gone(PRIMARY, "refused"), STANDBY).verdict is Verdict.UNKNOWN
