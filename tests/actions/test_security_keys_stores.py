"""The new key in the functions and in the pods, each given once and taken back, and the old one revoked last of all."""

import json
import threading
import time

import pytest

from opslib.actions.security import (
    PromoteKey,
    RebuildFrontEnd,
    RevokeOldKey,
    SetClusterKey,
    SetFunctionKey,
    SetHostingKey,
    StageKey,
    TryKey,
)
from opslib.canonical import to_json
from opslib.errors import OpsError, Refused, StepFailed, Unreachable
from opslib.model import Effect, Outcome, Repeat, Verdict
from opslib.runs import approval
from opslib.runs.saved_plan import PlannedStep
from tests.actions.keys import NEW, Place, place, quiet
from tests.scale import first, nightly
from tests.supabase import digest

WAIT = {"wait_seconds": 30.0}
NOW = {"idle_minutes": 0.0, "wait_seconds": 5.0}


@pytest.fixture
def openai(lab):
    with place(lab.settings, "openai") as made:
        made.project.secret(made.variable, made.old)
        yield made


@pytest.fixture
def promoted(openai):
    openai.until(StageKey, PromoteKey)
    return openai


@pytest.fixture
def deployed(promoted):
    promoted.until(SetFunctionKey, SetClusterKey)
    return promoted


@pytest.fixture
def together(lab):
    with place(lab.settings, "together") as made:
        made.project.secret(made.variable, made.old)
        made.deployed()
        yield made


def at_supabase(there):
    return there.project.state["secrets"].get(there.variable, {}).get("value")


# The functions.


def test_the_functions_get_the_new_key_once_and_the_old_one_back(promoted):
    action, plan, values, looked = promoted.do(SetFunctionKey)
    assert (looked.verdict, at_supabase(promoted), len(promoted.project.posts("/secrets"))) == (
        Verdict.OK,
        digest(promoted.new()),
        1,
    )
    assert "2 of 2 functions answer" in looked.summary
    back = action.undo(promoted.writing, plan, values, quiet)
    assert (back.verdict, at_supabase(promoted)) == (Verdict.OK, digest(promoted.old))


def test_a_project_that_neither_has_nor_needs_the_key_is_left_alone(openai, lab):
    openai.project.secret(openai.variable, None)
    settings = lab.settings.model_copy(update={"function_secrets": ()})
    target = type(openai.reading)(settings, openai.run)
    plan = openai.step(SetFunctionKey).plan(target)
    assert (plan.touches, plan.after) == (0, {"value": "not set"})
    target.close()


def test_functions_that_need_the_key_and_have_none_get_it_and_the_undo_deletes_it(openai):
    openai.project.secret(openai.variable, None)
    openai.until(StageKey, PromoteKey)
    action, plan, values, looked = openai.do(SetFunctionKey)
    assert (looked.verdict, at_supabase(openai)) == (Verdict.OK, digest(openai.new()))
    assert action.undo(openai.writing, plan, values, quiet).verdict is Verdict.OK
    assert at_supabase(openai) is None


def test_a_secret_that_somebody_set_since_the_plan_makes_another_plan(promoted):
    action = promoted.step(SetFunctionKey)
    plan = action.plan(promoted.reading)
    promoted.project.secret(promoted.variable, "of-somebody-9f3Kq7Zr")
    again = action.plan(promoted.reading)
    assert again.digest != plan.digest
    assert again.undo.startswith("None")


def test_no_store_gets_a_key_that_is_not_the_vaults_current_one(openai):
    openai.until(StageKey)
    for kind in (SetFunctionKey, SetClusterKey):
        action = openai.step(kind)
        plan = action.plan(openai.reading)
        with pytest.raises(Refused):
            action.apply(openai.writing, plan, quiet)
    assert (at_supabase(openai), openai.pods.held()[openai.variable]) == (digest(openai.old), openai.old)


