"""The cache's memory and policy on a real Valkey: what is refused, set, lost, settled and set back."""

import pytest

from opslib.actions.cache import SetCacheMemory
from opslib.errors import Refused, Unreachable
from opslib.model import Effect, Outcome, Verdict
from opslib.redaction import CacheUrl
from opslib.systems.cache_commands import reader_rules
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget
from tests.caches import server

RUN = "20261128T130614Z-runbooks-scale-for-high-traffic-a1b2c3"
MIB = 2**20


def quiet(text, done=None, total=None):
    pass


@pytest.fixture
def running():
    with server("--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru") as own:
        yield own


@pytest.fixture
def client(running):
    with running.client() as opened:
        opened.execute_command("ACL", "SETUSER", "looks", "on", ">long-enough", "~*", "resetchannels", *reader_rules())
        opened.set("llm:cache:a", "x", ex=600)
        yield opened


@pytest.fixture
def settings(lab, running, client):
    return lab.settings.model_copy(
        update={
            "read_cache_url": CacheUrl(f"redis://looks:long-enough@127.0.0.1:{running.port}/0"),
            "cache_url": running.url,
        }
    )


@pytest.fixture
def targets(settings):
    made = targets_of(settings)
    yield made
    for target in made:
        target.close()


def targets_of(settings):
    return ReadTarget(settings.reading(), RUN), VerifyTarget(settings, RUN), WriteTarget(settings, RUN)


def stands(client):
    said = client.config_get("maxmemory*")
    return int(said["maxmemory"]) // MIB, said["maxmemory-policy"]


def test_a_plan_says_both_and_how_much_there_is_and_changes_nothing(client, targets):
    plan = SetCacheMemory(megabytes=96, policy="allkeys-lru").plan(targets[0])
    assert stands(client) == (64, "volatile-lru")
    assert (plan.effect, plan.touches) == (Effect.CHANGE, 2)
    assert plan.before == {"maxmemory": 64 * MIB, "maxmemory-policy": "volatile-lru"}
    assert plan.after == {"maxmemory": 96 * MIB, "maxmemory-policy": "allkeys-lru"}
    assert plan.observed["host"] > 100 * MIB
    assert "CONFIG REWRITE" in plan.verification


def test_both_are_set_at_once_and_set_back(client, targets):
    step = SetCacheMemory(megabytes=96, policy="volatile-ttl")
    plan = step.plan(targets[0])
    values = step.apply(targets[2], plan, quiet)
    assert stands(client) == (96, "volatile-ttl")
    said = step.verify(targets[1], plan, values)
    assert (said.verdict, "restart" in said.summary) == (Verdict.OK, True)
    assert step.undo(targets[2], plan, values, quiet).verdict is Verdict.OK
    assert stands(client) == (64, "volatile-lru")


def test_what_is_asked_to_stay_stays(client, targets):
    plan = SetCacheMemory().plan(targets[0])
    assert (plan.touches, plan.before == plan.after) == (0, True)
    step = SetCacheMemory(megabytes=80)
    plan = step.plan(targets[0])
    step.apply(targets[2], plan, quiet)
    assert (plan.touches, stands(client)) == (1, (80, "volatile-lru"))


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_policy_that_may_take_queued_jobs_is_refused_where_a_queue_lives(client, targets, policy):
    client.hset("bull:llm-processing:1", mapping={"name": "llm-request"})
    with pytest.raises(Refused, match=f"{policy} may evict keys of bull:"):
        SetCacheMemory(policy=policy).plan(targets[0])
    assert SetCacheMemory(policy="noeviction").plan(targets[0]).touches == 1
    client.delete("bull:llm-processing:1")
    assert SetCacheMemory(policy=policy).plan(targets[0]).touches == 1


def test_more_than_its_host_or_its_container_has_is_refused_with_figures(client, settings, targets):
    with pytest.raises(Refused, match="are more than 75% of its host's"):
        SetCacheMemory(megabytes=4_194_304).plan(targets[0])
    small = targets_of(settings.model_copy(update={"cache_memory_mb": 256}))
    with pytest.raises(Refused, match=r"4096 MiB are more than 75% of its container's 256 MiB") as refused:
        SetCacheMemory(megabytes=4096).plan(small[0])
    assert "at most 192" in refused.value.next_step
    assert SetCacheMemory(megabytes=192).plan(small[0]).touches == 1


