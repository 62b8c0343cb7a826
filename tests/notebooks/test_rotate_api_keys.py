"""A key's rotation as people run it: planned, applied as approved, taken back, killed, gone on with, revoked last."""

import json
import threading
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.headless import agreement
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.production import dummy
from opslib.runs.saved_plan import parse
from opslib.systems.llm_keys import PROVIDERS
from tests.actions.keys import place
from tests.confirming import person
from tests.headless.canaries import traces
from tests.killing import killed
from tests.scale import first, nightly
from tests.supabase import digest

NAME = "runbooks/rotate-api-keys"
SHARES = True
GIVEN = ("soak_minutes=0.02", "look_seconds=0.3", "wait_seconds=60", "confirm_minutes=1", "revoke_seconds=60")
STEPS = ["stage-key", "try-key", "promote-key", "set-function-key", "set-hosting-key", "rebuild-front-end"]
STEPS += ["set-cluster-key", "revoke-old-key"]
CANARY = "tg-cAnary7Kiwi9Qz-5Hd8Wq1Xv6Np"
"""Holds what the canaries' own search looks for."""


@pytest.fixture(params=["openai"])
def there(house, request):
    with place(house.settings, request.param) as made:
        made.project.secret(made.variable, made.old)
        yield made


@pytest.fixture
def supabase(house):
    with place(house.settings, "supabase") as made:
        made.project.secret("OPENAI_API_KEY", "sk-of-the-other-9f3Kq7Zr")
        yield made


@pytest.fixture
def together(house):
    with place(house.settings, "together") as made:
        made.project.secret(made.variable, made.old)
        made.project.secret("OPENAI_API_KEY", "sk-of-the-other-9f3Kq7Zr")
        made.board.add("key_new", CANARY)
        made.put_pending(TOGETHER_API_KEY=CANARY)
        yield made


def events(folder):
    return [json.loads(line) for line in (Path(folder) / "journal.jsonl").read_text().splitlines()]


def verdicts(folder):
    said = {path.stem: json.loads(path.read_text()) for path in Path(folder).glob("evidence/*.json")}
    return {name: one["verification"]["verdict"] for name, one in said.items()}


def made(there):
    return [name for name in there.board.accounts() if name.startswith(("ops-", "ops_"))]


def in_use(there):
    return {
        "vault": there.new(),
        "supabase": there.project.state["secrets"][there.variable]["value"],
        "cluster": there.pods.held()[there.variable],
        "pods": set(there.pods.started_with(there.variable))
        | set(there.pods.started_with(there.variable, "llm-worker")),
    }


def everywhere(key):
    return {"vault": key, "supabase": digest(key), "cluster": key, "pods": {key}}


def everything(house):
    files = [path for path in house.archive.rglob("*") if path.is_file()]
    return {str(path.relative_to(house.archive)): path.read_bytes() for path in files}


def hold(house, *keys):
    """Demand that no byte of the archive holds a key, its digest or a part of it."""
    parts = [part.encode() for key in keys for part in (key, digest(key), key[4:24])]
    read = everything(house)
    assert len(read) > 10
    assert [name for name, data in read.items() if any(part in data for part in parts)] == []


def planned(run, fingerprint, there):
    """Plan it and return the run: every store is named, and nothing is changed."""
    before, standing, held = fingerprint(), there.kept.values(), there.pods.held()
    result, folder = run(NAME, *GIVEN, mode="plan")
    assert result["state"] == "finished", result["reason"]
    assert (fingerprint(), there.kept.values(), there.pods.held(), made(there)) == (before, standing, held, [])
    saved = parse((folder / "plan.json").read_bytes())
    assert [step.step for step in saved.steps] == STEPS
    assert [step.plan.touches for step in saved.steps] == [2, 0, 1, 1, 0, 0, 3, 1]
    assert saved.step("revoke-old-key").before["named"] == "valuecanvas-production"
    return result["run"]


