import random
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from opslib.checks import cache as checks
from opslib.checks.cache_content import BIG_KEY
from opslib.model import Reading, Verdict, now
from opslib.redaction import CacheUrl
from opslib.runs.reading import evaluate, judge
from opslib.systems.cache import ReadOnlyCache
from tests.caches import changed, server
from tests.waiting import until

DEBUG = ("--enable-debug-command", "yes")
"""Lets a test say DEBUG SLEEP: a command that takes a known time."""

ALL = (
    checks.reachable,
    checks.memory,
    checks.memory_on_host(),
    checks.policy(),
    checks.pressure(0.05),
    checks.hit_ratio(0.05),
    checks.key_census(5),
    checks.slow_commands(),
    checks.command_times(),
    checks.clients,
    checks.queue(),
    checks.streams(),
    checks.persistence,
    checks.replication(),
)


@pytest.fixture(scope="module")
def running():
    with server("--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru", "--appendonly", "yes", *DEBUG) as own:
        yield own


@pytest.fixture
def client(running):
    """A server of our own, in health: 10 MB of the cache's answers, some limits, an idle queue."""
    with running.client() as opened:
        opened.flushall()
        opened.mset({f"llm:cache:model:{i}": b"an answer" * 100_000 for i in range(10)})
        # The buffer of what was sent counts as used memory for as long as that connection lives.
        opened.connection_pool.disconnect()
        until(lambda: opened.info("clients")["connected_clients"] == 1)
        opened.set("rl:strict:a", 1, ex=600)
        opened.hset("bull:llm-processing:meta", "version", "5")
        opened.config_resetstat()
        opened.execute_command("SLOWLOG", "RESET")
        yield opened


@pytest.fixture
def target(lab, running, client):
    return running.target(lab)


def verdict(check, target):
    return evaluate(check, target).verdict


def found(check, target, expected):
    result = evaluate(check, target)
    assert result.verdict is expected, result.summary
    assert result.remedy
    return result


def reading_of(*rows):
    return Reading("p", "p", "lab", now(), 0.0, rows)


def during(act, check, target):
    """Evaluate ``check`` while ``act`` runs within its window."""
    timer = threading.Timer(0.2, act)
    timer.start()
    try:
        return evaluate(check, target)
    finally:
        timer.join()


def test_a_healthy_cache_gives_no_false_alarm(target, client):
    def look():
        for _ in range(200):
            client.get("rl:strict:a")

    for check in ALL:
        if check.name == "cache-hit-ratio":
            check = checks.hit_ratio(0.8)
        result = during(look, check, target) if check.name == "cache-hit-ratio" else evaluate(check, target)
        assert result.verdict is Verdict.OK, f"{check.name}: {result.summary}"


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.name)
def test_nothing_is_ok_when_nothing_could_be_seen(check, lab):
    with server() as gone:
        target = gone.target(lab)
    result = evaluate(check, target)
    assert result.verdict is (Verdict.CRITICAL if check.name == "cache-reachable" else Verdict.UNKNOWN)
    assert "refuses connections" in result.summary


@pytest.mark.parametrize("check", [*ALL, checks.warm_up_route], ids=lambda check: check.name)
def test_each_remedy_names_a_runbook_or_the_place_to_look(check):
    assert any(kind in check.remedy for kind in ("runbooks/", "disaster/", "diagnostics/"))


def test_a_server_that_stands_still_is_critical_and_a_wrong_password_is_not_known(lab):
    with server() as own:
        target = own.target(lab)
        assert verdict(checks.reachable, target) is Verdict.OK
        target.close()
        target.cache = ReadOnlyCache(own.url, "test", connect_seconds=0.4, answer_seconds=0.4)
        own.pause()
        found(checks.reachable, target, Verdict.CRITICAL)
        own.resume()
        assert verdict(checks.reachable, target) is Verdict.OK
        wrong = own.target(lab, CacheUrl(f"redis://nobody:no-such-password@127.0.0.1:{own.port}/0"))
        found(checks.reachable, wrong, Verdict.UNKNOWN)


