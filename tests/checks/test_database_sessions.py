"""Checks of sessions on a real server: made red by real sessions, and green again when those end."""

from datetime import UTC, datetime

import pytest

from opslib.checks import database as checks
from opslib.model import Reading, Threshold, Verdict
from opslib.probes import database as probes
from opslib.runs.reading import evaluate, take
from opslib.systems.postgres import connect
from tests.databases import Waiting, as_role, schema, with_settings
from tests.waiting import until

NEVER = Threshold(1e9, 1e9, "s", "test")
AT_ONCE = Threshold(-1, 1e9, "s", "test")


def reading(*rows, **more):
    return Reading("test", "test", "lab", datetime(2026, 11, 23, tzinfo=UTC), 0.1, tuple(rows), **more)


def budget(used, usable=97, name="server"):
    percent = round(100 * used / usable, 1)
    return {
        "budget": name,
        "used": used,
        "usable": usable,
        "slots": usable + 3,
        "reserved": 3,
        "used_percent": percent,
        "active": 0,
        "idle": used,
        "idle_in_transaction": 0,
        "other": 0,
    }


def test_a_quiet_lab_has_connections_left_and_nobody_waiting(lab):
    for check in (checks.connection_use, checks.blocking(), checks.long_transactions(), checks.xmin_horizon):
        assert evaluate(check, lab.target).verdict is Verdict.OK


def test_a_role_at_its_own_limit_is_found_and_gone_when_its_sessions_end(lab):
    with lab.admin() as admin:
        admin.execute("CREATE ROLE pool LOGIN CONNECTION LIMIT 4 PASSWORD 'test-password-1'")
        sessions = []
        try:
            sessions += [connect(as_role(lab, "pool"), f"pool {i}") for i in range(4)]
            full = evaluate(checks.connection_use, lab.target)
            for session in sessions:
                session.close()
            until(lambda: not admin.execute("SELECT 1 FROM pg_stat_activity WHERE usename = 'pool'").fetchall())
            free = evaluate(checks.connection_use, lab.target)
        finally:
            for session in sessions:
                session.close()
            admin.execute("DROP ROLE pool")
    assert (full.verdict, free.verdict) == (Verdict.CRITICAL, Verdict.OK)
    assert full.summary.startswith("role pool: 4 of 4 usable connections in use")


def test_headroom_leaves_out_the_slots_kept_for_administrators(lab):
    (server,) = [row for row in take(probes.connection_budget, lab.target).rows if row["budget"] == "server"]
    assert server["usable"] == server["slots"] - server["reserved"] < server["slots"]


@pytest.mark.parametrize(
    ("used", "verdict"), [(77, Verdict.OK), (78, Verdict.WARNING), (87, Verdict.WARNING), (88, Verdict.CRITICAL)]
)
def test_the_guides_80_and_90_percent_are_of_what_applications_may_use(used, verdict):
    assert checks.connection_use.judge(reading(budget(used))).verdict is verdict


def test_the_tightest_budget_decides():
    judged = checks.connection_use.judge(reading(budget(10), budget(19, 20, "role small")))
    assert judged.verdict is Verdict.CRITICAL
    assert judged.summary.startswith("role small")


@pytest.fixture
def chain(lab):
    """An idle transaction, an ALTER TABLE behind it, and a reader behind that; ended afterwards."""
    with schema(lab) as admin:
        admin.execute("CREATE TABLE cars (n int PRIMARY KEY); INSERT INTO cars SELECT generate_series(1, 5000)")
        admin.execute("ANALYZE cars")
        with lab.admin() as root:
            root.execute("SET application_name = 'forgetful'; BEGIN; SELECT count(*) FROM workshop.cars")
            alter = Waiting(lab, "deployment", "ALTER TABLE workshop.cars ADD COLUMN m int")
            until(lambda: alter.waits(admin))
            reader = Waiting(lab, "shop", "SELECT count(*) FROM workshop.cars")
            until(lambda: reader.waits(admin))
            try:
                yield root, alter, reader
            finally:
                root.close()
                alter.end()
                reader.end()


def test_a_chain_of_locks_is_one_tree_with_its_root_state_and_victims(lab, chain):
    root, alter, reader = chain
    rows = take(probes.blocking, lab.target).rows
    assert [(row["pid"], row["depth"]) for row in rows] == [
        (root.info.backend_pid, 0),
        (alter.pid, 1),
        (reader.pid, 2),
    ]
    assert (rows[0]["state"], rows[0]["application"], rows[0]["victims"]) == ("idle in transaction", "forgetful", 2)
    assert rows[1]["waits_for"] == "AccessExclusiveLock on relation workshop.cars"
    assert rows[2]["blocked_by"] == [alter.pid]
    assert rows[0]["victims_seconds"] >= rows[2]["waiting_seconds"]


def test_a_root_at_rest_with_victims_is_critical_and_gone_when_it_ends(lab, chain):
    root, alter, reader = chain
    check = checks.blocking(warning_seconds=-1, critical_seconds=1e9)
    found = evaluate(check, lab.target)
    root.close()
    alter.end()
    reader.end()
    assert found.verdict is Verdict.CRITICAL
    assert "forgetful, idle in transaction" in found.summary
    assert "runbooks/end-blocking-session" in found.remedy
    assert evaluate(check, lab.target).verdict is Verdict.OK


