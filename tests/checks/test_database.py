"""Checks of the server itself: reach, role, disk, guards, damage, the guide's objects. Broken, found, mended."""

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from opslib.areas import AREAS
from opslib.checks import database as checks
from opslib.model import Check, Verdict
from opslib.probes import database as probes
from opslib.runs.reading import evaluate, take
from opslib.systems.postgres import connect
from tests.checks.test_database_sessions import reading
from tests.databases import as_role, standby, with_settings
from tests.waiting import until


@contextmanager
def site(text, status=200):
    """A web server that answers everything with ``text``; yields its address."""

    class Page(BaseHTTPRequestHandler):
        def log_message(self, *said):
            """Say nothing."""

        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()


def every():
    for name in checks.__all__:
        made = getattr(checks, name)
        made = made if isinstance(made, Check) else made()
        if not made.probe.by_executor:  # with handles that a kernel has not
            yield name, made


def test_a_healthy_lab_is_all_green(lab):
    with lab.admin() as admin:
        admin.execute("SELECT extensions.pg_stat_statements_reset()")
        for _ in range(120):
            admin.execute("SELECT count(*) FROM public.users")
    verdicts = {name: evaluate(check, lab.target).verdict for name, check in every()}
    # What can be proven of the P95 depends on how busy this machine is, and of pooling on how many sessions there
    # were before; both have tests of their own.
    wanted = {name: verdict for name, verdict in verdicts.items() if name not in ("query_p95", "pooling")}
    assert {name: verdict for name, verdict in wanted.items() if verdict is not Verdict.OK} == {}


@pytest.mark.parametrize(("name", "check"), list(every()))
def test_a_check_names_itself_a_remedy_and_where_its_limit_comes_from(name, check):
    assert check.name.split("-")[0] in AREAS
    assert len(check.remedy) > 60
    assert check.threshold is None or check.threshold.source


def test_a_server_that_answers_is_ok(lab):
    result = evaluate(checks.reachable, lab.target)
    assert result.verdict is Verdict.OK
    assert "answers" in result.summary


def test_a_server_that_refuses_or_is_full_is_critical_and_the_sentence_is_the_diagnosis(lab):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    refused = evaluate(checks.reachable, with_settings(lab, read_database_url=as_role(lab, "x", port=nobody)))
    with lab.admin() as admin:
        admin.execute("CREATE ROLE only_one LOGIN CONNECTION LIMIT 1 PASSWORD 'test-password-1'")
        first = connect(as_role(lab, "only_one"), "first")
        full = evaluate(checks.reachable, with_settings(lab, read_database_url=as_role(lab, "only_one")))
        first.close()
        admin.execute("DROP ROLE only_one")
    assert (refused.verdict, full.verdict) == (Verdict.CRITICAL, Verdict.CRITICAL)
    assert "refuses connections" in refused.summary
    assert "no connection left" in full.summary


def test_a_wrong_password_says_nothing_of_the_server_so_it_is_unknown(lab):
    result = evaluate(
        checks.reachable, with_settings(lab, read_database_url=as_role(lab, "ops_reader", "wrong-password"))
    )
    assert result.verdict is Verdict.UNKNOWN
    assert "refused the password" in result.summary
    assert "wrong-password" not in str(result)


def test_the_server_tells_version_role_and_uptime(lab):
    result = evaluate(checks.server, lab.target)
    assert result.verdict is Verdict.OK
    assert "primary" in result.summary


def server(**changes):
    row = {"version": "18.1", "version_number": 180001, "role": "primary", "uptime_seconds": 9e6}
    row |= {"settings_awaiting_restart": 0, "sees_all_sessions": True, "database_set_read_only": False}
    return row | {"asked_as": "ops_reader"} | changes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"role": "standby"}, "nothing can be written"),
        ({"database_set_read_only": True}, "read-only"),
        ({"version": "14.20", "version_number": 140020}, "no corrections"),
        ({"version": "12.1", "version_number": 120001}, "no corrections"),
        ({"settings_awaiting_restart": 2}, "wait for a restart"),
        ({"sees_all_sessions": False}, "may not see"),
    ],
)
def test_what_is_wrong_with_the_server_is_a_warning(changes, said):
    judged = checks.server.judge(reading(server(**changes)))
    assert judged.verdict is Verdict.WARNING
    assert said in judged.summary
    assert checks.server.judge(reading(server())).verdict is Verdict.OK


def metrics(used_percent):
    lines = []
    for mount, used in (("/", used_percent), ("/elsewhere", 99)):
        labels = f'{{device="d{used}",fstype="ext4",mountpoint="{mount}"}}'
        lines += [
            f"node_filesystem_size_bytes{labels} 1e+12",
            f"node_filesystem_avail_bytes{labels} {1e12 * (100 - used) / 100}",
        ]
    return "\n".join(lines)