def test_a_lost_answer_is_settled_by_the_digest(promoted):
    action = promoted.step(SetFunctionKey)
    plan = action.plan(promoted.reading)
    with promoted.doors.fault("supabase", "lost", method="POST", times=1), pytest.raises(Unreachable):
        action.apply(promoted.writing, plan, quiet)
    assert action.settle(promoted.writing, plan, quiet).outcome is Outcome.DONE
    assert len(promoted.project.posts("/secrets")) == 1


# The pods.


def test_the_pods_are_started_with_the_new_key_and_taken_back_to_the_old_one(promoted):
    action, plan, values, looked = promoted.do(SetClusterKey, **WAIT)
    assert plan.after["restarted"] == ["api-server", "llm-worker"]
    assert looked.verdict is Verdict.OK, looked
    assert set(promoted.pods.started_with(promoted.variable)) == {promoted.new()}
    assert set(promoted.pods.started_with(promoted.variable, "llm-worker")) == {promoted.new()}
    back = action.undo(promoted.writing, plan, values, quiet)
    assert back.verdict is Verdict.OK, back
    assert set(promoted.pods.started_with(promoted.variable)) == {promoted.old}
    assert promoted.pods.held()[promoted.variable] == promoted.old


def test_a_killed_apply_goes_on_where_it_was_and_sets_nothing_twice(promoted):
    action = promoted.step(SetClusterKey, **WAIT)
    plan = action.plan(promoted.reading)
    path = "/deployments/llm-worker"
    with promoted.pods.doors.fault("kubernetes", "500", method="PATCH", path=path), pytest.raises(Unreachable):
        action.apply(promoted.writing, plan, quiet)
    settled = action.settle(promoted.writing, plan, quiet)
    assert (settled.outcome, settled.why) == (
        Outcome.PARTLY,
        "The secret has the new key; 1 deployments start with it.",
    )
    values = action.apply(promoted.writing, plan, quiet)
    assert action.verify(promoted.looking, plan, values).verdict is Verdict.OK
    sent = [
        call["path"].rpartition("/")[2] for call in promoted.pods.doors.calls("kubernetes") if call["method"] == "PATCH"
    ]
    assert sent == ["valuecanvas-secrets", "api-server", "llm-worker", "llm-worker"]
    assert action.settle(promoted.writing, plan, quiet).outcome is Outcome.DONE


@pytest.mark.parametrize("fault", first(3, "429", "500", "cut", "401", "403", "404", "409", "422"))
def test_a_cluster_that_refuses_the_secret_is_settled_as_not_done(promoted, fault):
    action = promoted.step(SetClusterKey, **WAIT)
    plan = action.plan(promoted.reading)
    doors = promoted.pods.doors
    with doors.fault("kubernetes", fault, method="PATCH", seconds=70), pytest.raises(Unreachable):
        action.apply(promoted.writing, plan, quiet)
    assert action.settle(promoted.writing, plan, quiet).outcome is Outcome.NOT_DONE
    assert promoted.pods.held()[promoted.variable] == promoted.old


def test_a_lost_answer_of_the_cluster_is_settled_by_what_the_secret_has(promoted):
    action = promoted.step(SetClusterKey, **WAIT)
    plan = action.plan(promoted.reading)
    with promoted.pods.doors.fault("kubernetes", "lost", method="PATCH", times=1), pytest.raises(Unreachable):
        action.apply(promoted.writing, plan, quiet)
    assert action.settle(promoted.writing, plan, quiet).outcome is Outcome.PARTLY


def test_a_secret_that_somebody_changed_since_is_not_written_over(promoted):
    action = promoted.step(SetClusterKey, **WAIT)
    plan = action.plan(promoted.reading)
    promoted.pods.hold(OTHER="of-somebody")
    assert action.plan(promoted.reading).digest != plan.digest
    with pytest.raises(Refused, match="Somebody changed the secret"):
        action.apply(promoted.writing, plan, quiet)
    assert promoted.pods.held()[promoted.variable] == promoted.old
    assert action.settle(promoted.writing, plan, quiet).outcome is Outcome.UNKNOWN


