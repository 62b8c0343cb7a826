"""Scaling for traffic as people run it: planned, applied as approved, taken back, refused, killed and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import Refused
from opslib.headless import agreement
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.runs.saved_plan import parse
from tests.kubernetes import ClusterDoors, replicas
from tests.scale import first, nightly

NAME = "runbooks/scale-for-high-traffic"
SHARES = True
GIVEN = ("settle_seconds=0.5", "cache_megabytes=96", "cache_policy=volatile-ttl")
STEPS = ["scale-api", "scale-workers", "set-cache-memory"]


@pytest.fixture
def doors(house):
    return ClusterDoors(house.settings)


def memory(house):
    with redis.Redis.from_url(house.settings.cache_url.reveal()) as cache:
        said = cache.config_get("maxmemory*")
    return int(said["maxmemory"]) >> 20, said["maxmemory-policy"]


def events(folder):
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def evidence(folder):
    return {path.stem: json.loads(path.read_text()) for path in (folder / "evidence").glob("*.json")}


def test_the_plan_says_bounds_room_and_connections_and_changes_nothing(house, run, fingerprint):
    before = fingerprint()
    result, folder = run(NAME, *GIVEN, mode="plan")
    assert result["state"] == "finished", result["reason"]
    assert fingerprint() == before
    saved = parse((folder / "plan.json").read_bytes())
    assert [step.step for step in saved.steps] == STEPS
    assert (saved.step("scale-api").before["at least"], saved.step("scale-api").after["at least"]) == (2, 4)
    assert " of 97" in saved.step("scale-api").observed["connections"]["server"]
    assert saved.step("set-cache-memory").after == {"maxmemory": 96 << 20, "maxmemory-policy": "volatile-ttl"}
    assert "Connection budget with the new replicas" in (folder / "report.html").read_text()
    house.planned = result["run"]


def test_what_was_planned_is_applied_and_verified(house, doors):
    house.before = doors.specs()
    result = agreement.apply(house.planned, "lab", house.archive)
    assert result["state"] == "finished", result["reason"]
    folder = Path(result["report"]).parent
    said = evidence(folder)
    assert {name: one["verification"]["verdict"] for name, one in said.items()} == dict.fromkeys(STEPS, "OK")
    assert (doors.bounds("api-server"), doors.bounds("llm-worker")) == ((4, 10), (3, 5))
    objects = doors.cluster()["objects"]
    assert (replicas(objects, "api-server"), replicas(objects, "llm-worker")) == (4, 3)
    assert memory(house) == (96, "volatile-ttl")
    house.applied = result["run"]


def test_the_undo_brings_back_bounds_settings_and_after_a_while_the_replicas(house, doors):
    result = undo(house.applied, house.archive)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert memory(house) == (64, "volatile-lru")
    doors.until(lambda objects: (replicas(objects, "api-server"), replicas(objects, "llm-worker")) == (2, 2))
    assert doors.specs() == house.before
    with pytest.raises(Refused, match="undone already"):
        undo(house.applied, house.archive)


@pytest.mark.parametrize(
    ("given", "why"),
    first(
        1,
        (("api_replicas=10",), "134 % of 97"),
        (("api_replicas=10", "worker_replicas=10", "pool_size=0"), "find no node"),
        (("cache_policy=allkeys-lru",), "may evict keys of"),
        (("cache_megabytes=4194304",), "more than 75% of its host"),
    ),
)
def test_what_does_not_fit_is_refused_with_figures_and_nothing_is_changed(run, fingerprint, given, why):
    before = fingerprint()
    result, _ = run(NAME, *given, "settle_seconds=0", mode="plan")
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert why in result["reason"]
    assert fingerprint() == before


@nightly
def test_a_step_that_fails_once_is_gone_on_with_and_what_was_done_is_kept(house, run, doors):
    with doors.fault("kubernetes", "500", method="PATCH", path="llm-worker", times=1):
        result, _ = run(NAME, *GIVEN)
    assert (result["state"], result["exit_code"]) == ("failed", 5)
    assert doors.bounds("llm-worker") == (1, 5)
    assert doors.bounds("api-server") == (4, 10)
    again = resume(result["run"], house.archive)
    assert again["state"] == "finished", again["reason"]
    said = events(Path(again["report"]).parent)
    assert [line["step"] for line in said if line["event"] == "kept"] == ["scale-api"]
    assert [line["step"] for line in said if line["event"] == "applied"] == ["scale-workers", "set-cache-memory"]
    back(house, doors, result["run"])


def back(house, doors, run):
    undone = undo(run, house.archive)
    assert (undone["state"], undone["exit_code"]) == ("finished", 0), undone["reason"]
    doors.until(lambda objects: (replicas(objects, "api-server"), replicas(objects, "llm-worker")) == (2, 2))
    assert doors.specs() == house.before
    assert memory(house) == (64, "volatile-lru")


@nightly
def test_a_run_that_is_killed_while_it_waits_for_pods_goes_on_and_sets_nothing_twice(house, doors, tmp_path):
    doors.change(tick_seconds=1.0)
    known = {run.run for run in Archive(house.archive).runs()}
    command = [sys.executable, "-m", "opslib.cli", "run", NAME, "--environment", "lab"]
    command += [word for pair in GIVEN for word in ("-p", pair)]
    variables = {**os.environ, "OPS_ARCHIVE": str(house.archive)}
    running = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while doors.bounds("api-server") == (2, 10):
        assert running.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(60)
    doors.change(tick_seconds=0.1)
    doors.forget()
    (name,) = {path.name for path in (house.archive / "runs").iterdir()} - known
    again = resume(name, house.archive)
    assert again["state"] == "finished", again["reason"]
    sent = [call["path"].rpartition("/")[2] for call in doors.calls("kubernetes") if call["method"] == "PATCH"]
    assert sent == ["llm-worker"]
    settled = [line for line in events(Path(again["report"]).parent) if line["event"] == "settled"]
    assert [(line["step"], line["outcome"]) for line in settled] == [("scale-api", "done")]
    assert verify(house.archive).ok
    back(house, doors, name)
