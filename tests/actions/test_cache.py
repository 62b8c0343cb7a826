"""A clearing on a real Valkey: what is planned, removed, left alone, broken off, settled and refused."""

import socket
from contextlib import closing

import pytest
import redis
from pydantic import ValidationError

from opslib.actions.cache import ClearFamily
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.model import Effect, Outcome, Repeat, Verdict
from opslib.redaction import CacheUrl
from opslib.runs.saved_plan import moved
from opslib.systems.cache_commands import reader_rules
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget
from tests.caches import changed, server
from tests.toxic import Toxic

RUN = "20261128T130614Z-runbooks-maintain-cache-a1b2c3"
OTHERS, CACHED = 5_000, 2_500


def quiet(text, done=None, total=None):
    pass


@pytest.fixture(scope="module")
def running():
    with server() as own:
        yield own


@pytest.fixture
def client(running):
    """Cached answers of two models among a queue, limits, usage counts and keys of nobody in particular."""
    with running.client() as opened:
        opened.flushall()
        pipe = opened.pipeline(transaction=False)
        for number in range(CACHED):
            pipe.set(f"llm:cache:model-{'ab'[number % 2]}:{number:016x}", "an answer", ex=86_400)
        for number in range(OTHERS - 500):
            pipe.set(f"rl:strict:{number}", number, ex=600)
        for number in range(240):
            pipe.hset(f"bull:llm-processing:{number}", mapping={"name": "llm-request", "timestamp": number})
            pipe.rpush("bull:llm-processing:wait", number)
            pipe.xadd("bull:llm-processing:events", {"event": "waiting", "jobId": number})
        for number in range(258):
            pipe.hset(f"usage:{number}:2026-11", mapping={"tokens": number})
        # Names that only look like the family's.
        pipe.mset({"llm:cache": 1, "llm:cachet:a": 1, "xllm:cache:a": 1, "LLM:CACHE:a": 1})
        pipe.execute()
        opened.execute_command("ACL", "SETUSER", "looks", "on", ">long-enough", "~*", "resetchannels", *reader_rules())
        yield opened


@pytest.fixture
def settings(lab, running, client):
    """The lab's description, with this server as its cache: one user who reads, one who writes."""
    return lab.settings.model_copy(
        update={
            "read_cache_url": CacheUrl(f"redis://looks:long-enough@127.0.0.1:{running.port}/0"),
            "cache_url": running.url,
        }
    )


@pytest.fixture
def targets(settings):
    """The three kinds of target, as the executor hands them out."""
    made = targets_of(settings)
    yield made
    for target in made:
        target.close()


def targets_of(settings):
    return ReadTarget(settings.reading(), RUN), VerifyTarget(settings, RUN), WriteTarget(settings, RUN)


def content(client, *, cached):
    """Return every key of the cache's family, or every other one, with its value as the server would save it."""
    keys = [key for key in sorted(client.scan_iter(count=2000)) if key.startswith(b"llm:cache:") is cached]
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.dump(key)
    return dict(zip(keys, pipe.execute(), strict=True))


def carry_out(action, targets, progress=quiet):
    reading, looking, writing = targets
    plan = action.plan(reading)
    values = action.apply(writing, plan, progress)
    return plan, values, action.verify(looking, plan, values)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def counted(said):
    return {row["family"]: (row["before"], row["after"]) for row in said.rows}


def test_a_plan_counts_what_goes_and_what_stays_and_changes_nothing(client, targets):
    before = content(client, cached=True), content(client, cached=False)
    plan = ClearFamily().plan(targets[0])
    assert (content(client, cached=True), content(client, cached=False)) == before
    assert (plan.effect, plan.repeat) == (Effect.DESTRUCTIVE, Repeat.ONCE)
    assert (plan.touches, plan.touched) == (50_000, "keys at most")
    assert plan.observed["llm:cache:"] == CACHED
    assert plan.observed["bull:"] == 242
    assert plan.observed["the whole database"] == client.dbsize()
    assert plan.observed["family_bytes"] > CACHED * 50
    assert plan.after["bull:"] == plan.before["bull:"]
    assert plan.after["llm:cache:"] != plan.before["llm:cache:"]


def test_the_family_goes_and_every_other_key_keeps_its_value(client, targets):
    others = content(client, cached=False)
    assert len(others) > OTHERS
    told = []
    _, values, said = carry_out(ClearFamily(), targets, lambda text, done=None, total=None: told.append((done, total)))
    assert content(client, cached=True) == {}
    assert content(client, cached=False) == others
    assert values["removed"] == CACHED
    assert (told[-1], len(told) > 2) == ((CACHED, CACHED), True)
    assert said.verdict is Verdict.OK
    rows = counted(said)
    assert rows["llm:cache:"] == (CACHED, 0)
    assert rows["bull:"] == (242, 242)
    assert rows["rl:"] == (OTHERS - 500, OTHERS - 500)


