import socket
import threading
import time
from contextlib import closing

import pytest

from opslib.errors import Refused, Unreachable
from opslib.redaction import CacheUrl
from opslib.systems.cache import BATCH, KINDS, CacheUnreachable, ReadOnlyCache, shown
from opslib.systems.cache_commands import ALONE, CONTAINERS, reader_rules, why_refused
from tests.caches import admin, kept, server

NOWHERE = CacheUrl("redis://127.0.0.1:1/0")
"""Nothing listens there: what is refused on it was refused before a connection was tried."""


@pytest.fixture(scope="module")
def own():
    with server("--enable-debug-command", "yes") as running:
        yield running


@pytest.fixture
def cache(own):
    with closing(ReadOnlyCache(own.url, "opslib:test run", answer_seconds=5)) as handle:
        yield handle


def flat(entries):
    for entry in entries:
        yield entry
        yield from flat(entry[9])


def listed(client):
    """Every command and sub-command that the server knows: (name in words, flags, categories, arity)."""
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command("COMMAND")
        for entry in flat(connection.read_response()):
            name = entry[0].decode().upper().split("|")
            yield name, {f.decode() for f in entry[2]}, {c.decode() for c in entry[6]}, entry[1]
    finally:
        client.connection_pool.release(connection)


def on_list(words):
    return words[0] in ALONE or (len(words) == 2 and words[1] in CONTAINERS.get(words[0], ()))


def kind_of(handle, *command):
    with pytest.raises(CacheUnreachable) as caught, closing(handle):
        handle.ask(*command)
    assert caught.value.next_step
    return caught.value.kind


def test_each_command_of_the_server_that_writes_is_refused_before_a_byte_is_sent(own):
    handle = ReadOnlyCache(NOWHERE, "opslib:test")
    writing = [words for words, flags, _, _ in listed(own.client()) if "write" in flags]
    assert len(writing) > 100
    for words in writing:
        with pytest.raises(Refused):
            handle.ask(*words, "key", "1")


def test_each_command_off_the_list_is_refused_and_none_on_it_blocks_or_administers(own):
    handle = ReadOnlyCache(NOWHERE, "opslib:test")
    admitted = set()
    for words, flags, categories, _ in listed(own.client()):
        if on_list(words):
            admitted.add(" ".join(words))
            assert not flags & {"write", "blocking"}
            assert "@blocking" not in categories
        else:
            with pytest.raises(Refused):
                handle.ask(*words, "key", "1")
    assert {"PING", "CONFIG GET", "MEMORY USAGE", "SCAN", "COMMANDLOG GET"} <= admitted
    assert not {"KEYS", "MONITOR", "SHUTDOWN", "EVAL", "FCALL_RO", "DUMP", "GET", "BLPOP"} & admitted


def test_the_labs_reading_user_is_refused_by_the_server_as_well(lab):
    with admin(lab) as client:
        for words, flags, _, arity in listed(client):
            if "write" in flags:
                arguments = ["1"] * max(0, abs(arity) - len(words))
                said = client.execute_command("ACL", "DRYRUN", "ops_reader", *words, *arguments)
                assert b"no permissions" in said, words


def test_the_rules_for_a_reading_user_admit_what_the_handle_asks_and_nothing_that_writes(own):
    client = own.client()
    client.execute_command("ACL", "SETUSER", "narrow", "on", "nopass", "~*", "resetchannels", *reader_rules())
    for words, flags, _, arity in listed(client):
        if on_list(words) or "write" in flags:
            arguments = ["1"] * max(0, abs(arity) - len(words))
            said = client.execute_command("ACL", "DRYRUN", "narrow", *words, *arguments)
            assert (said == b"OK") is on_list(words), words


