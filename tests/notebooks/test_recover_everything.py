"""Several things out at once as people go through it: seen in the order of priority, planned, recovered, taken back."""

import json
from pathlib import Path

import pytest
import redis

from opslib.archive.verify import verify
from opslib.headless import agreement
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.broken import find
from opslib.lab.broken.revision import BAD, GOOD
from opslib.redaction import Redactor
from opslib.runs.saved_plan import parse
from tests.killing import killed
from tests.kubernetes import NAMESPACE, ClusterDoors, replicas
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.terraform import States, needs_terraform, terraform

__all__ = ["terraform"]
NAME = "disaster/recover-everything"
STEPS = [
    *("apply-infrastructure", "recover-api", "switch-site", "recover-workers", "restart-cache"),
    *("make-room", "roll-back-front-end", "recover-prometheus", "recover-grafana"),
]
BAD_STATES = {
    "cache-lost": lambda objects: not ready(objects, "redis-0"),
    "replica-hangs": lambda objects: replicas(objects, "api-server") == 1,
    "rollout-stuck": lambda objects: BAD in str(objects["pods"]),
    "api-at-zero": lambda objects: replicas(objects, "api-server") == 0,
}


def ready(objects, name):
    pod = objects["pods"].get(f"{NAMESPACE}/{name}", {"status": {}})
    return ("Ready", "True") in [(one["type"], one["status"]) for one in pod["status"].get("conditions", ())]


def uid(doors, name="redis-0"):
    return doors.cluster()["objects"]["pods"].get(f"{NAMESPACE}/{name}", {"metadata": {"uid": None}})["metadata"]["uid"]


@pytest.fixture
def doors(house):
    return ClusterDoors(house.settings)


@pytest.fixture
def broken(house, doors):
    """Break the lab by the names of faults, and mend what a test leaves of them."""
    made = []

    def broken(*names):
        # What an earlier test let start is no wedged pod for two minutes.
        doors.made("api-server", 3600)
        for name in names:
            made.append(find(name))
            made[-1].make(house.settings)
            if name in BAD_STATES:
                doors.until(BAD_STATES[name])

    yield broken
    for fault in made:
        fault.mend(house.settings)
    doors.until(lambda objects: ready(objects, "redis-0") and replicas(objects, "api-server") >= 2)


def steps(folder):
    return {path.stem: json.loads(path.read_text()) for path in (folder / "evidence").glob("*.json")}


def events(folder, *names):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] in names]


def test_what_is_out_is_planned_in_the_order_of_priority_and_recovered_exactly_so(
    house, run, doors, broken, fingerprint
):
    broken("replica-hangs")
    before, wedged, cache = fingerprint(), doors.pods_of("api-server"), uid(doors)
    broken("cache-lost")
    result, folder = run(NAME, "services=api,worker,redis", mode="plan")
    assert result["state"] == "finished", result["reason"]
    assert (doors.pods_of("api-server"), uid(doors)) == (wedged, cache)
    saved = parse((folder / "plan.json").read_bytes())
    assert [step.step for step in saved.steps] == STEPS
    assert [saved.step(name).touches for name in STEPS] == [0, 1, 0, 0, 1, 0, 0, 0, 0]
    assert saved.step("restart-cache").after["lost at most"] == "last-writes"
    page = (folder / "report.html").read_text()
    for words in ("P1 Redis Cache is out", "disaster/recover-database", "The order of recovery", "services=redis"):
        assert words in page
    applied = agreement.apply(result["run"], "lab", house.archive)
    folder = Path(applied["report"]).parent
    assert (applied["state"], applied["exit_code"]) == ("finished", 1), applied["reason"]
    assert {name: one["verification"]["verdict"] for name, one in steps(folder).items()} == dict.fromkeys(STEPS, "OK")
    said = verdicts(folder)
    # What is left is that the guide's manifests are in no commit.
    assert {name for name, verdict in said.items() if verdict != "OK"} == {"delivery-rebuild"}
    assert (uid(doors) != cache, wedged[0] in doors.pods_of("api-server")) == (True, False)
    assert fingerprint() == before
    redactor = Redactor(house.settings.secrets())
    assert [path.name for path in folder.rglob("*") if path.is_file() and redactor.leaks(path.read_bytes())] == []


@nightly
def test_as_it_stands_it_looks_and_changes_nothing_whatever_is_out(house, run, doors, broken, fingerprint):
    broken("rollout-stuck", "cache-full")
    before = fingerprint()
    result, folder = run(NAME)
    assert result["state"] == "finished", result["reason"]
    assert [one["plan"]["touches"] for one in steps(folder).values()] == [0] * len(STEPS)
    assert fingerprint() == before


