"""The executor's session on the cache: it removes keys of one family, and sends nothing else that writes."""

from contextlib import closing

import pytest

from opslib.errors import Refused
from opslib.redaction import CacheUrl
from opslib.systems.cache import CacheUnreachable
from opslib.systems.cache_writing import MOST_KEYS, Cache
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget
from tests.caches import server
from tests.systems.test_cache import NOWHERE, listed

OURS = ("llm:cache:", ("bull:", "llm:cache:kept:"))


@pytest.fixture(scope="module")
def own():
    with server() as running:
        yield running


@pytest.fixture
def client(own):
    with own.client() as opened:
        opened.flushall()
        opened.mset({"llm:cache:a": 1, "llm:cache:b": 1, "llm:cache:kept:a": 1, "bull:x": 1, "other": 1})
        yield opened


@pytest.fixture
def cache(own):
    with closing(Cache(own.url, "opslib:test", *OURS)) as handle:
        yield handle


def test_each_command_of_the_server_that_writes_but_unlink_is_refused_before_a_byte_is_sent(own):
    handle = Cache(NOWHERE, "opslib:test", *OURS)
    with own.client() as opened:
        commands = list(listed(opened))
    writing = [words for words, flags, _, _ in commands if "write" in flags and words != ["UNLINK"]]
    assert len(writing) > 100
    assert {("FLUSHDB",), ("FLUSHALL",), ("DEL",), ("SWAPDB",), ("EVAL",)} <= {tuple(words) for words, *_ in commands}
    for words in [*writing, ["EVAL"], ["CONFIG", "SET"], ["SHUTDOWN"], ["MULTI"], ["SELECT"], ["CLIENT", "KILL"]]:
        with pytest.raises(Refused):
            handle.ask(*words, "llm:cache:a", "1")
        with pytest.raises(Refused):
            handle.ask(*(word.lower() for word in words), "llm:cache:a", "1")


@pytest.mark.parametrize("command", [("FLUSHDB",), ("FLUSHDB", "ASYNC"), ("flushdb",), ("FLUSHALL",), (b"FLUSHDB",)])
def test_nothing_is_flushed_through_it_however_it_is_spelled(client, cache, command):
    with pytest.raises(Refused, match="does not send this"):
        cache.ask(*command)
    assert client.dbsize() == 5


@pytest.mark.parametrize(
    "command",
    [
        ("UNLINK",),
        ("UNLINK", "other"),
        ("UNLINK", "bull:x"),
        ("UNLINK", b"bull:x"),
        ("UNLINK", "llm:cache:a", "bull:x"),
        ("UNLINK", "llm:cache:a", "llm:cache:kept:a"),
        ("UNLINK", "llm:cache"),
        ("UNLINK", ""),
        ("unlink", "llm:cache:a"),
        (b"UNLINK", "llm:cache:a"),
        ("UNLINK other", "llm:cache:a"),
        ("UNLINK", *[f"llm:cache:{number}" for number in range(MOST_KEYS + 1)]),
    ],
)
def test_no_key_but_one_of_the_family_that_is_not_protected_is_removed(client, cache, command):
    with pytest.raises(Refused):
        cache.ask_many([("PING",), command])
    assert client.dbsize() == 5


def test_without_a_family_nothing_is_removed():
    with pytest.raises(Refused):
        Cache(NOWHERE, "opslib:test", "").unlink([b"a"])


def test_keys_of_the_family_are_removed_and_counted_and_it_reads_as_a_reading_session_does(client, cache):
    client.mset({f"llm:cache:many:{number}": 1 for number in range(MOST_KEYS + 5)})
    keys = [key for batch in cache.scan("llm:cache:") for key in batch if not key.startswith(b"llm:cache:kept:")]
    assert cache.unlink([*keys, b"llm:cache:never-there"]) == MOST_KEYS + 7
    assert cache.unlink([]) == 0
    assert sorted(client.keys()) == [b"bull:x", b"llm:cache:kept:a", b"other"]


def test_a_user_who_may_not_remove_is_told_from_a_lost_connection(own, client):
    client.execute_command("ACL", "SETUSER", "looks", "on", ">long-enough", "~*", "+@read", "+ping")
    url = CacheUrl(f"redis://looks:long-enough@127.0.0.1:{own.port}/0")
    with closing(Cache(url, "opslib:test", *OURS)) as handle, pytest.raises(CacheUnreachable) as caught:
        handle.unlink([b"llm:cache:a"])
    assert caught.value.kind == "forbidden"
    assert client.exists("llm:cache:a")


def test_only_the_target_that_applies_has_it_and_closes_it(lab):
    for target in (ReadTarget(lab.settings.reading(), "test"), VerifyTarget(lab.settings, "test")):
        assert not hasattr(target, "cache_store")
        assert type(target.cache).__name__ == "ReadOnlyCache"
        target.close()
    target = WriteTarget(lab.settings, "test")
    held = target.cache_store
    assert held.ask("PING") == "PONG"
    assert target.cache_store is held
    with pytest.raises(Refused):
        held.unlink([f"{lab.settings.protected_prefixes[0]}a".encode()])
    target.close()
    assert "cache_store" not in vars(target)
    assert held._connection is None