def test_pods_that_do_not_come_up_are_critical(promoted):
    promoted.pods.doors.change(ailing={"llm-worker": "CrashLoopBackOff"})
    *_, values, looked = promoted.do(SetClusterKey, wait_seconds=2.0)
    assert (values["in_time"], looked.verdict) == (False, Verdict.CRITICAL)
    assert "llm-worker has pods that were started before" in looked.summary


def test_a_secret_without_the_key_is_left_alone(promoted):
    promoted.pods.hold(**{promoted.variable: None})
    _, plan, _, looked = promoted.do(SetClusterKey, **WAIT)
    assert (plan.touches, looked.verdict) == (0, Verdict.OK)


def test_a_key_of_nobodys_in_the_secret_has_no_way_back_and_the_plan_says_so(promoted):
    promoted.pods.hold(**{promoted.variable: "of-nobody-9f3Kq7Zr2Lm8"})
    action, plan, values, _ = promoted.do(SetClusterKey, **WAIT)
    assert plan.undo.startswith("None")
    with pytest.raises(Refused, match="in no version of the vault"):
        action.undo(promoted.writing, plan, values, quiet)


def test_what_somebody_set_after_the_step_is_not_taken_back(promoted):
    action, plan, values, _ = promoted.do(SetClusterKey, **WAIT)
    promoted.pods.hold(**{promoted.variable: "of-somebody-9f3Kq7Zr"})
    with pytest.raises(Refused, match="not as this step left it"):
        action.undo(promoted.writing, plan, values, quiet)


# The revocation.


def test_the_old_key_is_deleted_once_and_refused_afterwards(deployed):
    action, plan, values, looked = deployed.do(RevokeOldKey, **NOW)
    assert (plan.effect, plan.repeat, plan.undo.split(":")[0]) == (Effect.DESTRUCTIVE, Repeat.IRREVERSIBLE, "None")
    assert looked.verdict is Verdict.OK, looked
    assert [row["answer"] for row in looked.rows] == ["401", "taken"]
    assert "svc_production" not in deployed.board.state["accounts"]
    assert "key_ann" in deployed.board.state["keys"]
    assert action.settle(deployed.writing, plan, quiet).outcome is Outcome.DONE
    with pytest.raises(Refused, match="cannot be undone"):
        action.undo(deployed.writing, plan, values, quiet)


def test_two_people_must_agree_in_production(deployed):
    plan = deployed.step(RevokeOldKey).plan(deployed.reading)
    assert approval.required([PlannedStep("revoke", plan)], "production", ()) == 2


@pytest.mark.parametrize("store", first(2, "pods", "vault", "supabase", "cluster", "under another name", "mounted"))
def test_nothing_is_revoked_while_a_store_has_the_old_key(deployed, store):
    action = deployed.step(RevokeOldKey, **NOW)
    plan = action.plan(deployed.reading)
    if store == "supabase":
        deployed.project.secret(deployed.variable, deployed.old)
    elif store == "cluster":
        deployed.pods.hold(**{deployed.variable: deployed.old})
    elif store == "pods":
        state = deployed.pods.doors.cluster()
        pod = next(one for key, one in state["objects"]["pods"].items() if "llm-worker" in key)
        pod["metadata"]["annotations"] = {}
        deployed.pods.doors.put(kubernetes=state)
    elif store == "under another name":
        deployed.pods.hold(LLM_KEY=deployed.old)
    elif store == "mounted":
        # In a file of several lines, which a stateful set's pod has: no deployment names it.
        deployed.pods.mount("worker-files", **{"app.env": f"A=1\nKEY={deployed.old}\n"})
    else:
        deployed.kept.put(JWT_SECRET="of-somebody-9f3Kq7Zr2Lm8")
    with pytest.raises(Refused) as told:
        action.apply(deployed.writing, plan, quiet)
    said = {
        "vault": "not as it was planned",
        "pods": "1 pods of llm-worker",
        "under another name": "valuecanvas-secrets, as LLM_KEY",
        "mounted": "worker-files, as app.env",
    }
    assert said.get(store, "still in") in str(told.value)
    assert "svc_production" in deployed.board.state["accounts"]


