from __future__ import annotations

from dataclasses import replace

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from opslib.lab import state
from opslib.lab.cache import Cache
from opslib.lab.state import Entry
from tests import caches


@pytest.fixture(scope="module")
def cache(lab):
    found = state.read(lab.folder)
    assert found is not None
    return Cache(found, state.passwords(lab.folder))


@pytest.fixture
def fresh(cache, tmp_path):
    """A server filled a moment ago: the lab's own may be older than what lives for an hour only."""
    with caches.server("--requirepass", cache.passwords["cache"]) as own:
        services = {Cache.name: Entry(port=own.port)}
        made = Cache(replace(cache.state, folder=tmp_path, services=services), cache.passwords)
        made.fill()
        yield made


def test_every_key_family_of_the_operated_system_is_there(fresh):
    with fresh.client() as client:
        families = {key.partition(":")[0] for key in client.scan_iter(count=1000)}
        answers = list(client.scan_iter("llm:cache:*", count=1000))
        assert families >= {"llm", "llm_rate_limit", "rl", "usage", "quota", "bull"}
        assert len(answers) >= 50
        assert all(0 < client.ttl(key) <= 86_400 for key in answers)


def test_the_memory_is_bounded(cache):
    with cache.client() as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(64 * 1024 * 1024)}


def test_the_queue_is_worked_off_and_remembers_what_failed(cache):
    queue = "bull:llm-processing"
    with cache.client() as client:
        assert (client.llen(f"{queue}:wait"), client.llen(f"{queue}:active")) == (0, 0)
        assert (client.zcard(f"{queue}:completed"), client.zcard(f"{queue}:failed")) == (58, 2)
        assert client.xlen(f"{queue}:events") == 58
        assert client.hget(f"{queue}:59", "failedReason") == "Request timeout"


def test_the_reading_user_may_look_and_not_touch(cache):
    with redis.Redis.from_url(cache.url("ops_reader"), decode_responses=True) as client:
        assert client.info("memory")["maxmemory"] == 64 * 1024 * 1024
        assert client.dbsize() > 0
        for command in (("SET", "a", "b"), ("DEL", "quota:x"), ("FLUSHDB",), ("CONFIG", "SET", "maxmemory", "1"),
                        ("KEYS", "*"), ("CLIENT", "KILL", "ID", "1"), ("SHUTDOWN",), ("ACL", "LIST")):  # fmt: skip
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)


def test_without_a_password_nothing_is_answered(cache):
    with (
        redis.Redis(port=cache.port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        client.ping()