def test_an_answer_that_is_not_pong_is_critical():
    row = {"address": "a", "answer": "HELLO", "median": 1.0, "worst": 1.0, "reason": None}
    assert judge(checks.reachable, reading_of(row)).verdict is Verdict.CRITICAL
    assert judge(checks.reachable, reading_of(row | {"answer": "PONG"})).verdict is Verdict.OK
    assert judge(checks.reachable, reading_of(row | {"answer": "PONG", "worst": 1001.0})).verdict is Verdict.CRITICAL


def test_memory_beyond_80_and_90_percent_is_found_and_gone_when_there_is_room(target, client):
    used = client.info("memory")["used_memory"]
    with changed(client, maxmemory=int(used / 0.85)):
        found(checks.memory, target, Verdict.WARNING)
    with changed(client, maxmemory=int(used / 0.95)):
        found(checks.memory, target, Verdict.CRITICAL)
    assert verdict(checks.memory, target) is Verdict.OK


def test_no_maxmemory_is_critical(target, client):
    with changed(client, maxmemory=0):
        assert "maxmemory is 0" in found(checks.memory, target, Verdict.CRITICAL).summary
    assert verdict(checks.memory, target) is Verdict.OK


def test_more_maxmemory_than_the_host_bears_is_found(target, client):
    with changed(client, maxmemory=client.info("memory")["total_system_memory"]):
        found(checks.memory_on_host(), target, Verdict.WARNING)
    assert verdict(checks.memory_on_host(), target) is Verdict.OK


def test_fragmentation_counts_for_a_large_server_only(lab):
    with server("--maxmemory", "64mb") as empty:
        # Code and buffers alone make a small server look fragmented.
        assert empty.client().info("memory")["mem_fragmentation_ratio"] > 1.5
        assert verdict(checks.memory_on_host(), empty.target(lab)) is Verdict.OK
        found(checks.memory_on_host(floor_bytes=1), empty.target(lab), Verdict.WARNING)


def test_swapped_memory_and_a_host_that_is_not_told_are_said():
    row = {"limit": 4 * 2**30, "host": 16 * 2**30, "resident": 2 * 2**30, "used": 3 * 2**30}
    check = checks.memory_on_host()
    assert judge(check, reading_of(row | {"fragmentation": 1.1})).verdict is Verdict.OK
    assert judge(check, reading_of(row | {"fragmentation": 0.66})).verdict is Verdict.WARNING
    assert judge(check, reading_of(row | {"fragmentation": 1.1, "host": None})).verdict is Verdict.UNKNOWN


def test_a_policy_that_may_evict_queued_jobs_is_critical_and_gone_with_a_volatile_one(target, client):
    with changed(client, maxmemory_policy="allkeys-lru"):
        result = found(checks.policy(), target, Verdict.CRITICAL)
        assert "bull:" in result.summary
    assert verdict(checks.policy(), target) is Verdict.OK


def test_allkeys_is_fine_for_a_pure_cache_and_not_known_when_not_all_was_seen(target, client):
    client.flushall()
    pipe = client.pipeline(transaction=False)
    for i in range(3_000):
        pipe.set(f"llm:cache:m:{i}", "x", ex=600)
    pipe.execute()
    with changed(client, maxmemory_policy="allkeys-lru"):
        assert verdict(checks.policy(), target) is Verdict.OK
        found(checks.policy(seconds=0), target, Verdict.UNKNOWN)
        client.set("settings", "never expires")
        found(checks.policy(), target, Verdict.CRITICAL)


def test_noeviction_with_little_room_is_critical(target, client):
    used = client.info("memory")["used_memory"]
    with changed(client, maxmemory_policy="noeviction"):
        assert verdict(checks.policy(), target) is Verdict.OK
        with changed(client, maxmemory=int(used / 0.95)):
            assert "writes fail soon" in found(checks.policy(), target, Verdict.CRITICAL).summary


