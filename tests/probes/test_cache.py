import json
import threading
import time

import pytest

from opslib.errors import Unreachable
from opslib.probes import cache as probes
from opslib.probes.cache_keys import BIG_KEY_NAMED, MOST_FAMILIES, family
from opslib.redaction import CacheUrl
from opslib.runs.reading import take
from tests.caches import changed, kept, server

PREFIXES = ("llm:cache:", "bull:", "rl:")


@pytest.fixture(scope="module")
def running():
    with server("--maxmemory", "256mb") as own:
        yield own


@pytest.fixture
def client(running):
    """A server of our own, so that the lab's application does not count along; three families to begin with."""
    with running.client() as opened:
        opened.flushall()
        opened.mset({f"llm:cache:model:{i}": "an answer" for i in range(10)})
        opened.set("rl:strict:a", 1, ex=600)
        opened.hset("bull:llm-processing:meta", "version", "5")
        yield opened


@pytest.fixture
def target(lab, running, client):
    return running.target(lab)


def whole(probe, target):
    reading = take(probe, target)
    assert reading.unknown is None
    json.dumps(reading.rows)
    return reading


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("llm:cache:model:0123456789abcdef", "llm:cache:"),
        ("llm:other", "llm:"),
        ("bull:llm-processing:17", "bull:"),
        ("session", "(no prefix)"),
        ("user-20319:profile", "(other)"),
        ("maria@example.org:profile", "(other)"),
    ],
)
def test_a_family_is_the_longest_known_prefix_and_never_an_id(key, expected):
    assert family(key, PREFIXES) == expected


def test_the_answer_names_server_and_address_without_the_password(lab):
    reading = whole(probes.reachable, lab.target)
    assert reading.row["answer"] == "PONG"
    assert reading.row["server"].startswith("Valkey ")
    assert reading.row["address"] == lab.settings.read_cache_url.public


def test_the_reading_user_of_the_lab_can_take_every_reading(lab):
    for probe in (
        probes.reachable,
        probes.memory,
        probes.traffic(0.05),
        probes.census(5),
        probes.policy(5),
        probes.slow_commands(60),
        probes.command_times,
        probes.clients,
        probes.persistence,
        probes.replication,
        probes.queue(),
        probes.streams(5),
    ):
        assert take(probe, lab.target).unknown is None, probe.name


def test_the_census_counts_each_family_and_everything_that_is_used(target, client):
    with kept(client, "census:*"):
        client.mset({f"census:{i}": "x" * 100 for i in range(50)})
        rows = whole(probes.census(10), target).rows
        by_name = {row["family"]: row for row in rows}
        assert by_name["census:"]["keys"] == 50
        assert by_name["census:"]["bytes"] >= 50 * 100
        assert by_name["bull:"]["protected"]
        assert not by_name["llm:cache:"]["protected"]
        assert sum(row["keys"] or 0 for row in rows) == client.dbsize()
        assert sum(row["bytes"] for row in rows) == rows[0]["used"]
        assert rows[-1]["family"] == "(server itself)"


def test_a_census_that_ran_out_of_time_says_how_far_it_came(target, client):
    with kept(client, "many:*"):
        pipe = client.pipeline(transaction=False)
        for i in range(5_000):
            pipe.set(f"many:{i}", "x")
        pipe.execute()
        rows = whole(probes.census(0), target).rows
        assert 0 < rows[0]["coverage"] < 100
        assert rows[-1]["family"] == "(not looked at, and server itself)"
        assert whole(probes.census(20), target).rows[0]["coverage"] == 100


def test_the_census_and_a_window_leave_the_hit_counters_alone(lab):
    def lookups():
        stats = quiet.client().info("stats")
        return stats["keyspace_hits"], stats["keyspace_misses"]

    with server() as quiet:
        quiet.client().mset({f"llm:cache:{i}": "x" for i in range(100)})
        assert whole(probes.census(10), quiet.target(lab)).rows[0]["keys"] == 100
        whole(probes.traffic(0.05), quiet.target(lab))
        assert lookups() == (0, 0)