def test_every_other_question_is_answered_while_an_alter_table_waits(lab, chain):
    waiting = {}
    for name in probes.__all__:
        probe = getattr(probes, name)
        probe = probe if hasattr(probe, "read") else probe()
        if probe.by_executor:  # with handles that a kernel has not
            continue
        taken = take(probe, lab.target)
        waiting[name] = taken.unknown
    disk = waiting.pop("disk")
    assert disk is None or "OPS_SERVER_METRICS_URL" in disk or "metrics" in disk
    assert waiting == dict.fromkeys(waiting)


def test_sizes_of_locked_tables_are_estimates_and_say_so(lab, chain):
    rows = take(probes.table_bloat, lab.target).rows
    locked = {row["relation"]: row["size_is"] for row in rows if row["relation"].startswith("workshop.")}
    assert locked == {"workshop.cars": "estimate (table is locked)"}
    assert "measured" in {row["size_is"] for row in rows}
    (car,) = [row for row in rows if row["relation"] == "workshop.cars"]
    assert car["bytes"] > 0


def test_an_advisory_lock_and_a_row_lock_are_seen_as_well(lab):
    with schema(lab) as admin, lab.admin() as holder:
        admin.execute("CREATE TABLE seats (n int PRIMARY KEY, taken bool); INSERT INTO seats VALUES (1, false)")
        holder.execute("SELECT pg_advisory_lock(77); BEGIN; UPDATE workshop.seats SET taken = true")
        waiters = [
            Waiting(lab, "advisory", "SELECT pg_advisory_lock(77)"),
            Waiting(lab, "row", "UPDATE workshop.seats SET taken = true"),
        ]
        until(lambda: all(waiter.waits(admin) for waiter in waiters))
        rows = {row["application"]: row for row in take(probes.blocking, lab.target).rows}
        holder.close()
        for waiter in waiters:
            waiter.end()
    assert "advisory" in rows["advisory"]["waits_for"]
    assert rows["row"]["waits_for"] == "ShareLock on transactionid"
    assert rows["row"]["statement"] == "UPDATE workshop.seats SET taken = true"


def test_a_role_that_sees_only_itself_makes_the_answer_unknown(lab):
    with lab.admin() as admin:
        admin.execute("CREATE ROLE blind LOGIN PASSWORD 'test-password-1'")
        target = with_settings(lab, read_database_url=as_role(lab, "blind"))
        try:
            results = [
                evaluate(c, target) for c in (checks.blocking(), checks.long_transactions(), checks.connection_use)
            ]
        finally:
            target.close()
            admin.execute("DROP ROLE blind")
    assert {result.verdict for result in results} == {Verdict.UNKNOWN}
    assert "GRANT pg_monitor" in results[0].summary


def test_an_old_transaction_is_found_and_gone_when_it_ends(lab):
    check = checks.long_transactions(open_limits=AT_ONCE, idle_limits=NEVER)
    with lab.admin() as owner:
        owner.execute("SET application_name = 'report'; BEGIN; SELECT 'a secret word', 4711")
        found = evaluate(check, lab.target)
    assert found.verdict is Verdict.WARNING
    assert "(report)" in found.summary
    assert "secret word" not in str(found.rows)
    until(lambda: evaluate(check, lab.target).verdict is Verdict.OK)


def test_a_transaction_at_rest_is_judged_by_its_rest_and_one_at_work_is_not(lab):
    check = checks.long_transactions(open_limits=NEVER, idle_limits=AT_ONCE)
    with lab.admin() as admin, lab.admin() as idle:
        idle.execute("BEGIN; SELECT 1")
        assert evaluate(check, lab.target).verdict is Verdict.WARNING
        idle.execute("ROLLBACK")
        working = Waiting(lab, "at work", "SELECT pg_sleep(60)")
        until(lambda: take(probes.transactions, lab.target).rows)
        assert evaluate(check, lab.target).verdict is Verdict.OK
        admin.execute("SELECT pg_cancel_backend(%s)", [working.pid])
        working.end()


def test_who_keeps_dead_rows_is_named(lab):
    with lab.admin() as holder:
        holder.execute("SET application_name = 'snapshot'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        name = f"pid {holder.info.backend_pid}, snapshot"
        rows = take(probes.xmin_horizon, lab.target).rows
    (row,) = [row for row in rows if row["name"] == name]
    assert (row["holder"], row["state"]) == ("session", "idle in transaction")


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({"holder": "replication slot", "state": "inactive", "seconds": None}, Verdict.WARNING),
        ({"holder": "replication slot", "state": "active", "seconds": None}, Verdict.OK),
        ({"holder": "prepared transaction", "state": "x in y", "seconds": 301.0}, Verdict.WARNING),
        ({"holder": "session", "state": "active", "seconds": 1801.0}, Verdict.CRITICAL),
    ],
)
def test_the_horizons_holder_is_judged_by_kind_and_time(row, verdict):
    assert checks.xmin_horizon.judge(reading({"name": "it", "transactions": 10, **row})).verdict is verdict


@pytest.mark.parametrize(("seconds", "verdict"), [(4.9, Verdict.OK), (5.1, Verdict.WARNING), (30.1, Verdict.CRITICAL)])
def test_waiting_is_judged_by_the_longest_wait(seconds, verdict):
    judged = checks.blocking().judge(reading(session(1, [], victims=1), session(2, [1], seconds)))
    assert judged.verdict is verdict
    assert judged.value == seconds


def session(pid, blocked_by, seconds=None, victims=0):
    return {
        "pid": pid,
        "depth": 1 if blocked_by else 0,
        "blocked_by": blocked_by,
        "state": "active",
        "application": "app",
        "waiting_seconds": seconds,
        "victims": victims,
        "victims_seconds": 1.0,
    }