def test_volatile_policies_warn_when_limits_with_a_time_to_live_are_next(target, client):
    used = client.info("memory")["used_memory"]
    with changed(client, maxmemory_policy="volatile-ttl", maxmemory=int(used / 0.85)):
        assert "time to live" in found(checks.policy(), target, Verdict.WARNING).summary
    assert verdict(checks.policy(), target) is Verdict.OK


def test_evictions_are_found_while_they_happen_only(target, client):
    pipe = client.pipeline(transaction=False)
    for i in range(2_000):
        pipe.set(f"llm:cache:m:{i}", random.randbytes(500), ex=600)
    pipe.execute()

    def squeeze():
        client.config_set("maxmemory", client.info("memory")["used_memory"] - 300_000)
        client.set("llm:cache:m:more", "x" * 1000, ex=600)

    with changed(client, maxmemory="64mb"):
        result = during(squeeze, checks.pressure(1.0), target)
        assert result.verdict is Verdict.WARNING
        assert result.value > 0
    assert verdict(checks.pressure(0.2), target) is Verdict.OK


def test_refused_writes_are_critical(target, client):
    def write():
        with pytest.raises(Exception, match="command not allowed"):
            client.set("llm:cache:m:1", "x")

    with changed(client, maxmemory_policy="noeviction", maxmemory=1):
        assert "writes refused" in during(write, checks.pressure(0.8), target).summary
        assert during(write, checks.pressure(0.8), target).verdict is Verdict.CRITICAL
    assert verdict(checks.pressure(0.2), target) is Verdict.OK


def test_rejected_connections_are_critical(target, client, running):
    evaluate(checks.clients, target)

    def knock():
        with socket.create_connection(("127.0.0.1", running.port), 5) as wire:
            wire.recv(100)

    with changed(client, maxclients=client.info("clients")["connected_clients"]):
        assert "connections rejected" in during(knock, checks.pressure(0.8), target).summary
    assert verdict(checks.pressure(0.2), target) is Verdict.OK


def test_a_reset_of_the_counters_is_not_taken_for_calm(target, client):
    client.get("none")
    assert during(client.config_resetstat, checks.pressure(0.6), target).verdict is Verdict.UNKNOWN
    client.get("none")
    assert during(client.config_resetstat, checks.hit_ratio(0.6), target).verdict is Verdict.UNKNOWN


def test_few_hits_in_the_window_are_found_and_few_look_ups_say_nothing(target, client):
    def look(key, times):
        for _ in range(times):
            client.get(key)

    look("rl:strict:a", 500)
    missed = during(lambda: look("none", 150), checks.hit_ratio(0.8), target)
    assert (missed.verdict, missed.value) == (Verdict.WARNING, 0.0)
    assert during(lambda: look("rl:strict:a", 150), checks.hit_ratio(0.8), target).verdict is Verdict.OK
    assert during(lambda: look("none", 20), checks.hit_ratio(0.8), target).verdict is Verdict.UNKNOWN


def test_a_big_key_is_found_by_name_and_gone_when_unlinked(target, client):
    client.set("llm:cache:model:huge", b"x" * int(BIG_KEY.warning + 1))
    assert "llm:cache:model:huge" in found(checks.key_census(), target, Verdict.WARNING).summary
    client.unlink("llm:cache:model:huge")
    assert verdict(checks.key_census(), target) is Verdict.OK


def test_a_census_without_time_is_not_known_and_an_empty_database_is_said(target, client):
    pipe = client.pipeline(transaction=False)
    for i in range(3_000):
        pipe.set(f"llm:cache:m:{i}", "x")
    pipe.execute()
    assert "%" in found(checks.key_census(seconds=0), target, Verdict.UNKNOWN).summary
    client.flushall()
    assert "empty" in evaluate(checks.key_census(), target).summary