def test_less_than_is_in_use_is_refused(client, targets):
    client.set("llm:cache:big", b"x" * 20 * MIB)
    with pytest.raises(Refused, match="keys would go, or writes be refused"):
        SetCacheMemory(megabytes=10).plan(targets[0])


def test_an_undo_that_would_refuse_every_write_is_refused(client, targets):
    client.config_set("maxmemory-policy", "noeviction")
    step = SetCacheMemory(megabytes=128)
    plan = step.plan(targets[0])
    values = step.apply(targets[2], plan, quiet)
    for number in range(4):
        client.set(f"llm:cache:{number}", b"x" * 20 * MIB)
    with pytest.raises(Refused, match="every write would be refused"):
        step.undo(targets[2], plan, values, quiet)
    assert stands(client) == (128, "noeviction")


def test_a_service_that_hides_its_settings_is_named_as_one(client, targets):
    client.execute_command("ACL", "SETUSER", "looks", "-config")
    with pytest.raises(Refused, match="managed service"):
        SetCacheMemory(megabytes=96).plan(targets[0])


def test_a_service_that_refuses_to_set_them_is_told_with_nothing_changed(client, settings):
    client.execute_command("ACL", "SETUSER", "sets", "on", ">long-enough", "~*", "+@all", "-config|set")
    lent = settings.model_copy(
        update={"cache_url": CacheUrl(f"redis://sets:long-enough@127.0.0.1:{settings.cache_url.port}/0")}
    )
    reading, _, writing = targets_of(lent)
    plan = SetCacheMemory(megabytes=96).plan(reading)
    with pytest.raises(Refused, match="managed service"):
        SetCacheMemory(megabytes=96).apply(writing, plan, quiet)
    assert stands(client) == (64, "volatile-lru")


def test_somebody_elses_setting_since_the_plan_is_refused_and_leaves_it_in_doubt(client, targets):
    step = SetCacheMemory(megabytes=96)
    plan = step.plan(targets[0])
    client.config_set("maxmemory", 70 * MIB)
    with pytest.raises(Refused, match="70 MiB"):
        step.apply(targets[2], plan, quiet)
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN
    assert step.verify(targets[1], plan, {}).verdict is Verdict.CRITICAL
    with pytest.raises(Refused, match="somebody set them since"):
        step.undo(targets[2], plan, {}, quiet)


def test_one_that_was_broken_off_is_settled_by_a_look(client, targets):
    step = SetCacheMemory(megabytes=96)
    plan = step.plan(targets[0])
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE
    step.apply(targets[2], plan, quiet)
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.DONE


def test_a_restart_loses_it_and_the_undo_says_that_it_is_as_before(client, running, targets):
    step = SetCacheMemory(megabytes=96)
    plan = step.plan(targets[0])
    values = step.apply(targets[2], plan, quiet)
    running.kill()
    running.start()
    while not running.listens():
        pass
    client.execute_command("ACL", "SETUSER", "looks", "on", ">long-enough", "~*", "resetchannels", *reader_rules())
    assert step.verify(targets[1], plan, values).verdict is Verdict.CRITICAL
    assert "as before already" in step.undo(targets[2], plan, values, quiet).summary


@pytest.mark.parametrize(
    "command",
    [
        ("CONFIG", "SET", "maxmemory", 1),
        ("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction"),
        ("CONFIG", "SET", "maxmemory", -1, "maxmemory-policy", "noeviction"),
        ("CONFIG", "SET", "maxmemory", 1, "maxmemory-policy", "none"),
        ("CONFIG", "SET", "dir", 1, "maxmemory-policy", "noeviction"),
        ("CONFIG", "SET", "maxmemory", 1, "maxmemory-policy", "noeviction", "dir", "/tmp"),
        ("config", "set", "maxmemory", 1, "maxmemory-policy", "noeviction"),
        ("CONFIG", "REWRITE"),
        ("CONFIG", "RESETSTAT"),
    ],
)
def test_no_other_setting_is_set_through_it(client, targets, command):
    with pytest.raises(Refused):
        targets[2].cache_store.ask(*command)
    assert stands(client) == (64, "volatile-lru")


def test_the_reading_session_sets_nothing(client, targets):
    assert not hasattr(targets[0].cache, "set_memory")
    with pytest.raises((Refused, Unreachable)):
        targets[0].cache.ask("CONFIG", "SET", "maxmemory", 1, "maxmemory-policy", "noeviction")