@pytest.mark.parametrize(
    "command",
    [
        ("CONFIG", "GET", "*"),
        ("CONFIG", "GET", "requirepass"),
        ("CONFIG", "GET", "maxmemory", "primaryauth"),
        ("CONFIG", "GET", "tls-key-file-pass"),
        ("CONFIG", "SET", "maxmemory", "0"),
        ("CONFIG GET", "maxmemory"),
        (b"SET", "key", "1"),
        ("SCAN", 0, "COUNT", 1_000_000_000),
        ("SCAN", 0, "MATCH", "COUNT", "COUNT", "10001"),
        ("MEMORY", "USAGE", "key", "SAMPLES", 0),
        ("HGET", "bull:llm-processing:1", "data"),
        ("LINDEX", "bull:llm-processing:wait", 0),
        ("ZRANGE", "bull:llm-processing:delayed", 0, -1, "WITHSCORES"),
        ("XINFO", "STREAM", "events"),
        (),
    ],
)
def test_a_shape_that_would_bring_passwords_or_content_home_is_refused(command):
    with pytest.raises(Refused):
        ReadOnlyCache(NOWHERE, "opslib:test").ask(*command)


def test_one_refused_command_keeps_the_whole_batch_from_being_sent(own, cache):
    before = int(cache.info("stats")["total_commands_processed"])
    with pytest.raises(Refused):
        cache.ask_many([("PING",), ("SET", "a", "1")])
    assert int(cache.info("stats")["total_commands_processed"]) == before + 1


def test_the_first_scan_word_named_like_an_option_is_no_option():
    assert why_refused(("SCAN", 0, "MATCH", "COUNT", "COUNT", "500")) is None


def test_answers_come_in_order_over_several_batches(own, cache):
    client = own.client()
    with kept(client, "row:*"):
        number = BATCH * 2 + 7
        pipe = client.pipeline(transaction=False)
        for i in range(number):
            pipe.set(f"row:{i}", "x" * (i % 97))
        pipe.execute()
        lengths = cache.ask_many([("STRLEN", f"row:{i}") for i in range(number)])
        assert lengths == [i % 97 for i in range(number)]


def test_an_error_among_the_answers_leaves_the_session_usable(own, cache):
    client = own.client()
    with kept(client, "kind:*"):
        client.set("kind:text", "x")
        with pytest.raises(CacheUnreachable) as caught:
            cache.ask_many([("STRLEN", "kind:text"), ("LLEN", "kind:text"), ("PING",)])
        assert caught.value.kind == "wrong-type"
        assert cache.ask("STRLEN", "kind:text") == 1


def test_a_key_of_any_bytes_can_be_asked_back_and_is_shown_escaped(own, cache):
    client = own.client()
    key = b"odd:\xff\x00\x1b[31m\\n k\xc3\xb6y"
    with kept(client, "odd:*"):
        client.set(key, "x")
        (found,) = [k for batch in cache.scan("odd:") for k in batch]
        assert found == key
        assert cache.ask("EXISTS", found) == 1
        assert shown(found) == "odd:\\xff\\x00\\x1b[31m\\n köy"


def test_a_prefix_with_pattern_signs_is_taken_literally(own, cache):
    client = own.client()
    with kept(client, "p*"):
        client.mset({"p*[1]:a": 1, "px1:b": 1})
        assert [k for batch in cache.scan("p*[1]:") for k in batch] == [b"p*[1]:a"]


def test_the_session_bears_the_applications_name(own, cache):
    cache.ask("PING")
    assert "opslib:test-run" in [entry["name"] for entry in own.client().client_list()]


def test_a_session_that_the_server_closed_is_opened_anew(own, cache):
    number = cache.ask("CLIENT", "ID")
    own.client().client_kill_filter(_id=number)
    time.sleep(0.1)
    assert cache.ask("CLIENT", "ID") > number


def test_nothing_listening_and_an_unknown_host_are_told_apart():
    assert kind_of(ReadOnlyCache(NOWHERE, "t"), "PING") == "refused"
    assert kind_of(ReadOnlyCache(CacheUrl("redis://no-such-host.invalid:6379/0"), "t"), "PING") == "name"


def test_a_server_without_tls_behind_a_tls_address_is_a_tls_problem():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            wire, _ = listener.accept()
            with wire:
                wire.sendall(b"-ERR this is not TLS\r\n" * 4)
                wire.recv(4096)

        threading.Thread(target=answer, daemon=True).start()
        url = CacheUrl(f"rediss://127.0.0.1:{listener.getsockname()[1]}/0")
        assert kind_of(ReadOnlyCache(url, "t"), "PING") == "tls"