@pytest.mark.parametrize(("used", "verdict"), [(70, Verdict.OK), (71, Verdict.WARNING), (81, Verdict.CRITICAL)])
def test_the_disk_that_holds_the_data_is_judged_by_the_guides_70_and_80_percent(lab, used, verdict):
    with site(metrics(used)) as address:
        result = evaluate(checks.disk, with_settings(lab, server_metrics_url=address))
    assert (result.verdict, result.value) == (verdict, used)
    assert result.summary.startswith("/ (with the data)")


def test_a_disk_nobody_can_see_is_unknown(lab):
    unset = evaluate(checks.disk, with_settings(lab, server_metrics_url=None))
    with site("node_load1 0.5") as address:
        empty = evaluate(checks.disk, with_settings(lab, server_metrics_url=address))
    with site("", 503) as address:
        failing = evaluate(checks.disk, with_settings(lab, server_metrics_url=address))
    assert {r.verdict for r in (unset, empty, failing)} == {Verdict.UNKNOWN}
    assert "OPS_SERVER_METRICS_URL" in unset.summary
    assert "503" in failing.summary


def test_a_role_without_time_outs_is_found_and_gone_when_it_has_them(lab):
    with lab.admin() as admin:
        admin.execute("CREATE ROLE carefree LOGIN; ALTER ROLE carefree SET statement_timeout = 0")
        found = evaluate(checks.guards, lab.target)
        admin.execute("ALTER ROLE carefree SET statement_timeout = '30s'")
        mended = evaluate(checks.guards, lab.target)
        admin.execute("DROP ROLE carefree")
    assert (found.verdict, mended.verdict) == (Verdict.WARNING, Verdict.OK)
    assert "carefree (statement_timeout)" in found.summary


def test_the_guards_are_the_servers_and_not_those_of_this_session(lab):
    values = {row["value"] for row in take(probes.guards, lab.target).rows if row["guard"] == "lock_timeout"}
    assert "200" not in values


@pytest.mark.parametrize(
    ("failures", "sums", "verdict"),
    [(0, "on", Verdict.OK), (1, "on", Verdict.CRITICAL), (None, "off", Verdict.UNKNOWN)],
)
def test_a_damaged_page_is_critical_and_no_checksums_are_unknown(failures, sums, verdict):
    row = {"database": "d", "checksum_failures": failures, "checksum_last_failure": "now", "checksums": sums}
    assert checks.checksums.judge(reading(row)).verdict is verdict


def test_a_missing_object_of_the_guides_is_found_and_gone_when_it_is_back(lab):
    with lab.admin() as admin:
        admin.execute("ALTER TABLE auth.sessions RENAME TO sessions_of_old")
        try:
            found = evaluate(checks.guide_objects, lab.target)
        finally:
            admin.execute("ALTER TABLE auth.sessions_of_old RENAME TO sessions")
    assert found.verdict is Verdict.WARNING
    assert "Missing: table auth.sessions" in found.summary
    assert evaluate(checks.guide_objects, lab.target).verdict is Verdict.OK


def test_a_refresh_that_must_fail_is_found(lab):
    with lab.admin() as admin:
        admin.execute("CREATE MATERIALIZED VIEW public.agent_performance_metrics AS SELECT 1 AS agent_type")
        try:
            missing = evaluate(checks.guide_objects, lab.target)
            admin.execute("CREATE FUNCTION public.refresh_agent_performance_metrics() RETURNS void LANGUAGE sql AS ''")
            not_unique = evaluate(checks.guide_objects, lab.target)
            admin.execute("CREATE UNIQUE INDEX ON public.agent_performance_metrics (agent_type)")
            mended = evaluate(checks.guide_objects, lab.target)
        finally:
            admin.execute("DROP FUNCTION IF EXISTS public.refresh_agent_performance_metrics()")
            admin.execute("DROP MATERIALIZED VIEW public.agent_performance_metrics")
    assert [r.verdict for r in (missing, not_unique, mended)] == [Verdict.WARNING, Verdict.WARNING, Verdict.OK]
    assert "no unique index" in not_unique.summary


def test_no_standby_is_fine_where_none_is_meant_and_a_slot_kept_for_one_makes_it_a_warning(lab):
    alone = evaluate(checks.replication, lab.target)
    with lab.admin() as admin:
        admin.execute("SELECT pg_create_physical_replication_slot('follower', true)")
        try:
            cut_off, slot = evaluate(checks.replication, lab.target), evaluate(checks.slots, lab.target)
        finally:
            admin.execute("SELECT pg_drop_replication_slot('follower')")
    assert (alone.verdict, cut_off.verdict) == (Verdict.OK, Verdict.WARNING)
    assert "no lag to measure" in alone.summary
    assert slot.summary.startswith("1 slots; follower (inactive")
    assert evaluate(checks.slots, lab.target).verdict is Verdict.OK


