"""The cluster's notebook as people run it: a healthy evening, one with much amiss, and one on which nobody answers."""

import pytest

from opslib.archive.verify import verify
from opslib.redaction import Redactor
from tests.kubernetes import ClusterDoors
from tests.notebooks.recorded import verdicts
from tests.scale import nightly

NAME = "diagnostics/cluster"
SHARES = True
CHECKS = {
    *("cluster-named", "cluster-pods", "cluster-rollouts", "cluster-images", "cluster-warnings", "cluster-node-use"),
    *("cluster-pod-use", "cluster-room", "cluster-quota", "cluster-autoscalers", "cluster-disruption-budgets"),
}
HOSTILE = "<script>alert(1)</script>\x1b[2J"


@pytest.fixture
def doors(house):
    made = ClusterDoors(house.settings)
    with made.restored():
        yield made


def test_a_look_finds_what_is_planted_changes_nothing_and_shows_no_secret(house, run, fingerprint, doors):
    before = fingerprint()
    result, folder = run(NAME, "api_replicas=3", "worker_replicas=2")
    assert (result["state"], result["exit_code"]) == ("finished", 1), result
    assert fingerprint() == before
    # The worker has no budget: that is planted. Everything else is well.
    assert verdicts(folder) == {**dict.fromkeys(CHECKS, "OK"), "cluster-disruption-budgets": "WARNING"}
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    assert "Room on the nodes" in (folder / "report.html").read_text()


@nightly
def test_what_is_amiss_is_found_each_by_its_own_check(run, doors):
    pods = {key: one for key, one in doors.cluster()["objects"]["pods"].items() if "/api-server" not in key}
    doors.change(ailing={"api-server": "CrashLoopBackOff"}, objects={**doors.cluster()["objects"], "pods": pods})
    doors.edit("horizontalpodautoscalers", "llm-worker", maxReplicas=2)
    doors.until(lambda objects: [one for one in objects["events"].values() if one["reason"] == "BackOff"])
    state = doors.cluster()
    (told, *_) = (one for one in state["objects"]["events"].values() if one["reason"] == "BackOff")
    about = {**told["involvedObject"], "name": "frontend"}
    hostile = {**told, "involvedObject": about, "reason": "Hostile", "message": HOSTILE, "count": 99}
    hostile["metadata"] = {**told["metadata"], "name": "hostile", "uid": "hostile"}
    state["objects"]["events"]["production/hostile"] = hostile
    doors.put(kubernetes=state)
    result, folder = run(NAME, "worker_replicas=10")
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    said = verdicts(folder)
    amiss = ("cluster-pods", "cluster-rollouts", "cluster-warnings", "cluster-room")
    assert {name: said[name] for name in amiss} == dict.fromkeys(amiss, "CRITICAL")
    assert said["cluster-autoscalers"] in ("WARNING", "CRITICAL")
    assert said["cluster-images"] == "OK"
    page = (folder / "report.html").read_text()
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "alert(1)" in page


@nightly
def test_where_the_cluster_does_not_answer_nothing_is_green(run, doors):
    with doors.fault("kubernetes", "500"):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    assert verdicts(folder) == dict.fromkeys(CHECKS, "UNKNOWN")


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
