"""The cache started anew: what that loses is told before, a well one is left alone, a write is proven after."""

import json

import pytest

from opslib.actions.cache import RestartCache
from opslib.checks.cache import workload
from opslib.errors import Refused, StepFailed
from opslib.lab.broken import find
from opslib.model import Outcome, Verdict
from opslib.probes.cache_workload import by_server, by_spec
from opslib.runs import reading
from opslib.systems.cache import CacheUnreachable
from opslib.systems.cache_writing import Cache
from opslib.systems.kubernetes_history import StatefulSet
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.caches import admin, changed
from tests.kubernetes import NAMESPACE, ClusterDoors

RUN = "20261128T130614Z-disaster-recover-everything-a1b2c3"


def quiet(text, done=None, total=None):
    pass


def action(**more):
    return RestartCache(**{"services": "redis", "wait_seconds": 30.0, **more})


@pytest.fixture
def doors(lab):
    made = ClusterDoors(lab.settings)
    with made.restored():
        yield made
        find("cache-lost").mend(lab.settings)
        made.until(ready)


def ready(objects):
    pod = objects["pods"].get(f"{NAMESPACE}/redis-0")
    return pod and any((one["type"], one["status"]) == ("Ready", "True") for one in pod["status"]["conditions"])


@pytest.fixture
def targets(lab, doors):
    made = PlanTarget(lab.settings, RUN), VerifyTarget(lab.settings, RUN), WriteTarget(lab.settings, RUN)
    yield made
    for target in made:
        target.close()


def uid(doors):
    return doors.cluster()["objects"]["pods"][f"{NAMESPACE}/redis-0"]["metadata"]["uid"]


def test_a_cache_that_answers_is_left_alone_also_when_it_is_full(lab, doors, targets):
    before = uid(doors)
    with admin(lab) as client, changed(client, maxmemory_policy="noeviction", maxmemory=1024):
        for step in (action(), action(services="api")):
            plan = step.plan(targets[0])
            assert (plan.touches, plan.effect) == (0, "destructive")
            assert step.verify(targets[1], plan, step.apply(targets[2], plan, quiet)).verdict is Verdict.OK
        with pytest.raises(CacheUnreachable, match="used memory > 'maxmemory'"):
            targets[2].cache_store.prove("full", "x")
    assert uid(doors) == before


def test_a_lost_cache_comes_back_with_its_keys_and_the_loss_was_told_before(lab, doors, targets):
    with admin(lab) as client:
        client.set("bull:kept", "job", ex=600)
    before = uid(doors)
    find("cache-lost").make(lab.settings)
    doors.until(lambda objects: not ready(objects))
    looked = reading.judge(workload, reading.take(workload.probe, targets[0]))
    assert (looked.verdict, "pod redis-0 is starting" in looked.summary) == (Verdict.CRITICAL, True)
    with pytest.raises(Refused, match="would lose last-writes, and nothing is accepted"):
        action(accept="nothing").plan(targets[0])
    step = action()
    plan = step.plan(targets[0])
    assert (plan.touches, plan.after["lost at most"], uid(doors)) == (1, "last-writes", before)
    assert "sessions" in plan.after["lives there"]
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE
    values = step.apply(targets[2], plan, quiet)
    said = step.verify(targets[1], plan, values)
    assert (said.verdict, values["proof"], uid(doors) != before) == (Verdict.OK, "written and read", True)
    with admin(lab) as client:
        assert client.get("bull:kept") == b"job"
        assert list(client.scan_iter("opslib:*", count=10_000)) == []
        client.delete("bull:kept")
    counted = {row["family"]: row["keys now"] for row in said.rows}
    assert counted["bull:"] > 60
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.DONE