def test_nothing_is_revoked_before_the_stores_have_the_new_key(openai):
    openai.until(StageKey, TryKey)
    action = openai.step(RevokeOldKey, **NOW)
    plan = action.plan(openai.reading)
    with pytest.raises(Refused, match="not as it was planned"):
        action.apply(openai.writing, plan, quiet)
    openai.until(PromoteKey)
    assert action.plan(openai.reading).digest == plan.digest
    with pytest.raises(Refused, match="Supabase; the cluster's secret valuecanvas-secrets; 2 pods of api-server"):
        action.apply(openai.writing, plan, quiet)
    assert "svc_production" in openai.board.state["accounts"]


def test_a_key_that_was_used_a_moment_ago_is_not_revoked(deployed):
    deployed.writing.llm_keys.knows(
        deployed.step(StageKey).of, deployed.writing.vault.stage("AWSPREVIOUS").value(deployed.variable)
    )
    action = deployed.step(RevokeOldKey, idle_minutes=1.0)
    with pytest.raises(Refused, match="something that is not known here has it"):
        action.apply(deployed.writing, action.plan(deployed.reading), quiet)
    assert "svc_production" in deployed.board.state["accounts"]


def test_a_new_key_that_is_refused_meanwhile_keeps_the_old_one_alive(deployed):
    action = deployed.step(RevokeOldKey, **NOW)
    plan = action.plan(deployed.reading)
    state = deployed.board.state
    state["keys"] = {
        name: one
        for name, one in state["keys"].items()
        if "ops-" not in str(state["accounts"].get(one.get("account"), {}))
    }
    deployed.doors.put(openai=state)
    with pytest.raises(Refused, match="does not take the new key"):
        action.apply(deployed.writing, plan, quiet)


def test_a_soak_that_outlasts_the_plan_is_refused_before_anything_is_done(openai):
    with pytest.raises(Refused, match="a plan holds for 60") as told:
        openai.step(RevokeOldKey, idle_minutes=60.0).plan(openai.reading)
    assert "OPS_PLAN_MINUTES" in told.value.next_step


def test_a_soak_holds_up_neither_scaling_nor_deployments_nor_an_incident():
    kinds = (StageKey, TryKey, PromoteKey, SetFunctionKey, SetHostingKey, RebuildFrontEnd, SetClusterKey, RevokeOldKey)
    assert {kind.area for kind in kinds} == {"llm"}


def test_an_account_with_more_keys_is_not_deleted(deployed):
    deployed.board.add("key_second", "sk-of-another-use-9f3Kq7", account="svc_production")
    with pytest.raises(Refused, match="1 more keys"):
        deployed.step(RevokeOldKey, **NOW).plan(deployed.reading)


def test_a_persons_key_is_deleted_by_itself(openai):
    state = openai.board.state
    one = state["keys"]["key_production"]
    del one["account"]
    openai.doors.put(openai={**state, "keys": {**state["keys"], "key_production": {**one, "user": "user_ann"}}})
    openai.until(StageKey, PromoteKey, SetFunctionKey, SetClusterKey)
    _, plan, _, looked = openai.do(RevokeOldKey, **NOW)
    assert (plan.before["of"], looked.verdict) == ("a person", Verdict.OK)


def test_a_lost_answer_of_the_revocation_is_settled_by_the_list(deployed):
    action = deployed.step(RevokeOldKey, **NOW)
    plan = action.plan(deployed.reading)
    with deployed.doors.fault("openai", "lost", method="DELETE", times=1), pytest.raises(Unreachable):
        action.apply(deployed.writing, plan, quiet)
    settled = action.settle(deployed.writing, plan, quiet)
    assert settled.outcome is Outcome.DONE
    assert action.verify(deployed.looking, plan, settled.values).verdict is Verdict.OK
    assert len(deployed.board.calls("DELETE")) == 1


