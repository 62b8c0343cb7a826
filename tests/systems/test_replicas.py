"""Which replicas there are: described, of the cluster, and those that nobody can ask, each with its reason."""

import pytest

from opslib.errors import Unreachable
from opslib.systems.kubernetes_shapes import Pod
from opslib.systems.kubernetes_workloads import Deployment
from opslib.systems.replicas import ReadOnlyReplicas

META = {"namespace": "production", "uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-11-29T00:00:00Z"}


def pod(name, *, phase="Running", address="10.1.0.7", app="api-server", going=None):
    meta = {**META, "name": name, "labels": {"app": app}, "deletionTimestamp": going}
    return Pod.model_validate(
        {"metadata": meta, "spec": {"containers": []}, "status": {"phase": phase, "podIP": address}}
    )


class FakeCluster:
    """A cluster with these pods, or one that does not tell."""

    def __init__(self, *pods, error=None):
        self._pods, self._error = pods, error

    def deployment(self, name):
        if self._error:
            raise self._error
        selector = {"matchLabels": {"app": name}}
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": []}}
        spec = {"replicas": 2, "selector": selector, "template": template}
        return Deployment.model_validate({"metadata": {**META, "name": name}, "spec": spec, "status": {}})

    def pods(self):
        return list(self._pods)


def replicas(lab, *pods, error=None, **said):
    settings = lab.settings.reading().model_copy(update=said)
    found = ReadOnlyReplicas(settings, lambda: FakeCluster(*pods, error=error))
    return [(one.name, one.base, one.why) for one in found.all()]


def test_the_labs_replicas_are_described_and_as_many_as_the_cluster_runs(lab):
    found = lab.target.replicas.all()
    assert [one.base for one in found] == list(lab.settings.api_replicas)
    assert len(found) == 2
    for one in found:
        assert lab.target.replicas.gateway(one).health().status == 200


def test_pods_are_asked_at_their_own_addresses_also_those_that_are_not_ready(lab):
    pods = (
        *(pod("b", address="fd00::7"), pod("a"), pod("c", phase="Pending"), pod("d", app="other")),
        *(pod("e", going="2026-11-29T00:01:00Z"), pod("f", address="")),
    )
    assert replicas(lab, *pods, api_replicas=(), api_pod_port=3001) == [
        ("a", "http://10.1.0.7:3001", ""),
        ("b", "http://[fd00::7]:3001", ""),
        ("f", None, "the cluster tells no address of this pod."),
    ]


def test_a_pod_without_a_port_to_ask_is_there_and_not_reached(lab):
    ((name, base, why),) = replicas(lab, pod("a"), api_replicas=(), api_pod_port=None)
    assert (name, base, "OPS_API_POD_PORT" in why) == ("a", None, True)


def test_what_the_cluster_runs_beyond_those_described_is_counted(lab):
    said = replicas(lab, *(pod(name) for name in "abc"), api_replicas=("http://127.0.0.1:1", "http://127.0.0.1:2"))
    assert [base for _, base, _ in said] == ["http://127.0.0.1:1", "http://127.0.0.1:2", None]
    assert said[2][2] == "OPS_API_REPLICAS names 2, and 3 pods are running."


def test_a_cluster_that_does_not_tell_leaves_open_how_many_there_are(lab):
    one = ("http://127.0.0.1:1",)
    silent = replicas(lab, error=Unreachable("no route", "", "slow"), api_replicas=one)
    assert [(name, base) for name, base, _ in silent][1] == ("further replicas", None)
    assert "no route" in silent[1][2]
    # Where the deployment is nowhere in the cluster, or there is none, the description is all there is.
    assert len(replicas(lab, error=Unreachable("gone", "", "missing"), api_replicas=one)) == 1
    assert len(replicas(lab, pod("a"), pod("b"), api_replicas=one, kubernetes_url=None)) == 1


def test_where_nobody_describes_a_replica_it_is_said(lab):
    with pytest.raises(Unreachable, match="No replica"):
        replicas(lab, api_replicas=(), kubernetes_url=None)
    with pytest.raises(Unreachable, match="No pod"):
        replicas(lab, pod("a", phase="Failed"), api_replicas=(), api_pod_port=3001)


def test_a_replica_without_an_address_cannot_be_asked(lab):
    found = ReadOnlyReplicas(
        lab.settings.reading().model_copy(update={"api_replicas": (), "api_pod_port": None}),
        lambda: FakeCluster(pod("a")),
    )
    (one,) = found.all()
    with pytest.raises(Unreachable, match="OPS_API_POD_PORT"):
        found.gateway(one)