def test_a_part_of_the_family_goes_alone(client, targets):
    _, values, said = carry_out(ClearFamily(prefix="llm:cache:model-a:"), targets)
    assert values["removed"] == CACHED // 2
    assert said.verdict is Verdict.OK
    assert {key.split(b":")[2] for key in content(client, cached=True)} == {b"model-b"}


def test_keys_of_any_bytes_in_the_family_go_as_well(client, targets):
    for key in (b"llm:cache:\xff\x00", b"llm:cache:*", b"llm:cache:a\r\nFLUSHALL\r\n", "llm:cache:é".encode()):
        client.set(key, 1, ex=60)
    others = content(client, cached=False)
    assert carry_out(ClearFamily(), targets)[2].verdict is Verdict.OK
    assert content(client, cached=True) == {}
    assert content(client, cached=False) == others


@pytest.mark.parametrize(
    "prefix",
    ["bull:", "bull:llm-processing:", "usage:1:", "llm:", "llm:cache:", "llm:cache:kept:", "llm:cache:kept:x:"],
)
def test_what_is_protected_contains_it_or_lies_in_it_is_refused_before_a_look(lab, prefix):
    kept = lab.settings.model_copy(update={"protected_prefixes": (*lab.settings.protected_prefixes, "llm:cache:kept:")})
    with closing(ReadTarget(kept.reading(), RUN)) as reading, pytest.raises(Refused, match="never be cleared"):
        ClearFamily(prefix=prefix).plan(reading)
    assert "cache" not in vars(reading)


@pytest.mark.parametrize("prefix", ["session_data:", "llm:cachet:", "llm:", "x:"])
def test_what_the_targets_owner_does_not_call_a_cache_is_refused(lab, prefix):
    with pytest.raises(Refused, match="not of the cache's own family"):
        ClearFamily(prefix=prefix).plan(lab.target)


@pytest.mark.parametrize(
    "prefix",
    ["", "*", ":", "llm:cache", "llm:cache:*", "llm:cache:[a]:", "llm::", "llm:cache:\n", "-x:", "a" * 100 + ":"],
)
def test_a_prefix_that_is_none_makes_no_action(prefix):
    with pytest.raises(ValidationError):
        ClearFamily(prefix=prefix)


def test_what_never_expires_is_no_cache_and_is_refused(client, targets):
    for number in range(30):
        client.set(f"llm:cache:kept:{number}", 1)
    with pytest.raises(Refused, match="30 of 30 keys of llm:cache:kept: never expire"):
        ClearFamily(prefix="llm:cache:kept:").plan(targets[0])


def test_more_keys_than_said_are_refused_when_it_is_planned(client, targets):
    with pytest.raises(Refused, match=f"more than {CACHED - 1} keys"):
        ClearFamily(at_most=CACHED - 1).plan(targets[0])
    assert ClearFamily(at_most=CACHED).plan(targets[0]).touches == CACHED


def test_never_more_keys_go_than_were_agreed_to_however_many_came_since(client, targets):
    action = ClearFamily(at_most=CACHED)
    plan = action.plan(targets[0])
    client.mset({f"llm:cache:late:{number}": 1 for number in range(1_500)})
    others = content(client, cached=False)
    with pytest.raises(StepFailed, match=f"More than {CACHED} keys would go"):
        action.apply(targets[2], plan, quiet)
    assert 1_500 <= len(content(client, cached=True)) < CACHED + 1_500
    assert content(client, cached=False) == others
    assert action.settle(targets[2], plan, quiet).outcome is Outcome.PARTLY


def test_a_connection_that_is_lost_in_the_middle_is_settled_and_gone_on_with(client, running, settings):
    others = content(client, cached=False)
    with Toxic(running.port) as wire:
        through = settings.model_copy(update={"cache_url": CacheUrl(f"redis://127.0.0.1:{wire.port}/0")})
        reading, looking, writing = targets_of(through)
        plan = ClearFamily().plan(reading)
        with pytest.raises(Unreachable):
            ClearFamily().apply(writing, plan, lambda text, done=None, total=None: wire.become("down"))
        assert 0 < len(content(client, cached=True)) < CACHED
        settled = ClearFamily().settle(writing, plan, quiet)
        assert settled.outcome is Outcome.PARTLY
    again = WriteTarget(settings, RUN)
    values = ClearFamily().apply(again, plan, quiet)
    assert ClearFamily().verify(looking, plan, values).verdict is Verdict.OK
    assert content(client, cached=True) == {}
    assert content(client, cached=False) == others
    for target in (reading, looking, writing, again):
        target.close()


def test_a_clearing_whose_end_nobody_saw_is_done_when_no_key_is_left(client, targets):
    plan = ClearFamily().plan(targets[0])
    ClearFamily().apply(targets[2], plan, quiet)
    settled = ClearFamily().settle(targets[2], plan, quiet)
    assert settled.outcome is Outcome.DONE
    assert ClearFamily().verify(targets[1], plan, settled.values).verdict is Verdict.OK


