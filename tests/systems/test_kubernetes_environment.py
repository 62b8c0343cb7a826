"""A container's environment as the cluster puts it together: order, references, and what cannot be read."""

import base64

import pytest

from opslib.errors import Unreachable
from opslib.lab.production import API_SECRETS, API_SETTINGS, dummy
from opslib.systems.kubernetes_environment import ReadOnlyClusterEnvironment
from tests import specs
from tests.kubernetes import NAMESPACE, ClusterDoors

API, OWN, CANARY = "api-server", "api-server-environment", "canary-9f3Kq7Zr2Lm8Xw4T"


@pytest.fixture
def doors(lab):
    made = ClusterDoors(lab.settings)
    with made.restored():
        made.forget()
        yield made


@pytest.fixture
def cluster(lab):
    handle = ReadOnlyClusterEnvironment(lab.settings, lab.settings.kubernetes_token)
    yield handle
    handle.close()


def contain(doors, **said):
    """Change the API's container."""
    spec = doors.spec("deployments", API)
    spec["template"]["spec"]["containers"][0] |= said
    doors.edit("deployments", API, template=spec["template"])


def test_config_maps_secrets_and_plain_values_come_together(cluster, doors):
    found = cluster.environment(API, None)
    keys = {name: dummy(name) for name in ("TOGETHER_API_KEY", "OPENAI_API_KEY", "SUPABASE_SERVICE_KEY")}
    keys["SUPABASE_SERVICE_ROLE_KEY"] = keys["SUPABASE_SERVICE_KEY"]
    plain = {"NODE_ENV": "production", "PG_POOL_MAX": "10"}
    assert found.values == API_SETTINGS | API_SECRETS | keys | plain
    assert (found.untold, found.unread, found.broken) == ({}, (), ())
    assert API_SECRETS["JWT_SECRET"] not in repr(found)
    assert cluster.environment(API, "api").values == found.values
    described = specs.load("kubernetes-swagger.json")
    assert [fault for call in doors.calls("kubernetes") for fault in described.faults(call)] == []


def test_what_is_said_later_counts_and_references_are_put_in(cluster, doors):
    made = {"data": {"S3_ENABLED": "no", "LEVEL": "info"}}
    doors.make("configmaps", "more", {})
    state = doors.cluster()
    state["objects"]["configmaps"][f"{NAMESPACE}/more"] |= made
    doors.put(kubernetes=state)
    key = {"name": OWN, "key": "JWT_SECRET"}
    contain(
        doors,
        envFrom=[{"configMapRef": {"name": OWN}}, {"configMapRef": {"name": "more"}, "prefix": "MY_"}],
        env=[
            {"name": "AWS_REGION", "value": "eu-west-1"},
            {"name": "OF_SECRET", "valueFrom": {"secretKeyRef": key}},
            {"name": "OF_MAP", "valueFrom": {"configMapKeyRef": {"name": "more", "key": "LEVEL"}}},
            {"name": "JOINED", "value": "$(AWS_REGION)/$(MY_LEVEL)/$(NOBODY)/$$(AWS_REGION)"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "WITH_NODE", "value": "at $(NODE)"},
            {"name": "EMPTY"},
        ],
    )
    found = cluster.environment(API, None)
    assert {name: value for name, value in found.values.items() if API_SETTINGS.get(name) != value} == {
        "MY_S3_ENABLED": "no",
        "MY_LEVEL": "info",
        "AWS_REGION": "eu-west-1",
        "OF_SECRET": API_SECRETS["JWT_SECRET"],
        "OF_MAP": "info",
        "JOINED": "eu-west-1/info/$(NOBODY)/$(AWS_REGION)",
        "EMPTY": "",
    }
    assert found.untold == {"NODE": "is known to the pod alone", "WITH_NODE": "holds NODE"}


def test_what_is_not_there_is_named_unless_it_is_optional(cluster, doors):
    gone = [{"configMapRef": {"name": "gone"}}, {"secretRef": {"name": "spared", "optional": True}}]
    missing = {"secretKeyRef": {"name": OWN, "key": "NO_SUCH"}}
    spared = {"configMapKeyRef": {"name": OWN, "key": "NO_SUCH", "optional": True}}
    variables = [{"name": "A", "valueFrom": missing}, {"name": "B", "valueFrom": spared}]
    contain(doors, envFrom=gone, env=variables)
    found = cluster.environment(API, None)
    assert (found.values, found.untold, found.unread) == ({}, {}, ())
    assert found.broken == ("config map gone", f"NO_SUCH in the secret {OWN}")


def test_what_may_not_be_read_is_told_and_the_rest_is_there(lab, doors):
    key = {"name": OWN, "key": "JWT_SECRET"}
    joined = {"name": "B", "value": "$(AWS_REGION) and $(REDIS_URL)"}
    contain(doors, env=[{"name": "A", "valueFrom": {"secretKeyRef": key}}, joined])
    cluster = ReadOnlyClusterEnvironment(lab.settings, lab.settings.read_kubernetes_token)
    found = cluster.environment(API, None)
    cluster.close()
    assert found.values == API_SETTINGS
    assert [text.partition(":")[0] for text in found.unread] == [f"secret {OWN}", "secret valuecanvas-secrets"]
    assert found.untold["B"] == "holds REDIS_URL"
    assert "is from the secret" in found.untold["A"]


def test_what_is_no_text_cannot_be_told_and_no_value_is_in_a_message(cluster, doors):
    state = doors.cluster()
    data = state["objects"]["secrets"][f"{NAMESPACE}/{OWN}"]["data"]
    data |= {
        "JWT_SECRET": base64.b64encode(b"\xff\xfe").decode(),
        "REDIS_URL": base64.b64encode(CANARY.encode()).decode(),
    }
    doors.put(kubernetes=state)
    found = cluster.environment(API, None)
    assert found.untold == {"JWT_SECRET": f"secret {OWN} holds no text there"}
    assert found.values["REDIS_URL"] == CANARY
    assert CANARY not in repr(found)


def test_of_several_containers_somebody_must_say_which(cluster, doors):
    spec = doors.spec("deployments", API)
    inside = spec["template"]["spec"]
    inside["containers"].append({"name": "mesh", "image": "mesh:1", "env": [{"name": "A", "value": "b"}]})
    doors.edit("deployments", API, template=spec["template"])
    for named in (None, "other"):
        with pytest.raises(Unreachable, match="api, mesh") as told:
            cluster.environment(API, named)
        assert (told.value.kind, "OPS_API_CONTAINER" in told.value.message) == ("several", True)
    assert cluster.environment(API, "mesh").values == {"A": "b"}
    with pytest.raises(Unreachable) as told:
        cluster.environment("nobody", None)
    assert told.value.kind == "missing"