def test_what_was_planned_is_applied_to_its_end_and_no_byte_holds_a_key(run, house, fingerprint, there):
    plan = planned(run, fingerprint, there)
    with person(house):
        result = agreement.apply(plan, "lab", house.archive)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    folder = Path(result["report"]).parent
    assert verdicts(folder) == dict.fromkeys(STEPS, "OK")
    new = there.new()
    assert (new.startswith("sk-svcacct-"), in_use(there), len(made(there))) == (True, everywhere(new), 1)
    assert "svc_production" not in there.board.state["accounts"]
    assert [line["by"] for line in events(folder) if line["event"] == "confirmed"] == ["ann@valuecanvas"]
    hold(house, new, there.old)
    assert verify(house.archive).ok
    taken = undo(result["run"], house.archive)
    assert (taken["state"], "revoke-old-key cannot be undone" in taken["reason"]) == ("refused", True), taken
    assert in_use(there) == everywhere(new)


def test_without_a_persons_word_nothing_is_revoked_and_all_of_it_is_taken_back(run, house, there):
    result, _ = run(NAME, *GIVEN[:-2], "confirm_minutes=0.05")
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "Nobody answered" in result["reason"]
    new = there.new()
    assert in_use(there) == everywhere(new)
    assert "svc_production" in there.board.state["accounts"]
    taken = undo(result["run"], house.archive)
    assert (taken["state"], taken["exit_code"]) == ("finished", 0), taken["reason"]
    assert (in_use(there), made(there)) == (everywhere(there.old), [])
    hold(house, new, there.old)


@nightly
def test_an_old_key_that_is_used_in_the_soak_stops_nobody_but_is_not_revoked(run, house, there):
    stop, old = threading.Event(), there.writing.vault.stage("AWSCURRENT").value(there.variable)

    def use():
        while not stop.wait(0.2):
            there.writing.llm_keys.knows(PROVIDERS[there.provider], old)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        with person(house):
            result, folder = run(NAME, *GIVEN)
    finally:
        stop.set()
        thread.join()
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "something that is not known here has it" in result["reason"]
    assert "The old key was used at" in (folder / "journal.jsonl").read_text()
    assert "svc_production" in there.board.state["accounts"]
    assert undo(result["run"], house.archive)["exit_code"] == 0


FIRST = ("lost", "stage-key")
FAULTS = [
    ("stage-key", "openai", "POST", "/service_accounts"),
    ("try-key", "openai", "POST", "/chat/completions"),
    ("set-function-key", "supabase", "POST", "/secrets"),
    ("set-cluster-key", "kubernetes", "PATCH", "/deployments/llm-worker"),
    ("revoke-old-key", "openai", "DELETE", "/service_accounts"),
]


CASES = sorted(((fault, *one) for fault in ("lost", "500") for one in FAULTS), key=lambda one: one[:2] != FIRST)


@nightly
@pytest.mark.parametrize(
    ("fault", "step", "vendor", "method", "path"), first(1, *CASES), ids=lambda one: one.strip("/")
)
def test_a_step_that_fails_once_is_gone_on_with_and_nothing_is_made_twice(
    run, house, there, fault, step, vendor, method, path
):
    doors = there.pods.doors if vendor == "kubernetes" else there.doors
    with person(house), doors.fault(vendor, fault, method=method, path=path, times=1):
        result, folder = run(NAME, *GIVEN)
        if result["exit_code"] != 0:
            again = resume(result["run"], house.archive)
            assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
            folder = Path(again["report"]).parent
            kept = [line["step"] for line in events(folder) if line["event"] == "kept"]
            assert kept == [one for one in STEPS[: STEPS.index(step)] if one != "try-key"]
    assert (len(made(there)), in_use(there)) == (1, everywhere(there.new()))
    assert len(there.board.calls("DELETE", "svc_production")) <= 2
    assert "svc_production" not in there.board.state["accounts"]


KILLS = {
    "set-cluster-key": lambda there: there.pods.held()[there.variable] != there.old,
    "stage-key": lambda there: made(there),
    "promote-key": lambda there: there.new() != there.old,
    "set-function-key": lambda there: there.project.state["secrets"][there.variable]["value"] != digest(there.old),
    "revoke-old-key": lambda there: "svc_production" not in there.board.state["accounts"],
}


@nightly
@pytest.mark.parametrize("step", first(1, *KILLS))
def test_a_run_that_is_killed_goes_on_and_there_is_one_new_key(house, there, step):
    new = broken_off(house, there, KILLS[step])
    assert (len(made(there)), in_use(there)) == (1, everywhere(new))
    assert "svc_production" not in there.board.state["accounts"]