def test_a_slow_command_is_found_and_gone_with_the_log(target, client):
    client.execute_command("DEBUG", "SLEEP", "0.08")
    found(checks.slow_commands(), target, Verdict.WARNING)
    client.execute_command("DEBUG", "SLEEP", "1.1")
    found(checks.slow_commands(), target, Verdict.CRITICAL)
    client.execute_command("SLOWLOG", "RESET")
    assert verdict(checks.slow_commands(), target) is Verdict.OK


def test_the_applications_keys_command_is_named(target, client):
    with changed(client, slowlog_log_slower_than=0):
        client.keys("llm:cache:*")
        assert "KEYS" in found(checks.slow_commands(), target, Verdict.WARNING).summary
    client.execute_command("SLOWLOG", "RESET")


def test_a_high_p99_is_found_and_gone_after_a_reset(target, client):
    for _ in range(20):
        client.execute_command("DEBUG", "SLEEP", "0.015")
    assert "DEBUG" in found(checks.command_times(), target, Verdict.WARNING).summary
    client.config_resetstat()
    for _ in range(30):
        client.get("llm:cache:model:1")
    assert verdict(checks.command_times(), target) is Verdict.OK


def test_percentiles_of_few_calls_say_nothing(target, client):
    found(checks.command_times(least_calls=10**9), target, Verdict.UNKNOWN)


def test_connections_near_maxclients_are_found_and_gone_when_closed(target, client, running):
    evaluate(checks.clients, target)
    with changed(client, maxclients=20), ExitStack() as held:
        for _ in range(17 - client.info("clients")["connected_clients"]):
            held.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        found(checks.clients, target, Verdict.WARNING)
        for _ in range(2):
            held.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        found(checks.clients, target, Verdict.CRITICAL)
    assert verdict(checks.clients, target) is Verdict.OK


def test_a_pause_of_all_clients_is_critical(target, client):
    try:
        client.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
        assert "CLIENT PAUSE" in found(checks.clients, target, Verdict.CRITICAL).summary
    finally:
        client.client_unpause()
    assert verdict(checks.clients, target) is Verdict.OK


def test_a_cache_that_writes_nothing_to_disk_is_found(target, client):
    with changed(client, appendonly="no"):
        found(checks.persistence, target, Verdict.WARNING)
        with changed(client, save="3600 1"):
            assert verdict(checks.persistence, target) is Verdict.OK


def test_a_failed_snapshot_is_critical_and_gone_after_a_good_one(target, client, running):
    def snapshot(expected):
        client.bgsave()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            state = client.info("persistence")
            if not state["rdb_bgsave_in_progress"] and state["rdb_last_bgsave_status"] == expected:
                return
            time.sleep(0.05)
        raise AssertionError(f"no snapshot ended as {expected}")

    blocked = running.folder / "dump.rdb" / "in-the-way"
    blocked.mkdir(parents=True)
    try:
        snapshot("err")
        assert "MISCONF" in found(checks.persistence, target, Verdict.CRITICAL).summary
    finally:
        blocked.rmdir()
        blocked.parent.rmdir()
    snapshot("ok")
    assert verdict(checks.persistence, target) is Verdict.OK


def test_snapshots_that_cannot_be_seen_are_not_known(lab):
    with server("--rename-command", "CONFIG", "") as managed:
        found(checks.persistence, managed.target(lab), Verdict.UNKNOWN)


def test_old_unsaved_changes_are_found():
    row = {
        "snapshots_on": True,
        "append_only_on": False,
        "last_snapshot": "ok",
        "since_snapshot": 4000,
        "unsaved_changes": 10,
        "last_append": "ok",
        "last_rewrite": "ok",
    }
    assert judge(checks.persistence, reading_of(row)).verdict is Verdict.WARNING
    assert judge(checks.persistence, reading_of(row | {"unsaved_changes": 0})).verdict is Verdict.OK
    assert judge(checks.persistence, reading_of(row | {"last_append": "err"})).verdict is Verdict.CRITICAL