@nightly
@pytest.mark.parametrize(
    ("fault", "given"),
    [
        ("rollout-stuck", ("services=api",)),
        ("api-at-zero", ("services=api",)),
        ("replica-hangs", ("services=api",)),
        ("cache-lost", ("services=redis",)),
        ("cache-full", ("services=redis", "cache_megabytes=64", "cache_policy=volatile-lru")),
        ("cache-evicts-jobs", ("cache_policy=volatile-lru",)),
        ("agent-workers-at-zero", ("services=worker",)),
        ("agent-revision-fails", ("services=worker", "back=previous")),
        ("metrics-route-gone", ("services=api", "back=previous")),
        ("prometheus-at-zero", ("services=prometheus",)),
        ("grafana-crashes", ("services=grafana",)),
    ],
)
def test_each_fault_is_recovered_and_its_own_check_finds_nothing_any_more(house, run, doors, broken, fault, given):
    broken(fault)
    result, folder = run(NAME, *given)
    assert (result["state"], result["exit_code"]) == ("finished", 1), result["reason"]
    assert {one["verification"]["verdict"] for one in steps(folder).values()} == {"OK"}
    state = doors.until(lambda objects: replicas(objects, "api-server") >= 2 and ready(objects, "redis-0"))
    assert BAD not in str(state["deployments"])
    with redis.Redis.from_url(house.settings.cache_url.reveal()) as cache:
        assert cache.set("opslib:after", 1, ex=5)


@nightly
def test_what_cannot_lose_so_much_is_refused_and_nothing_is_touched(house, run, doors, broken):
    broken("cache-lost")
    before = uid(doors)
    result, _ = run(NAME, "services=redis", "accept_loss=nothing", mode="plan")
    assert (result["state"], result["exit_code"], uid(doors)) == ("refused", 4, before)
    assert "would lose last-writes" in result["reason"]


@nightly
def test_a_rollback_of_the_api_is_taken_back_and_once_only(house, run, doors, broken):
    broken("rollout-stuck")
    result, _ = run(NAME, "services=api")
    image = doors.spec("deployments", "api-server")["template"]["spec"]["containers"][0]["image"]
    assert image == GOOD
    taken = undo(result["run"], house.archive)
    assert (taken["state"], taken["exit_code"]) == ("finished", 0), taken["reason"]
    assert doors.spec("deployments", "api-server")["template"]["spec"]["containers"][0]["image"] == BAD


@nightly
@pytest.mark.parametrize(
    ("fault", "given", "step", "path"),
    [
        ("cache-lost", "services=redis", "restart-cache", "redis-0"),
        ("replica-hangs", "services=api", "recover-api", "api-server"),
        ("rollout-stuck", "services=api", "recover-api", "api-server"),
    ],
)
def test_a_step_that_fails_once_is_gone_on_with(house, run, doors, broken, fault, given, step, path):
    broken(fault)
    with doors.fault("kubernetes", "500", method="PATCH" if fault == "rollout-stuck" else "DELETE", path=path, times=1):
        result, _ = run(NAME, given)
    assert (result["state"], result["exit_code"]) == ("failed", 5), result
    again = resume(result["run"], house.archive)
    assert again["state"] == "finished", again["reason"]
    folder = Path(again["report"]).parent
    assert step in [line["step"] for line in events(folder, "applied")]
    assert steps(folder)[step]["verification"]["verdict"] == "OK"


@nightly
@pytest.mark.parametrize(("fault", "step"), [("cache-lost", "restart-cache"), ("replica-hangs", "recover-api")])
def test_a_run_that_is_killed_after_a_pod_went_goes_on_and_removes_no_other(house, doors, broken, fault, step):
    broken(fault)
    name = "redis-0" if fault == "cache-lost" else doors.pods_of("api-server")[0]
    before = uid(doors, name)
    doors.change(tick_seconds=1.0)
    given = ("services=redis,api",)
    run, _ = killed(NAME, given, house.archive, lambda: uid(doors, name) != before)
    doors.change(tick_seconds=0.1)
    doors.forget()
    again = resume(run, house.archive)
    assert again["state"] == "finished", again["reason"]
    folder = Path(again["report"]).parent
    assert [call for call in doors.calls("kubernetes") if call["method"] == "DELETE"] == []
    assert steps(folder)[step]["verification"]["verdict"] == "OK"
    assert verify(house.archive).ok


@nightly
@needs_terraform
def test_infrastructure_is_planned_read_and_applied_exactly_and_a_plan_that_was_overtaken_is_refused(
    house, run, terraform
):
    states = States(house.settings)
    given = ("services=infrastructure", "new_state=true")
    first, folder = run(NAME, *given, mode="plan")
    saved = parse((folder / "plan.json").read_bytes()).step("apply-infrastructure")
    assert (saved.touches, states.objects()) == (3, [])
    second, _ = run(NAME, *given, mode="plan")
    applied = agreement.apply(first["run"], "lab", house.archive)
    assert applied["state"] == "finished", applied["reason"]
    said = steps(Path(applied["report"]).parent)["apply-infrastructure"]["verification"]
    assert (said["verdict"], json.loads(states.read())["serial"]) == ("OK", 1)
    late = agreement.apply(second["run"], "lab", house.archive)
    assert (late["state"], late["exit_code"]) == ("refused", 4), late
    assert json.loads(states.read())["serial"] == 1