def test_only_a_big_key_is_named(target, client):
    with kept(client, "blob:*"):
        client.set("blob:small-of-user-7", "x" * 1000)
        rows = {row["family"]: row for row in whole(probes.census(10), target).rows}
        assert rows["blob:"]["largest_key"] is None
        client.set("blob:large", "x" * (BIG_KEY_NAMED + 1))
        rows = {row["family"]: row for row in whole(probes.census(10), target).rows}
        assert rows["blob:"]["largest_key"] == "blob:large"


def test_many_families_are_put_together(target, client):
    with kept(client, "fam-*"):
        client.mset({f"fam-{chr(97 + i // 26)}{chr(97 + i % 26)}:x": 1 for i in range(60)})
        rows = whole(probes.census(10), target).rows
        assert len(rows) == MOST_FAMILIES + 2
        assert rows[-2]["family"].endswith("smaller families)")
        assert sum(row["keys"] or 0 for row in rows) == client.dbsize()


def test_the_policy_reading_finds_protected_keys_and_keys_without_expiry(target, client):
    with kept(client, "session:*"):
        before = whole(probes.policy(5), target).row
        client.set("session:a", 1, ex=600)
        client.set("session:b", 1)
        after = whole(probes.policy(5), target).row
        assert after["protected_keys"] == before["protected_keys"] + 2
        assert after["keys_without_expiry"] == before["keys_without_expiry"] + 1
        assert after["protected_expiring"] == before["protected_expiring"] + 1
        assert "session:" in after["protected_families"]


def test_traffic_is_what_happened_in_the_window_only(lab):
    with server() as quiet:
        client = quiet.client()
        client.set("hit:a", 1)
        client.get("hit:a")

        def look():
            client.get("hit:a")
            client.get("hit:a")
            client.get("hit:none")

        timer = threading.Timer(0.2, look)
        timer.start()
        row = whole(probes.traffic(1.0), quiet.target(lab)).row
        timer.join()
    assert (row["hits"], row["misses"], row["lookups"]) == (2, 1, 3)
    assert row["hit_ratio"] == 66.7
    assert not row["restarted"]


def test_counters_that_began_anew_are_not_taken_for_differences(target, client):
    client.get("none")
    timer = threading.Timer(0.2, client.config_resetstat)
    timer.start()
    row = whole(probes.traffic(0.6), target).row
    timer.join()
    assert row["restarted"]
    assert row["misses"] is None
    assert row["hit_ratio"] is None


def test_slow_commands_show_command_and_family_but_no_argument(target, client):
    with changed(client, slowlog_log_slower_than=0), kept(client, "llm:cache:test:*", "zurich-0041:*"):
        client.execute_command("SLOWLOG", "RESET")
        client.set("llm:cache:test:1", "the patient's name")
        client.hset("zurich-0041:file", "field", "a secret answer")
        client.execute_command("MEMORY", "USAGE", "bull:llm-processing:1")
        client.eval("return redis.call('GET', KEYS[1])", 1, "llm:cache:test:1")
        client.keys("llm:cache:test:*")
        reading = whole(probes.slow_commands(5), target)
    client.execute_command("SLOWLOG", "RESET")
    seen = {(row["command"], row["family"]) for row in reading.rows}
    assert {
        ("SET", "llm:cache:"),
        ("HSET", "(other)"),
        ("MEMORY USAGE", "bull:"),
        ("KEYS", "(no single key)"),
        ("EVAL", "(no single key)"),
    } <= seen
    written = json.dumps(reading.rows)
    assert not [
        word for word in ("patient", "secret", "0041", "redis.call", "test:1", "processing:1") if word in written
    ]


def test_a_slow_log_that_is_off_is_unknown_and_not_empty(target, client):
    client.execute_command("SLOWLOG", "RESET")
    with changed(client, slowlog_log_slower_than=-1):
        assert "switched off" in (take(probes.slow_commands(), target).unknown or "")
    assert whole(probes.slow_commands(), target).rows == ()


def test_percentiles_that_are_not_kept_are_unknown(lab):
    with server("--latency-tracking", "no") as own:
        own.client().ping()
        assert "no percentiles" in (take(probes.command_times, own.target(lab)).unknown or "")


def test_a_managed_server_without_config_still_gives_what_info_has(lab):
    with server("--rename-command", "CONFIG", "") as managed:
        target = managed.target(lab)
        assert whole(probes.memory, target).row["limit"] == 0
        assert whole(probes.persistence, target).row["snapshots_on"] is None
        assert "does not offer this command" in (take(probes.slow_commands(), target).unknown or "")