def test_a_cache_that_does_not_come_back_in_time_is_no_success_and_can_be_gone_on_with(lab, doors, targets):
    find("cache-lost").make(lab.settings)
    doors.until(lambda objects: not ready(objects))
    step = action(wait_seconds=1.0)
    plan = step.plan(targets[0])
    # No node has room for a pod that asks for so much.
    template = doors.spec("statefulsets", "redis")["template"]
    kept = json.loads(json.dumps(template))
    template["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "64"
    doors.edit("statefulsets", "redis", template=template)
    try:
        with pytest.raises(StepFailed, match="not back after 1 s"):
            step.apply(targets[2], plan, quiet)
        assert step.settle(targets[2], plan, quiet).outcome is Outcome.PARTLY
        assert step.verify(targets[1], plan, {"proof": "", "seconds": None}).verdict is Verdict.CRITICAL
    finally:
        doors.edit("statefulsets", "redis", template=kept)
        doors.remove("pods", "redis-0")
    step.apply(targets[2], plan, quiet)


def spec(*words, claims=("data",)):
    said = {"name": "redis", "uid": "1", "resourceVersion": "1", "creationTimestamp": "2026-11-28T00:00:00Z"}
    pod = {"spec": {"containers": [{"name": "redis", "args": list(words)}]}}
    claimed = [{"metadata": {"name": name}} for name in claims]
    body = {"selector": {}, "template": pod, "volumeClaimTemplates": claimed}
    return StatefulSet.model_validate({"metadata": said, "spec": body})


@pytest.mark.parametrize(
    ("words", "claims", "loss"),
    [
        (("--appendonly", "yes", "--appendfsync", "always"), ("data",), "nothing"),
        (("--appendonly", "yes"), ("data",), "last-writes"),
        (("--appendonly", "yes"), (), "everything"),
        (("--appendonly", "no", "--save", "60 1"), ("data",), "last-writes"),
        (("--save", ""), ("data",), "everything"),
        ((), ("data",), "everything"),
    ],
)
def test_what_a_start_loses_is_read_from_volume_and_arguments_and_unknown_counts_as_everything(words, claims, loss):
    assert by_spec(spec(*words, claims=claims)).loss == loss


@pytest.mark.parametrize(
    ("info", "volumes", "loss"),
    [
        ({"aof_enabled": "1", "aof_last_write_status": "ok"}, ["data"], "last-writes"),
        ({"aof_enabled": "1", "aof_last_write_status": "ok"}, [], "everything"),
        ({"aof_enabled": "1", "aof_last_write_status": "err"}, ["data"], "everything"),
        ({"rdb_saves": "1", "rdb_last_bgsave_status": "ok"}, ["data"], "nothing"),
        (
            {"rdb_saves": "1", "rdb_last_bgsave_status": "ok", "rdb_changes_since_last_save": "7"},
            ["data"],
            "last-writes",
        ),
        ({"rdb_last_load_keys_loaded": "4", "rdb_last_bgsave_status": "ok"}, ["data"], "nothing"),
        ({"rdb_saves": "1", "rdb_last_bgsave_status": "err"}, ["data"], "everything"),
        # A server that has never saved gives the time of its start for that of its last snapshot.
        ({"rdb_saves": "0", "rdb_last_save_time": "9", "rdb_last_bgsave_status": "ok"}, ["data"], "everything"),
        ({}, ["data"], "everything"),
    ],
)
def test_what_a_start_loses_is_read_from_the_servers_own_word_where_it_answers(info, volumes, loss):
    assert by_server(info, volumes).loss == loss


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "bull:1", "x", "EX", 60),
        ("SET", "opslib:proof:1", "x"),
        ("SET", "opslib:proof:1", "x", "EX", 3600),
        ("GET", "session:1"),
        ("GET", "opslib:proof:1", "session:1"),
        ("UNLINK", "opslib:proof:1", "session:1"),
    ],
)
def test_only_a_key_of_our_own_is_written_read_and_removed_as_a_proof(lab, command):
    said = lab.settings
    cache = Cache(said.cache_url, "test", said.cache_prefix, said.protected_prefixes)
    with pytest.raises(Refused):
        cache.ask(*command)
