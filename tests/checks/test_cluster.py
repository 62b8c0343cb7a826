"""What is said of the cluster, on readings made up, and on each state that the lab's stand-in can be brought into."""

import json

import pytest

from opslib.checks import cluster as checks
from opslib.model import Reading, Verdict, now
from opslib.probes import cluster as probes
from opslib.probes.cluster_room import Wish, place, rooms
from opslib.runs.reading import evaluate
from opslib.systems.kubernetes_shapes import Node, Pod, PodSpec
from tests.kubernetes import NAMESPACE, ClusterDoors, replicas

MOMENT = "2026-11-28T12:00:00Z"


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def said(lab, doors):
    def said(check):
        return evaluate(check, lab.target)

    return said


def reading(*rows):
    return Reading("x", "x", "lab", now(), 0.1, rows)


def test_a_cluster_at_rest_is_as_it_should_be_but_for_the_budget_that_is_missing(said):
    every = [checks.autoscalers, checks.rollouts, checks.pods, checks.node_use, checks.pod_use]
    assert {check.name: said(check).verdict for check in every} == {check.name: Verdict.OK for check in every}
    budgets = said(checks.disruption_budgets)
    assert budgets.verdict is Verdict.WARNING
    assert "llm-worker has 2 replicas and no budget" in budgets.summary


def test_what_fits_and_what_does_not_is_said_with_figures(said):
    fits = said(checks.room(6, 4))
    assert (fits.verdict, "6 more pods fit" in fits.summary) == (Verdict.OK, True)
    assert sum(row["pods_planned"] for row in fits.rows) == 6
    alone = said(checks.room(10, 0))
    assert alone.verdict is Verdict.OK
    short = said(checks.room(10, 10))
    assert short.verdict is Verdict.CRITICAL
    assert "of llm-worker find no node (lacks cpu)" in short.summary
    assert said(checks.room(2, 2)).summary.startswith("0 more pods fit")


def test_the_guides_ten_and_ten_have_no_connections_left(said):
    fine = said(checks.connections(4, 3, 10))
    (row,) = fine.reading.rows
    assert (fine.verdict, row["planned"] + row["used"]) == (Verdict.OK, 70)
    for api, worker in ((10, 10), (10, 0)):
        short = said(checks.connections(api, worker, 10))
        (row,) = short.reading.rows
        # The pools of all replicas count, also of those that run and have not opened theirs yet.
        assert (short.verdict, row["planned"] + row["used"]) == (Verdict.CRITICAL, 10 * (api + worker))
        assert f"{row['planned']} more would be" in short.summary


def test_fewer_replicas_are_never_kept_from_a_database_that_is_full():
    row = {"budget": "server", "usable": 97, "used": 95, "planned": 0, "percent": 97.9}
    check = checks.connections(2, 2, 10)
    assert check.judge(reading({**row, "added": 0})).verdict is Verdict.WARNING
    assert check.judge(reading({**row, "added": 10})).verdict is Verdict.CRITICAL


def test_a_quota_that_would_be_passed_is_critical(said, doors):
    assert said(checks.quota(6, 4)).verdict is Verdict.OK
    doors.edit("resourcequotas", "production", hard={"pods": "9"})
    doors.until(lambda objects: objects["resourcequotas"][f"{NAMESPACE}/production"]["status"]["hard"] == {"pods": "9"})
    short = said(checks.quota(6, 4))
    assert (short.verdict, short.summary) == (Verdict.CRITICAL, "production pods: 7 and 6 more of 9.")


def test_a_node_that_takes_no_pods_counts_for_nothing(said, doors):
    state = doors.cluster()
    state["objects"]["nodes"]["/node-a"]["spec"]["unschedulable"] = True
    doors.put(kubernetes=state)
    short = said(checks.room(10, 4))
    assert short.verdict is Verdict.CRITICAL
    assert "cordoned" in short.summary


def test_pods_that_wait_already_come_first(said, doors):
    doors.edit("horizontalpodautoscalers", "llm-worker", minReplicas=10, maxReplicas=10)
    doors.until(lambda objects: any(one["reason"] == "FailedScheduling" for one in objects["events"].values()))
    short = said(checks.room(3, 0))
    assert "(waiting already)" in short.summary
    assert short.verdict is Verdict.CRITICAL


@pytest.mark.parametrize(
    ("ill", "words"),
    [
        ("CrashLoopBackOff", "CrashLoopBackOff"),
        ("ImagePullBackOff", "ImagePullBackOff"),
        ("OOMKilled", "OOMKilled (137)"),
    ],
)
def test_pods_that_ail_are_critical_with_their_reason(said, doors, ill, words):
    doors.change(ailing={"frontend": ill})
    doors.edit("deployments", "frontend", replicas=3)
    doors.until(lambda objects: any(one["reason"] in ("BackOff", "Failed") for one in objects["events"].values()))
    result = said(checks.pods)
    assert (result.verdict, words in result.summary) == (Verdict.CRITICAL, True)
    assert said(checks.rollouts).verdict is Verdict.WARNING


