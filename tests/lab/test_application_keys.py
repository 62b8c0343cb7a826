"""The application in the lab calls its providers with the keys that its pods were started with."""

import httpx
import pytest

from opslib.lab.broken import providers
from opslib.lab.processes import LabError
from opslib.redaction import Secret
from opslib.systems.kubernetes_secrets import ClusterSecrets
from tests.llm_keys import Dashboard, Pods

NAME, NEW = "OPENAI_API_KEY", "sk-new-9f3Kq7Zr2Lm8Xw4T"


@pytest.fixture
def place(lab):
    pods, board = Pods(lab.settings), Dashboard(lab.settings, "openai")
    with pods.doors.restored(), board.doors.restored():
        yield pods, board


def seen(lab):
    answer = httpx.get(f"{lab.settings.application_url}/health/dependencies", timeout=20)
    return {name: one["status"] for name, one in answer.json()["dependencies"].items()}


def used(lab, board, name):
    token = lab.settings.openai_admin_key.reveal()
    url = f"{lab.settings.openai_url}/organization/projects/{lab.settings.openai_project}/api_keys"
    keys = httpx.get(url, headers={"authorization": f"Bearer {token}"}).json()["data"]
    return next(one["last_used_at"] for one in keys if one["id"] == name)


def test_a_new_key_serves_after_the_pods_start_anew_and_not_before(lab, place):
    pods, board = place
    assert seen(lab)["openAI"] == seen(lab)["togetherAI"] == "healthy"
    board.add("key_new", NEW)
    writer = ClusterSecrets(lab.settings, lab.settings.kubernetes_token)
    held = writer.secret("valuecanvas-secrets")
    writer.set_value(held.name, NAME, Secret(NEW), held.meta.version)
    assert (seen(lab)["openAI"], used(lab, board, "key_new")) == ("healthy", None)
    for reader in writer.readers(held.name):
        writer.restart(reader, "opslib/test", "2")
    pods.doors.until(lambda _: writer.deployment("api-server").done)
    assert seen(lab)["openAI"] == "healthy"
    assert used(lab, board, "key_new") is not None
    board.revoke("key_new")
    assert seen(lab)["openAI"] == "unhealthy"
    writer.close()


def test_without_pods_that_take_traffic_no_provider_can_be_called(lab, place):
    pods, _ = place
    before, state = pods.doors.cluster(), pods.doors.cluster()
    state["ailing"] = {"api-server": "CrashLoopBackOff"}
    state["objects"]["pods"] = {
        key: one
        for key, one in state["objects"]["pods"].items()
        if one["metadata"]["labels"].get("app") != "api-server"
    }
    pods.doors.put(kubernetes=state)
    assert seen(lab)["openAI"] == "unhealthy"
    # Pods that are not there fail no provider: when they are back they serve, and wait for no breaker.
    person = providers.login(lab.settings, "member")
    with pytest.raises(LabError, match="503"):
        providers.asked_once(lab.settings, person, "opslib-test-1")
    pods.doors.put(kubernetes=before)
    providers.asked_once(lab.settings, person, "opslib-test-2")