def test_a_user_without_client_list_sees_the_connections_but_not_who_holds_them(lab):
    with server() as own:
        own.client().execute_command(
            "ACL", "SETUSER", "narrow", "on", ">long-password", "~*", "+info", "+ping", "+client|setname"
        )
        url = CacheUrl(f"redis://narrow:long-password@127.0.0.1:{own.port}/0")
        row = whole(probes.clients, own.target(lab, url)).row
        assert row["most_connections"] == "not shown (forbidden)"
        assert row["connected"] >= 1


def test_a_replica_is_seen_from_both_ends(lab):
    with server() as primary, server("--replicaof", f"127.0.0.1 {primary.port}") as replica:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            above = whole(probes.replication, primary.target(lab)).rows
            below = whole(probes.replication, replica.target(lab)).rows
            if above[0]["state"] == below[0]["state"] == "online":
                break
            time.sleep(0.2)
        assert (above[0]["role"], above[0]["state"]) == ("primary", "online")
        assert above[0]["peer"].endswith(f":{replica.port}")
        assert (below[0]["role"], below[0]["peer"]) == ("replica", f"127.0.0.1:{primary.port}")


def test_a_queue_tells_its_oldest_job_by_the_servers_clock(target, client):
    now = int(client.time()[0]) * 1000
    with kept(client, "bull:t:*"):
        client.hset("bull:t:meta", "version", "5")
        for job, minutes in (("1", 7), ("2", 3)):
            client.hset(f"bull:t:{job}", mapping={"timestamp": now - minutes * 60_000, "data": "personal"})
            client.lpush("bull:t:wait", job)
        client.rpush("bull:t:wait", "0:5000")
        client.zadd("bull:t:failed", {"8": now - 60_000, "9": now - 7_200_000})
        client.zadd("bull:t:delayed", {"5": (now - 120_000) * 4096 + 5})
        reading = whole(probes.queue("bull:t"), target)
    row = reading.row
    assert 415 <= row["oldest_waiting"] <= 430
    assert (row["failed"], row["failed_last_hour"]) == (2, 1)
    assert 115 <= row["delayed_overdue"] <= 130
    assert row["oldest_active_locked"] is None
    assert "personal" not in json.dumps(reading.rows)


def test_a_queue_that_does_not_exist_is_unknown_and_an_idle_one_is_not(target, client):
    assert "No key of a queue bull:absent" in (take(probes.queue("bull:absent"), target).unknown or "")
    with kept(client, "bull:absent:*"):
        client.hset("bull:absent:meta", "version", "5")
        row = whole(probes.queue("bull:absent"), target).row
        assert (row["waiting"], row["oldest_waiting"]) == (0, None)


def test_a_key_of_another_type_in_a_queues_place_is_unknown(target, client):
    with kept(client, "bull:t:*"):
        client.set("bull:t:wait", "not a list")
        assert "another type" in (take(probes.queue("bull:t"), target).unknown or "")


def test_streams_show_what_was_delivered_and_not_confirmed(target, client):
    with kept(client, "agent:*"):
        old = int(client.time()[0]) * 1000 - 600_000
        client.xadd("agent:tasks", {"body": "personal"}, id=f"{old}-0")
        client.xgroup_create("agent:tasks", "workers", id="0")
        client.xreadgroup("workers", "worker-1", {"agent:tasks": ">"})
        client.xadd("agent:tasks", {"body": "more"})
        (row,) = (row for row in whole(probes.streams(5), target).rows if row["stream"] == "agent:tasks")
        assert (row["consumers"], row["pending"], row["unread"]) == (1, 1, 1)
        assert 595 <= row["oldest_pending"] <= 620
        client.xack("agent:tasks", "workers", f"{old}-0")
        (row,) = (row for row in whole(probes.streams(5), target).rows if row["stream"] == "agent:tasks")
        assert (row["pending"], row["oldest_pending"]) == (0, None)


def test_a_walk_over_streams_that_ran_out_of_time_is_unknown(target, client):
    with kept(client, "many:*"):
        pipe = client.pipeline(transaction=False)
        for i in range(3_000):
            pipe.set(f"many:{i}", "x")
        pipe.execute()
        with pytest.raises(Unreachable, match="Not all keys"):
            probes.streams(0).read(target)