def test_pods_that_find_no_node_are_critical_with_what_the_scheduler_says(said, doors):
    doors.edit("horizontalpodautoscalers", "llm-worker", minReplicas=10, maxReplicas=10)
    doors.until(lambda objects: any(one["reason"] == "FailedScheduling" for one in objects["events"].values()))
    result = said(checks.pods)
    assert result.verdict is Verdict.CRITICAL
    assert "3 Insufficient cpu" in result.summary


def test_an_autoscaler_at_its_bound_under_load_is_critical_and_a_blind_one_a_warning(said, doors):
    doors.change(load={**doors.cluster()["load"], "api-server": 50_000})
    doors.until(lambda objects: replicas(objects, "api-server") == 10)
    result = said(checks.autoscalers)
    assert result.verdict is Verdict.CRITICAL
    assert "api-server is at its upper bound 10 and at" in result.summary
    assert said(checks.pod_use).verdict is Verdict.CRITICAL
    doors.change(metrics="missing", load={})
    for check in (checks.node_use, checks.pod_use):
        assert said(check).verdict is Verdict.UNKNOWN
    doors.until(
        lambda objects: (
            "FailedGetResourceMetric" in str(objects["horizontalpodautoscalers"][f"{NAMESPACE}/llm-worker"]["status"])
        )
    )
    assert "llm-worker does not scale (FailedGetResourceMetric" in said(checks.autoscalers).summary


def test_an_autoscaler_that_is_off_is_critical(said, doors):
    doors.edit("deployments", "api-server", replicas=0)
    doors.until(lambda objects: replicas(objects, "api-server") == 0)
    result = said(checks.autoscalers)
    assert (result.verdict, "ScalingDisabled" in result.summary) == (Verdict.CRITICAL, True)


def test_a_budget_that_lets_none_go_is_a_warning(said, doors):
    state = doors.cluster()
    state["objects"]["poddisruptionbudgets"][f"{NAMESPACE}/api-server"]["spec"]["minAvailable"] = "100%"
    doors.put(kubernetes=state)
    doors.until(
        lambda objects: objects["poddisruptionbudgets"][f"{NAMESPACE}/api-server"]["status"]["disruptionsAllowed"] == 0
    )
    assert "api-server lets no pod go (2 healthy, 2 wanted)" in said(checks.disruption_budgets).summary


def test_a_budget_for_every_deployment_that_has_two_replicas_is_as_it_should_be(said, doors):
    state = doors.cluster()
    budgets = state["objects"]["poddisruptionbudgets"]
    more = json.loads(json.dumps(budgets[f"{NAMESPACE}/api-server"]).replace("api-server", "llm-worker"))
    budgets[f"{NAMESPACE}/llm-worker"] = more
    doors.put(kubernetes=state)
    doors.until(
        lambda objects: objects["poddisruptionbudgets"][f"{NAMESPACE}/llm-worker"]["status"]["disruptionsAllowed"] == 1
    )
    assert said(checks.disruption_budgets).verdict is Verdict.OK


@pytest.mark.parametrize("fault", ["401", "403", "malformed"])
def test_a_cluster_that_cannot_be_looked_at_is_unknown(said, doors, fault):
    with doors.fault("kubernetes", fault):
        for check in (checks.autoscalers, checks.pods, checks.room(3, 3), checks.rollouts, checks.disruption_budgets):
            assert said(check).verdict is Verdict.UNKNOWN


ROLLOUT = {"deployment": "a", "wanted": 2, "there": 2, "new": 2, "available": 2, "seen": True, "paused": False}


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.OK),
        ({"available": 1}, Verdict.WARNING),
        ({"new": 1}, Verdict.WARNING),
        ({"seen": False}, Verdict.WARNING),
        ({"paused": True}, Verdict.WARNING),
        ({"available": 0}, Verdict.CRITICAL),
        ({"progress": "False: ProgressDeadlineExceeded"}, Verdict.CRITICAL),
        ({"wanted": 0, "there": 0, "new": 0, "available": 0}, Verdict.OK),
    ],
)
def test_a_rollout_is_judged_by_what_is_there(change, verdict):
    row = {**ROLLOUT, "progress": "True: NewReplicaSetAvailable", **change}
    assert checks.rollouts.judge(reading(row)).verdict is verdict


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({"state": "ready", "restarts": 5}, Verdict.OK),
        ({"state": "ready", "restarts": 6, "last_end": "OOMKilled (137)"}, Verdict.WARNING),
        ({"state": "starting"}, Verdict.WARNING),
        ({"state": "Unschedulable"}, Verdict.CRITICAL),
        ({"state": "Failed"}, Verdict.CRITICAL),
    ],
)
def test_a_pod_is_judged_by_its_state_and_restarts(row, verdict):
    whole = {"pod": "a", "node": None, "why": "", "restarts": 0, "last_end": None, **row}
    assert checks.pods.judge(reading(whole)).verdict is verdict


