"""A secret of the cluster set by its version, and pods that find it only when they start anew."""

import pytest

from opslib.errors import StepFailed, Unreachable
from opslib.lab.production import dummy
from opslib.redaction import Secret
from opslib.systems.kubernetes_secrets import TRIES, ClusterSecrets, ReadOnlyClusterSecrets
from tests import specs
from tests.llm_keys import Pods

NAME, NEW = "OPENAI_API_KEY", "sk-new-9f3Kq7Zr2Lm8Xw4T"


@pytest.fixture
def pods(lab):
    made = Pods(lab.settings)
    with made.doors.restored():
        made.doors.forget()
        yield made


@pytest.fixture
def writer(lab):
    handle = ClusterSecrets(lab.settings, lab.settings.kubernetes_token)
    yield handle
    handle.close()


def restarted(writer, pods):
    for reader in writer.readers("valuecanvas-secrets"):
        writer.restart(reader, "opslib/test", "2")
    pods.doors.until(lambda _: all(writer.deployment(name).done for name in ("api-server", "llm-worker")))


def test_pods_run_with_what_the_secret_held_when_they_were_started(lab, writer, pods):
    held = writer.secret(lab.settings.kubernetes_secret)
    key = held.key_of(NAME)
    assert held.value(key) == Secret(dummy(NAME))
    after = writer.set_value(held.name, key, Secret(NEW), held.meta.version)
    assert (after.value(key), after.meta.version != held.meta.version) == (Secret(NEW), True)
    assert pods.held()[NAME] == NEW
    assert set(pods.started_with(NAME)) == {dummy(NAME)}
    assert [one.name for one in writer.readers(held.name)] == ["api-server", "llm-worker"]
    restarted(writer, pods)
    assert set(pods.started_with(NAME)) == {NEW} == set(pods.started_with(NAME, "llm-worker"))
    assert pods.started_with(NAME, "frontend") == ["", ""]
    marks = {pod.meta.annotations["opslib/test"] for pod in writer.pods_of(writer.readers(held.name)[0])}
    assert marks == {"2"} == {one.mark("opslib/test") for one in writer.readers(held.name)}
    assert len(writer.pods_of(writer.readers(held.name)[0])) == 2
    described = specs.load("kubernetes-swagger.json")
    sent = [call for call in pods.doors.calls("kubernetes") if "/pods" not in call["path"]]
    assert [fault for call in sent for fault in described.faults(call)] == []


def test_a_secret_or_a_deployment_that_somebody_changed_since_is_not_written_over(lab, writer, pods):
    held, reader = writer.secret("valuecanvas-secrets"), writer.readers("valuecanvas-secrets")[0]
    pods.hold(OTHER="of somebody")
    pods.doors.edit("deployments", "api-server", replicas=3)
    for call in (
        lambda: writer.set_value(held.name, NAME, Secret(NEW), held.meta.version),
        lambda: writer.restart(reader, "opslib/test", "2"),
    ):
        with pytest.raises(Unreachable) as told:
            call()
        assert told.value.kind == "conflict"
    assert pods.held() == {
        "OPENAI_API_KEY": dummy(NAME),
        "TOGETHER_API_KEY": dummy("TOGETHER_API_KEY"),
        "SUPABASE_SERVICE_KEY": dummy("SUPABASE_SERVICE_KEY"),
        "OTHER": "of somebody",
    }


def test_deployments_that_are_written_to_all_the_time_are_given_up(writer, pods):
    stale = writer.readers("valuecanvas-secrets")
    for reader in stale:
        pods.doors.edit("deployments", reader.name, replicas=3)
    pods.doors.forget()
    with pytest.raises(StepFailed, match="written to all the time"):
        writer.restart_all(lambda: stale, "opslib/test", "2")
    patched = [call for call in pods.doors.calls("kubernetes") if call["method"] == "PATCH"]
    assert len(patched) == TRIES * len(stale)
    assert [one.mark("opslib/test") for one in writer.readers("valuecanvas-secrets")] == [None, None]


def test_pods_that_start_anew_are_waited_for_and_a_deployment_that_is_gone_is_never_over(writer, pods):
    told, names = [], ["api-server", "llm-worker"]
    writer.restart_all(lambda: writer.readers_named(names), "opslib/test", "2")
    assert writer.wait_started(names, "opslib/test", "2", 30.0, lambda *said: told.append(said[1:]))
    assert told[-1][0] < told[-1][1] == 2
    assert all(one.all_with("2") for one in writer.started(names, "opslib/test"))
    assert not writer.wait_started(names, "opslib/test", "3", 0.0, lambda *_: None)
    pods.doors.remove("deployments", "llm-worker")
    assert [one.over for one in writer.started(names, "opslib/test")] == [True, False]


def test_what_pods_have_as_files_is_found_and_what_they_name_in_vain_holds_nothing(writer, pods):
    before = {held.name for held in writer.held_by_pods()}
    pods.mount("worker-files", **{"app.env": f"A=1\nKEY={NEW}\n", "other": "x"})
    template = pods.doors.spec("deployments", "frontend")["template"]
    template["spec"]["volumes"] = [{"name": "a", "secret": {"secretName": "not-there", "optional": True}}]
    pods.doors.edit("deployments", "frontend", template=template)
    assert [reader.name for reader in writer.readers("not-there")] == ["frontend"]
    assert {held.name for held in writer.held_by_pods()} == before | {"worker-files"}
    (found,) = [held for held in writer.held_by_pods() if held.name == "worker-files"]
    assert (found.keys_with(Secret(NEW)), found.keys_with(Secret("x"))) == (("app.env",), ("other",))


def test_the_notebooks_token_sees_no_secret(lab, pods):
    reading = ReadOnlyClusterSecrets(lab.settings, lab.settings.read_kubernetes_token)
    with pytest.raises(Unreachable) as told:
        reading.secret("valuecanvas-secrets")
    assert told.value.kind == "forbidden"
    reading.close()


def test_values_are_in_no_text_of_a_secret_and_in_no_message(lab, writer, pods):
    held = writer.secret("valuecanvas-secrets")
    assert "lab-dummy" not in repr(held)
    with pods.doors.fault("kubernetes", "422", method="PATCH"), pytest.raises(Unreachable) as told:
        writer.set_value(held.name, NAME, Secret(NEW), held.meta.version)
    assert NEW not in f"{told.value} {told.value.next_step}"


def test_names_as_files_have_them_are_found_and_what_is_no_text_is_none(writer, pods):
    pods.hold(**{"together-api-key": "of a file", "TOGETHER_API_KEY": None})
    held = writer.secret("valuecanvas-secrets")
    assert (held.key_of("TOGETHER_API_KEY"), held.key_of("JWT_SECRET")) == ("together-api-key", None)
    assert held.value("JWT_SECRET") is None
