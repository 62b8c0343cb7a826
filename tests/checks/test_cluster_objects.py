"""What the guide's commands name, what the cluster warned of, which images run: broken, mended, and not to be seen."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from opslib.checks import cluster
from opslib.lab.cluster.kinds import stamp
from opslib.model import Reading, Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget
from tests.kubernetes import NAMESPACE, ClusterDoors

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL
AT = datetime(2026, 11, 29, 5, 0, tzinfo=UTC)


@pytest.fixture
def doors(lab):
    made = ClusterDoors(lab.settings)
    with made.restored():
        yield made


def look(lab, check, **changes):
    target = ReadTarget(lab.settings.reading().model_copy(update=changes), "test")
    try:
        return evaluate(check, target)
    finally:
        target.close()


def test_what_the_guide_names_is_there(lab, doors):
    result = look(lab, cluster.named)
    assert (result.verdict, len(result.rows)) == (OK, 3)
    assert {row["label"] for row in result.rows} == {"api-server", "llm-worker", None}


def test_another_clusters_names_are_missed(lab, doors):
    result = look(lab, cluster.named, api_deployment="backend")
    assert result.verdict is CRITICAL
    assert result.summary == "deployment backend is not there."
    assert "OPS_API_DEPLOYMENT" in result.remedy


def test_a_label_that_chooses_nothing_is_found(lab, doors):
    labels, state = {"component": "api"}, doors.cluster()
    for plural in ("pods", "replicasets"):
        kept = {key: one for key, one in state["objects"][plural].items() if "/api-server" not in key}
        state["objects"][plural] = kept
    deployment = state["objects"]["deployments"][f"{NAMESPACE}/api-server"]
    deployment["spec"]["selector"]["matchLabels"] = labels
    deployment["spec"]["template"]["metadata"]["labels"] = labels
    doors.put(kubernetes=state)
    result = look(lab, cluster.named)
    assert result.verdict is CRITICAL
    assert "app=None, not by its own name" in result.summary


@pytest.mark.parametrize("metrics", ["missing", "down"])
def test_nobody_measures(lab, doors, metrics):
    doors.change(metrics=metrics)
    result = look(lab, cluster.named)
    assert (result.verdict, result.summary) == (CRITICAL, "metrics-server is not there.")


@pytest.mark.parametrize(("count", "verdict"), [(1, OK), (6, WARNING), (51, CRITICAL)])
def test_warnings_count_by_how_often_they_come(lab, doors, count, verdict):
    warn(doors, count, ago=60)
    result = look(lab, cluster.warnings())
    assert (result.verdict, result.value) == (verdict, count)
    assert "Deployment api-server: Stuck" in result.summary or "api-server" in result.summary


def test_what_is_older_or_no_warning_does_not_count(lab, doors):
    warn(doors, 99, ago=7200)
    warn(doors, 99, ago=10, kind="Normal")
    result = look(lab, cluster.warnings())
    assert (result.verdict, result.rows) == (OK, ())
    assert "keeps them for about an hour" in result.summary


def warn(doors, count, ago, kind="Warning"):
    state = doors.cluster()
    when = stamp(time.time() - ago)
    pod = doors.pods_of("api-server", state["objects"])[0]
    meta = {"name": f"{pod}.{count}{kind}", "namespace": NAMESPACE, "uid": f"u{count}{kind}", "resourceVersion": "1"}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": meta | {"creationTimestamp": when},
        "involvedObject": {"kind": "Pod", "name": pod, "namespace": NAMESPACE},
        "reason": "Stuck",
        "message": "it is stuck",
        "type": kind,
        "count": count,
        "firstTimestamp": when,
        "lastTimestamp": when,
    }
    state["objects"]["events"] = {f"{NAMESPACE}/{meta['name']}": event}
    doors.put(kubernetes=state)


def test_every_container_runs_the_image_of_its_deployment(lab, doors):
    result = look(lab, cluster.images)
    assert (result.verdict, len(result.rows)) == (OK, 3)


def test_a_moved_tag_and_another_image_are_found(lab, doors):
    state = doors.cluster()
    first, second = (state["objects"]["pods"][f"{NAMESPACE}/{name}"] for name in doors.pods_of("api-server"))
    first["status"]["containerStatuses"][0]["imageID"] = "registry/api@sha256:1234"
    doors.put(kubernetes=state)
    assert "valuecanvas/api-server:1.4.2 of api-server is 2 different images" in look(lab, cluster.images).summary
    second["spec"]["containers"][0]["image"] = "valuecanvas/api-server:1.4.1"
    doors.put(kubernetes=state)
    result = look(lab, cluster.images)
    assert result.verdict is WARNING
    assert "api-server runs valuecanvas/api-server:1.4.1 beside valuecanvas/api-server:1.4.2" in result.summary


def test_without_a_deployment_nothing_is_green():
    reading = Reading("cluster-images", "", "lab", AT, 0.0)
    assert cluster.images.judge(reading).verdict is UNKNOWN
    assert cluster.images.judge(replace(reading, rows=())).summary == "There is no deployment."


@pytest.mark.parametrize("check", [cluster.named, cluster.warnings(), cluster.images], ids=lambda check: check.name)
@pytest.mark.parametrize("fault", ["403", "500", "malformed"])
def test_where_the_cluster_does_not_answer_nothing_is_green(lab, doors, check, fault):
    with doors.fault("kubernetes", fault):
        result = look(lab, check)
    assert result.verdict is UNKNOWN
    assert "Kubernetes" in result.summary
