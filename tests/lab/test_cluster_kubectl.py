"""What the guide tells people to type works on the stand-in with the real ``kubectl``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import specs
from tests.kubernetes import NAMESPACE, ClusterDoors, replicas

PROGRAM = Path(sys.executable).with_name("kubectl")


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def kubectl(lab, tmp_path):
    settings = lab.settings
    where = ["--server", settings.kubernetes_url, "--certificate-authority", str(settings.kubernetes_ca)]
    where += ["--namespace", NAMESPACE, "--kubeconfig", "/dev/null", "--cache-dir", str(tmp_path)]

    def kubectl(*words, token=settings.kubernetes_token):
        command = [PROGRAM, *where, "--token", token.reveal(), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    return kubectl


def test_the_guides_scaling_is_done_by_it_and_undone_by_the_autoscaler(kubectl, doors):
    doors.edit("horizontalpodautoscalers", "api-server", maxReplicas=6)
    assert kubectl("scale", "deployment/api-server", "--replicas=10") == (0, "deployment.apps/api-server scaled\n")
    objects = doors.until(lambda objects: replicas(objects, "api-server") == 6)
    assert objects["deployments"][f"{NAMESPACE}/api-server"]["spec"]["replicas"] == 6


def test_a_guarded_scaling_that_expects_another_number_is_refused(kubectl, doors):
    code, said = kubectl("scale", "deployment/frontend", "--current-replicas=7", "--replicas=4")
    assert (code, "Expected replicas to be 7, was 2" in said) == (1, True)
    assert doors.spec("deployments", "frontend")["replicas"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("top", "pods"), "225m"),
        (("top", "nodes"), "node-b"),
        (("logs", "-l", "app=api-server", "--tail=2"), "api-server-"),
        (("get", "hpa", "api-server", "-o", "jsonpath={.spec.maxReplicas}"), "10"),
        (("describe", "quota"), "requests.cpu"),
        (("set", "env", "deployment/frontend", "A=1", "--dry-run=server"), "env updated (server dry run)"),
    ],
)
def test_what_is_asked_is_answered(kubectl, doors, words, said):
    before = doors.specs()
    code, told = kubectl(*words)
    assert (code, said in told) == (0, True), told
    assert doors.specs() == before


def test_the_reading_token_changes_nothing_by_it_either(kubectl, lab, doors):
    code, said = kubectl("scale", "deployment/frontend", "--replicas=4", token=lab.settings.read_kubernetes_token)
    assert (code, "may only read" in said) == (1, True)


def test_what_it_offers_is_said_as_it_is_described(lab, doors):
    spec = specs.load("kubernetes-swagger.json")
    doors.forget()
    for path in ("api", "apis", "api/v1", "apis/apps/v1", "apis/autoscaling/v2", "apis/policy/v1", "version"):
        assert lab.target.cluster._api.text(*path.split("/"))
    calls = doors.calls("kubernetes")
    assert len(calls) == 7
    assert [fault for call in calls for fault in spec.faults({**call, "path": f"{call['path']}/"})] == []


def test_the_guides_export_of_logs_has_ten_lines_of_each_pod_and_nothing_of_before_a_restart(kubectl, doors):
    doors.restart("api-server", ago=3600)
    code, said = kubectl("logs", "-l", "app=api-server", "--since=24h")
    assert (code, len(said.splitlines())) == (0, 20)
    code, said = kubectl("logs", "-l", "app=api-server", "--tail=-1", "--since=24h")
    assert (code, len(said.splitlines()) > 1400) == (0, True)
    pod = doors.pods_of("api-server")[0]
    code, before = kubectl("logs", pod, "--previous", "--timestamps", "--since=24h")
    assert (code, len(before.splitlines()) > 1000) == (0, True)
    code, said = kubectl("logs", pod, "--since-time", "2020-01-01T00:00:00Z", "--timestamps")
    assert (code, len(said.splitlines()) > 700) == (0, True)


def test_the_guides_patch_adds_its_variable_once_more_each_time_and_replaces_the_pods(kubectl, doors):
    patch = (
        '[{"op": "add", "path": "/spec/template/spec/containers/0/env/-", '
        '"value": {"name": "AUDIT_LOG_LEVEL", "value": "debug"}}]'
    )
    old = doors.pods_of("api-server")
    for _ in range(2):
        assert kubectl("patch", "deployment", "api-server", "--type=json", "-p", patch)[0] == 0
    (container,) = doors.spec("deployments", "api-server")["template"]["spec"]["containers"]
    assert [one["name"] for one in container["env"]].count("AUDIT_LOG_LEVEL") == 2
    doors.until(lambda objects: not set(old) & set(doors.pods_of("api-server", objects)))
    code, said = kubectl("patch", "deployment", "llm-worker", "--type=json", "-p", patch)
    assert (code, "rejected our request" in said) == (1, True)


def test_its_own_way_of_setting_a_variable_is_by_name_as_well(kubectl, doors, lab):
    assert kubectl("set", "env", "deployment/api-server", "AUDIT_LOG_LEVEL=debug")[0] == 0
    for wanted in (["debug"], []):
        (container,) = lab.target.cluster.deployment("api-server").spec.template.spec.containers
        assert [one.value for one in container.variables("AUDIT_LOG_LEVEL")] == wanted
        assert kubectl("set", "env", "deployment/api-server", "AUDIT_LOG_LEVEL-")[0] == 0


def test_a_policy_is_made_shown_and_removed_by_it(kubectl, doors, tmp_path):
    file = tmp_path / "policy.json"
    block = {"cidr": "0.0.0.0/0", "except": ["203.0.113.9/32"]}
    spec = {"podSelector": {"matchLabels": {"app": "api-server"}}, "ingress": [{"from": [{"ipBlock": block}]}]}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "mine"}, "spec": spec}
    file.write_text(json.dumps(policy))
    code, said = kubectl("create", "--validate=false", "-f", str(file))
    assert code == 0, said
    pod = doors.pods_of("api-server")[0]
    # The guide's shape beside a policy that lets everybody in: it shuts nobody out.
    assert doors.reaches(pod, "203.0.113.9")
    code, said = kubectl("describe", "networkpolicy", "mine")
    assert (code, "203.0.113.9/32" in said) == (0, True), said
    assert kubectl("delete", "networkpolicy", "mine", "--wait=false")[0] == 0
    assert "mine" not in str(doors.cluster()["objects"]["networkpolicies"].keys())