@pytest.mark.parametrize("fault", first(1, "cut", "403", "429", "401", "404", "409", "500"))
def test_a_revocation_that_fails_is_not_done(deployed, fault):
    action = deployed.step(RevokeOldKey, **NOW)
    plan = action.plan(deployed.reading)
    with deployed.doors.fault("openai", fault, method="DELETE", seconds=70), pytest.raises(OpsError):
        action.apply(deployed.writing, plan, quiet)
    assert action.settle(deployed.writing, plan, quiet).outcome is Outcome.NOT_DONE


def test_where_a_provider_has_no_api_the_step_waits_for_a_person(together):
    action = together.step(RevokeOldKey, idle_minutes=0.0, wait_seconds=60.0)
    plan = action.plan(together.reading)
    assert "a person, at https://api.together.ai" in plan.after["revoked by"]
    told = threading.Event()

    def progress(text, done=None, total=None):
        told.set()

    def person():
        told.wait(30)
        together.board.revoke("key_production")

    thread = threading.Thread(target=person)
    thread.start()
    values = action.apply(together.writing, plan, progress)
    thread.join()
    assert action.verify(together.looking, plan, values).verdict is Verdict.OK


@nightly
def test_a_person_who_does_not_come_is_told_and_nothing_was_done(together):
    action = together.step(RevokeOldKey, idle_minutes=0.0, wait_seconds=1.0)
    plan = action.plan(together.reading)
    began = time.monotonic()
    with pytest.raises(StepFailed, match="nobody has revoked it"):
        action.apply(together.writing, plan, quiet)
    assert time.monotonic() - began >= 1
    assert action.settle(together.writing, plan, quiet).outcome is Outcome.NOT_DONE


def test_neither_key_nor_a_digest_of_one_is_in_what_is_recorded(promoted):
    said = []
    for kind, given in ((SetFunctionKey, {}), (SetClusterKey, WAIT), (RevokeOldKey, NOW)):
        _, *recorded = promoted.do(kind, **given)
        said += [to_json(one) for one in recorded]
    text = json.dumps(said)
    keys = (promoted.old, promoted.new(), NEW)
    assert not [one for key in keys for one in (key, digest(key), key[:14]) if one in text]


def test_the_later_steps_plan_the_same_before_and_after_the_first_ones(openai):
    kinds = (SetFunctionKey, SetClusterKey, RevokeOldKey)
    planned = [openai.step(kind).plan(openai.reading).digest for kind in kinds]
    openai.until(StageKey, TryKey, PromoteKey)
    assert [openai.step(kind).plan(openai.reading).digest for kind in kinds] == planned
    openai.until(SetFunctionKey, SetClusterKey)
    assert openai.step(RevokeOldKey).plan(openai.reading).digest == planned[-1]


@nightly
def test_a_second_rotation_follows_the_first(deployed, lab):
    deployed.do(RevokeOldKey, **NOW)
    first = deployed.new()
    again = Place(lab.settings, "openai", deployed.kept)
    again.until(StageKey, TryKey, PromoteKey, SetFunctionKey, SetClusterKey)
    *_, looked = again.do(RevokeOldKey, **NOW)
    assert (looked.verdict, again.new() == first) == (Verdict.OK, False)
    assert [name[:18] for name in again.board.accounts()] == ["ops-openai-api-key"]
    again.close()


def test_a_rotation_that_was_not_finished_is_not_forgotten_by_the_next(deployed, lab):
    again = Place(lab.settings, "openai", deployed.kept)
    with pytest.raises(Refused, match="still takes the key before today's") as told:
        again.step(StageKey).plan(again.reading)
    assert "ops resume" in told.value.next_step
    assert len([name for name in again.board.accounts() if name.startswith("ops-")]) == 1
    again.close()


def test_a_staged_key_is_rotated_to_once(together, lab):
    again = Place(lab.settings, "together", together.kept)
    with pytest.raises(Refused, match="No new version has the stage AWSPENDING"):
        again.step(StageKey).plan(again.reading)
    again.close()