def broken_off(house, there, came, *given):
    """Kill a run once ``came`` is so, go on with it to its end, and return the new key, which nothing shows."""
    there.pods.doors.change(tick_seconds=0.3)
    with person(house):
        name, seen = killed(NAME, (*GIVEN, *given), house.archive, lambda: came(there))
        there.pods.doors.change(tick_seconds=0.1)
        again = resume(name, house.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    new = there.new()
    assert not [line for line in seen if new in line or there.old in line]
    hold(house, new, there.old)
    assert verify(house.archive).ok
    return new


@nightly
def test_where_people_make_and_revoke_keys_the_run_waits_for_them(run, house, together):
    together.doors.forget()
    with person(house, after=lambda: together.board.revoke("key_production")):
        result, folder = run(NAME, "provider=together", *GIVEN)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert in_use(together) == everywhere(CANARY)
    said = [line["result"] for line in events(folder) if line["event"] == "result"]
    looks = [
        (one["check"], one["verdict"]) for one in said if one["check"] in ("key-in-use-together", "old-key-together")
    ]
    assert looks == [
        ("key-in-use-together", "UNKNOWN"),
        ("old-key-together", "UNKNOWN"),
        ("old-key-together", "OK"),
        ("key-in-use-together", "OK"),
    ]
    hold(house, CANARY, dummy("TOGETHER_API_KEY"))
    assert {name: found for name, data in everything(house).items() if (found := traces(data))} == {}


def at_the_project(there):
    """Return which of the project's keys are there, and whether the vault's one is what pods were started with."""
    new, started = there.new(), set(there.pods.started_with(there.variable))
    return there.board.accounts(), started | {there.pods.held()[there.variable]} == {new}


@nightly
def test_the_supabase_projects_own_key_is_rotated_and_the_old_one_deleted(run, house, supabase):
    with person(house):
        result, folder = run(NAME, "provider=supabase", *GIVEN)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert verdicts(folder) == dict.fromkeys(STEPS, "OK")
    assert at_the_project(supabase) == (made(supabase), True)
    said = [line["result"] for line in events(folder) if line["event"] == "result"]
    looks = {one["check"]: one["verdict"] for one in said}
    assert (looks["key-in-use-supabase"], looks["old-key-supabase"]) == ("OK", "OK")
    hold(house, supabase.new())


SUPABASE_FAULTS = [
    ("stage-key", "POST", "/api-keys"),
    ("try-key", "GET", "/auth/v1/admin/users"),
    ("revoke-old-key", "DELETE", "/api-keys"),
]


@nightly
@pytest.mark.parametrize("fault", ["lost", "403"])
@pytest.mark.parametrize(("step", "method", "path"), SUPABASE_FAULTS, ids=lambda one: one.strip("/"))
def test_a_step_at_supabase_that_fails_once_is_gone_on_with(run, house, supabase, step, method, path, fault):
    with person(house), supabase.doors.fault("supabase", fault, method=method, path=path, times=1):
        result, _ = run(NAME, "provider=supabase", *GIVEN)
        if result["exit_code"] != 0:
            again = resume(result["run"], house.archive)
            assert (again["state"], again["exit_code"]) == ("finished", 0), (step, again["reason"])
    assert (at_the_project(supabase), len(made(supabase))) == ((made(supabase), True), 1)


SUPABASE_KILLS = {
    "stage-key": lambda there: made(there),
    "revoke-old-key": lambda there: "default" not in there.board.accounts(),
}


@nightly
@pytest.mark.parametrize("step", SUPABASE_KILLS)
def test_a_run_at_supabase_that_is_killed_goes_on_and_there_is_one_new_key(house, supabase, step):
    broken_off(house, supabase, SUPABASE_KILLS[step], "provider=supabase")
    assert (at_the_project(supabase), len(made(supabase))) == ((made(supabase), True), 1)


def test_without_a_staged_key_the_run_says_how_and_changes_nothing(run, house, fingerprint):
    before = fingerprint()
    result, _ = run(NAME, "provider=together", *GIVEN)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "AWSPENDING" in result["reason"]
    assert fingerprint() == before


def test_a_store_that_is_not_there_stops_the_plan(run, there):
    with there.pods.doors.fault("kubernetes", "404", path="/secrets"):
        result, _ = run(NAME, *GIVEN, mode="plan")
    assert result["exit_code"] != 0
    assert made(there) == []