def test_a_clearing_that_is_told_to_stop_stops_between_two_batches(client, targets):
    def stop(text, done=None, total=None):
        raise StepFailed("broken off", "Look.")

    plan = ClearFamily().plan(targets[0])
    with pytest.raises(StepFailed, match="broken off"):
        ClearFamily().apply(targets[2], plan, stop)
    assert 0 < len(content(client, cached=True)) < CACHED


def test_answers_that_came_since_are_no_failure(client, targets):
    plan = ClearFamily().plan(targets[0])
    values = ClearFamily().apply(targets[2], plan, quiet)
    client.mset({f"llm:cache:new:{number}": 1 for number in range(12)})
    said = ClearFamily().verify(targets[1], plan, values)
    assert (said.verdict, "12 came since" in said.summary) == (Verdict.OK, True)
    assert counted(said)["llm:cache:"] == (CACHED, 12)


def test_a_key_of_before_that_is_left_is_seen(client, targets):
    plan = ClearFamily().plan(targets[0])
    values = ClearFamily().apply(targets[2], plan, quiet)
    client.set("llm:cache:old", 1)
    client.restore("llm:cache:old", 60_000, client.dump("llm:cache:old"), replace=True, idletime=600)
    said = ClearFamily().verify(targets[1], plan, values)
    assert (said.verdict, "1 keys of before" in said.summary) == (Verdict.CRITICAL, True)


def test_where_the_server_keeps_no_times_new_keys_can_not_be_told_from_old_ones(client, targets):
    with changed(client, maxmemory_policy="allkeys-lfu"):
        plan, values, said = carry_out(ClearFamily(), targets)
        assert said.verdict is Verdict.OK
        client.set("llm:cache:one", 1, ex=60)
        said = ClearFamily().verify(targets[1], plan, values)
    assert (said.verdict, "LFU" in said.summary) == (Verdict.UNKNOWN, True)


def test_somebody_elses_flush_meanwhile_is_no_success(client, targets):
    plan = ClearFamily().plan(targets[0])
    values = ClearFamily().apply(targets[2], plan, quiet)
    client.flushdb()
    said = ClearFamily().verify(targets[1], plan, values)
    assert (said.verdict, "No protected key is left" in said.summary) == (Verdict.CRITICAL, True)


def test_counts_may_move_after_a_plan_was_approved_but_not_what_it_promises(client, settings, targets):
    approved = ClearFamily().plan(targets[0])
    client.set("llm:cache:one-more", 1, ex=60)
    assert moved(approved, ClearFamily().plan(targets[0])) == []
    with server() as another:
        for update in ({"read_cache_url": another.url}, {"protected_prefixes": ("rl:",)}):
            other = ReadTarget(settings.model_copy(update=update).reading(), RUN)
            assert moved(approved, ClearFamily().plan(other)) != []
            other.close()
    assert moved(approved, ClearFamily(at_most=9_999).plan(targets[0])) != []


def test_a_writing_address_that_leads_elsewhere_is_refused_before_anything_is_removed(
    client, settings, running, targets
):
    plan = ClearFamily().plan(targets[0])
    with server() as another, another.client() as there:
        there.set("llm:cache:theirs", 1)
        elsewhere = (another.url, CacheUrl(f"redis://127.0.0.1:{running.port}/1"))
        client.execute_command("COPY", "llm:cache", "llm:cache:copied", "DB", 1)
        for url in elsewhere:
            writing = WriteTarget(settings.model_copy(update={"cache_url": url}), RUN)
            with pytest.raises(Refused, match="leads elsewhere"):
                ClearFamily().apply(writing, plan, quiet)
            writing.close()
        assert there.dbsize() == 1
    with redis.Redis(port=running.port, db=1) as second:
        assert second.dbsize() == 1
    assert len(content(client, cached=True)) == CACHED


def test_another_server_than_the_plan_was_made_on_is_refused(client, settings, targets):
    plan = ClearFamily().plan(targets[0])
    with server() as another, another.client() as there:
        there.set("llm:cache:theirs", 1)
        both = settings.model_copy(update={"cache_url": another.url, "read_cache_url": another.url})
        with closing(WriteTarget(both, RUN)) as writing, pytest.raises(Refused, match="Plan again"):
            ClearFamily().apply(writing, plan, quiet)
        assert there.dbsize() == 1


def test_on_a_replica_and_on_a_part_of_a_cluster_nothing_is_planned(settings, running):
    for options, why in (
        (("--replicaof", f"127.0.0.1 {running.port}"), "replica"),
        # By itself its second port would be 10,000 above the first, and may not exist.
        (("--cluster-enabled", "yes", "--cluster-port", str(free_port())), "cluster"),
    ):
        with server(*options) as other:
            reading = ReadTarget(settings.model_copy(update={"read_cache_url": other.url}).reading(), RUN)
            with closing(reading), pytest.raises(Refused, match=why):
                ClearFamily().plan(reading)


def test_the_undo_is_refused_with_the_reason(client, targets):
    plan, values, _ = carry_out(ClearFamily(), targets)
    with pytest.raises(Refused, match="not kept anywhere"):
        ClearFamily().undo(targets[2], plan, values, quiet)