def test_log_in_failures_are_told_from_missing_rights(own):
    client = own.client()
    client.execute_command("ACL", "SETUSER", "half", "on", ">right-password", "~*", "+ping", "+info")
    port = own.port
    assert kind_of(ReadOnlyCache(CacheUrl(f"redis://half:wrong-password@127.0.0.1:{port}/0"), "t"), "PING") == (
        "authentication"
    )
    half = CacheUrl(f"redis://half:right-password@127.0.0.1:{port}/0")
    assert kind_of(ReadOnlyCache(half, "t"), "CONFIG", "GET", "maxmemory") == "forbidden"
    with closing(ReadOnlyCache(half, "t")) as handle:
        assert handle.ask("PING") == "PONG"


def test_a_missing_password_is_an_authentication_failure():
    with server("--requirepass", "long-password") as locked:
        assert kind_of(ReadOnlyCache(locked.url, "t"), "PING") == "authentication"


def test_no_failure_repeats_the_password(own):
    url = CacheUrl(f"redis://half:hunter2-hunter2@127.0.0.1:{own.port}/0")
    with pytest.raises(Unreachable) as caught:
        ReadOnlyCache(url, "t").ask("PING")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


def test_a_hidden_command_is_told_from_a_forbidden_one():
    with server("--rename-command", "CONFIG", "") as managed:
        assert kind_of(ReadOnlyCache(managed.url, "t"), "CONFIG", "GET", "maxmemory") == "unknown-command"


def test_a_replica_without_its_primary_says_so():
    with server("--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no") as orphan:
        assert kind_of(ReadOnlyCache(orphan.url, "t"), "DBSIZE") == "no-primary"


def test_a_server_without_a_free_connection_says_so():
    with server("--maxclients", "2") as small:
        holders = [small.client() for _ in range(2)]
        for holder in holders:
            holder.ping()
        assert kind_of(ReadOnlyCache(small.url, "t"), "PING") == "full"
        holders[0].close()
        with closing(ReadOnlyCache(small.url, "t")) as handle:
            assert handle.ask("PING") == "PONG"


def test_a_loading_server_says_so(tmp_path):
    with server(folder=str(tmp_path)) as first:
        pipe = first.client().pipeline(transaction=False)
        for i in range(20_000):
            pipe.set(f"load:{i}", "x" * 100)
        pipe.execute()
        first.client().save()
    slowly = ("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
    with server(*slowly, folder=str(tmp_path)) as second:
        assert kind_of(ReadOnlyCache(second.url, "t"), "DBSIZE") == "loading"


def test_a_server_that_stands_still_is_given_up_and_found_again():
    with server() as still, closing(ReadOnlyCache(still.url, "t", answer_seconds=0.4, connect_seconds=0.4)) as handle:
        assert handle.ask("PING") == "PONG"
        still.pause()
        with pytest.raises(CacheUnreachable) as caught:
            handle.ask("DBSIZE")
        assert caught.value.kind == "slow"
        assert kind_of(ReadOnlyCache(still.url, "t", connect_seconds=0.4, answer_seconds=0.4), "PING") == "slow"
        still.resume()
        assert handle.ask("PING") == "PONG"


def test_an_answer_that_drips_is_cut_by_the_wall_clock():
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            wire, _ = listener.accept()
            with wire:
                wire.recv(4096)
                wire.sendall(b"+OK\r\n")
                wire.recv(4096)
                wire.sendall(b"$1000\r\n")
                try:
                    while not done.wait(0.05):
                        wire.sendall(b"x")
                except OSError:
                    pass

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = CacheUrl(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        assert kind_of(ReadOnlyCache(url, "t", answer_seconds=0.5), "INFO", "memory") == "slow"
        done.set()
        thread.join(5)


def test_each_kind_says_what_to_do_next():
    assert all(said and next_step.endswith((".", "?")) for said, next_step in KINDS.values())