@pytest.mark.parametrize(("use", "verdict"), [(80, Verdict.OK), (81, Verdict.WARNING), (91, Verdict.CRITICAL)])
def test_use_is_judged_by_its_limits(use, verdict):
    row = {"node": "a", "cpu_use": 10, "memory_use": use}
    assert checks.node_use.judge(reading(row)).verdict is verdict
    row = {"pod": "a", "of_cpu_limit": None, "of_memory_limit": use}
    assert checks.pod_use.judge(reading(row)).verdict is verdict


def test_nothing_that_is_measured_is_unknown_and_no_limit_is_fine():
    assert checks.pod_use.judge(reading()).verdict is Verdict.UNKNOWN
    assert checks.node_use.judge(reading({"node": "a", "cpu_use": None, "memory_use": None})).verdict is Verdict.UNKNOWN
    bare = {"pod": "a", "of_cpu_limit": None, "of_memory_limit": None}
    assert checks.pod_use.judge(reading(bare)).verdict is Verdict.OK
    assert checks.quota(1, 1).judge(reading()).verdict is Verdict.OK


def node(name, cpu, *, taints=(), labels=None, ready="True"):
    return Node.model_validate(
        {
            "metadata": meta(name, labels),
            "spec": {"taints": list(taints)},
            "status": {
                "allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "4"},
                "conditions": [{"type": "Ready", "status": ready}],
            },
        }
    )


def meta(name, labels=None):
    return {"name": name, "uid": name, "resourceVersion": "1", "creationTimestamp": MOMENT, "labels": labels or {}}


def spec(cpu, **more):
    container = {"name": "a", "image": "a", "resources": {"requests": {"cpu": cpu} if cpu else {}}}
    return PodSpec.model_validate({"containers": [container], **more})


def test_pods_are_placed_as_the_requests_allow_and_never_more_than_a_node_holds():
    gpu = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    soft = {"key": "soft", "effect": "PreferNoSchedule"}
    cases = [
        ([node("a", "2"), node("b", "1")], spec("500m"), 6, 0, ""),
        ([node("a", "2"), node("b", "1")], spec("500m"), 7, 1, "cpu"),
        ([node("a", "2"), node("b", "1")], spec("800m"), 4, 1, "cpu"),
        ([node("a", "64")], spec("1m"), 5, 1, "pods"),
        ([node("a", "2", taints=[gpu])], spec("1"), 1, 1, "taint gpu"),
        ([node("a", "2", taints=[gpu])], spec("1", tolerations=[{"key": "gpu", "operator": "Exists"}]), 1, 0, ""),
        ([node("a", "2", taints=[soft])], spec("1"), 1, 0, ""),
        ([node("a", "2")], spec("1", nodeSelector={"disk": "ssd"}), 1, 1, "another nodeSelector"),
        ([node("a", "2", labels={"disk": "ssd"})], spec("1", nodeSelector={"disk": "ssd"}), 1, 0, ""),
        ([node("a", "2", ready="Unknown")], spec("1"), 1, 1, "not ready"),
        ([node("a", "2")], spec(None), 1, 1, "requests: it says neither cpu nor memory, so nobody can count"),
        ([], spec("1"), 2, 2, "any node"),
    ]
    for nodes, wanted, count, lost, why in cases:
        found = rooms(nodes, [])
        left = place(found, [Wish("w", wanted, count)])
        assert (sum(one[1] for one in left), left[0][2] if left else "") == (lost, why)
        assert sum(room.planned["w"] for room in found) == count - lost


def test_pods_of_all_namespaces_take_room_and_those_that_ended_do_not():
    def pod(name, phase):
        return Pod.model_validate(
            {
                "metadata": meta(name),
                "spec": {**spec("1").model_dump(by_alias=True), "nodeName": "a"},
                "status": {"phase": phase},
            }
        )

    (room,) = rooms([node("a", "4")], [pod("x", "Running"), pod("y", "Pending"), pod("z", "Succeeded")])
    assert (room.free["cpu"], room.free["pods"]) == (2, 2)


def test_what_is_not_looked_at_is_a_warning():
    row = {"node": "a", "state": "takes pods", "planned": "w 1", "pods_planned": 1, "cpu_left": 1.0}
    judged = checks.room(1, 1).judge(reading({**row, "not_looked_at": "podAntiAffinity"}))
    assert (judged.verdict, "podAntiAffinity may forbid it" in judged.summary) == (Verdict.WARNING, True)
    assert probes.room(1, 1).units["memory_left"] == "bytes"