def test_a_missing_replica_is_critical_only_where_one_is_expected(target):
    assert verdict(checks.replication(), target) is Verdict.OK
    found(checks.replication(replicas_expected=1), target, Verdict.CRITICAL)


def test_a_replica_that_lost_its_primary_is_critical_and_well_again_when_it_is_back(lab):
    def settled(check, target, expected):
        end = time.monotonic() + 30
        while time.monotonic() < end and verdict(check, target) is not expected:
            time.sleep(0.2)
        assert verdict(check, target) is expected

    with server() as primary, server("--replicaof", f"127.0.0.1 {primary.port}") as replica:
        above, below = primary.target(lab), replica.target(lab)
        settled(checks.replication(1), above, Verdict.OK)
        settled(checks.replication(), below, Verdict.OK)
        replica.client().replicaof("127.0.0.1", 1)
        settled(checks.replication(), below, Verdict.CRITICAL)
        settled(checks.replication(1), above, Verdict.CRITICAL)
        replica.client().replicaof("127.0.0.1", primary.port)
        settled(checks.replication(), below, Verdict.OK)


def job(client, number, minutes, **more):
    made = (int(client.time()[0]) - minutes * 60) * 1000
    client.hset(f"bull:llm-processing:{number}", mapping={"timestamp": made, "processedOn": made, **more})


def test_jobs_that_wait_are_found_by_age_and_gone_when_worked_off(target, client):
    job(client, 1, 1)
    client.lpush("bull:llm-processing:wait", 1)
    assert verdict(checks.queue(), target) is Verdict.OK
    job(client, 1, 7)
    found(checks.queue(), target, Verdict.WARNING)
    job(client, 1, 20)
    found(checks.queue(), target, Verdict.CRITICAL)
    client.rpop("bull:llm-processing:wait")
    assert verdict(checks.queue(), target) is Verdict.OK


def test_a_waiting_job_without_a_time_is_not_known(target, client):
    client.lpush("bull:llm-processing:wait", "77")
    found(checks.queue(), target, Verdict.UNKNOWN)


def test_a_job_whose_worker_died_is_found_and_one_with_a_lock_is_not(target, client):
    job(client, 1, 5)
    client.lpush("bull:llm-processing:active", 1)
    assert "lost its worker" in found(checks.queue(), target, Verdict.WARNING).summary
    client.set("bull:llm-processing:1:lock", "worker", ex=30)
    assert verdict(checks.queue(), target) is Verdict.OK


def test_failed_delayed_and_held_back_jobs_are_found(target, client):
    clock = int(client.time()[0]) * 1000
    client.zadd("bull:llm-processing:failed", {"1": clock - 7_200_000})
    assert verdict(checks.queue(), target) is Verdict.OK
    client.zadd("bull:llm-processing:failed", {"2": clock - 60_000})
    assert "failed" in found(checks.queue(), target, Verdict.WARNING).summary
    client.zadd("bull:llm-processing:delayed", {"3": (clock - 300_000) * 4096})
    assert "overdue" in found(checks.queue(), target, Verdict.WARNING).summary
    client.lpush("bull:llm-processing:paused", 4)
    assert "held back" in found(checks.queue(), target, Verdict.WARNING).summary
    client.delete(*(f"bull:llm-processing:{part}" for part in ("failed", "delayed", "paused")))
    assert verdict(checks.queue(), target) is Verdict.OK


def test_a_stream_nobody_confirms_is_found_and_gone_when_acknowledged(target, client):
    stamp = f"{(int(client.time()[0]) - 400) * 1000}-0"
    client.xadd("agent:tasks", {"job": 1}, id=stamp)
    client.xgroup_create("agent:tasks", "workers", id="0")
    assert "Nobody reads" in found(checks.streams(), target, Verdict.WARNING).summary
    client.xreadgroup("workers", "worker-1", {"agent:tasks": ">"})
    found(checks.streams(), target, Verdict.WARNING)
    client.xack("agent:tasks", "workers", stamp)
    assert verdict(checks.streams(), target) is Verdict.OK