def test_a_real_standby_is_seen_from_both_sides_and_its_gap_is_bytes(lab, tmp_path):
    with standby(lab, tmp_path) as following:
        until(lambda: "still to replay" in evaluate(checks.replication, lab.target).summary)  # it has just begun
        primary, follower = evaluate(checks.replication, lab.target), evaluate(checks.replication, following)
        counting = evaluate(checks.vacuum(), following)
        here = evaluate(checks.server, following)
        other = {name: evaluate(check, following).verdict for name, check in every()}
        with connect(admin_of(lab, following), "test") as admin:
            admin.execute("SELECT pg_wal_replay_pause()")
            paused = evaluate(checks.replication, following)
            admin.execute("SELECT pg_wal_replay_resume()")
    assert (primary.verdict, follower.verdict, paused.verdict) == (Verdict.OK, Verdict.OK, Verdict.WARNING)
    assert "1 connected; follower (streaming)" in primary.summary
    assert "streaming from" in follower.summary
    assert primary.rows[0]["not_replayed_bytes"] >= 0
    assert counting.verdict is Verdict.UNKNOWN
    assert "Ask the primary" in counting.summary
    assert "nothing can be written" in here.summary
    assert {other[name] for name in ("reachable", "blocking", "connection_use", "freeze", "slots")} == {Verdict.OK}


def admin_of(lab, following):
    password = urlsplit(lab.settings.database_url.reveal()).password
    return as_role(lab, "postgres", password, following.settings.read_database_url.port)


def follower(**changes):
    row = {"standby": False, "synchronous_standbys": "", "physical_slots": 0, "receiver": None, "meant": None}
    row |= {"receives_from": None, "replay": None, "not_replayed_bytes": None, "max_wal_bytes": 1000, "replicas": []}
    return row | changes


def replica(**changes):
    row = {"standby": "s", "state": "streaming", "not_replayed_bytes": 10, "max_wal_bytes": 1000}
    return {"replicas": [row | changes]}


STANDBY = {"standby": True, "receiver": "streaming", "receives_from": "p", "replay": "not paused"}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"physical_slots": 1, "meant": 1}, Verdict.CRITICAL),
        ({"synchronous_standbys": "s"}, Verdict.CRITICAL),
        ({}, Verdict.UNKNOWN),
        ({"meant": 0}, Verdict.OK),
        ({"meant": 1}, Verdict.CRITICAL),
        (replica() | {"meant": 2}, Verdict.CRITICAL),
        (replica(), Verdict.OK),
        (replica(not_replayed_bytes=501), Verdict.WARNING),
        (replica(not_replayed_bytes=1001), Verdict.CRITICAL),
        (replica(not_replayed_bytes=None), Verdict.UNKNOWN),
        (replica(state="catchup"), Verdict.WARNING),
        (STANDBY | {"not_replayed_bytes": 10}, Verdict.OK),
        (STANDBY | {"not_replayed_bytes": 1001}, Verdict.CRITICAL),
        (STANDBY | {"not_replayed_bytes": None}, Verdict.UNKNOWN),
        (STANDBY | {"receiver": None, "not_replayed_bytes": 10}, Verdict.CRITICAL),
        (STANDBY | {"replay": "paused", "not_replayed_bytes": 10}, Verdict.WARNING),
    ],
)
def test_replication_is_judged_by_bytes_and_state(changes, verdict):
    assert checks.replication.judge(reading(follower(**changes))).verdict is verdict


def slot(**changes):
    row = {"slot": "s", "active": True, "wal_status": "reserved", "kept_bytes": 10, "max_wal_bytes": 1000}
    return row | {"inactive_seconds": None, "invalidation": None} | changes


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.OK),
        ({"kept_bytes": 1001}, Verdict.WARNING),
        ({"active": False}, Verdict.WARNING),
        ({"active": False, "inactive_seconds": 60.0}, Verdict.OK),
        ({"active": False, "inactive_seconds": 3601.0}, Verdict.WARNING),
        ({"wal_status": "unreserved"}, Verdict.CRITICAL),
        ({"wal_status": "lost", "kept_bytes": None}, Verdict.CRITICAL),
        ({"invalidation": "idle_timeout"}, Verdict.CRITICAL),
    ],
)
def test_a_slot_is_judged_by_what_it_keeps_and_since_when_nobody_reads(changes, verdict):
    assert checks.slots.judge(reading(slot(**changes))).verdict is verdict
