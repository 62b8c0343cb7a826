"""What the guide tells people to type works on the stand-in with the real ``kubectl``."""

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
