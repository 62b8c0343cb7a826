"""The Supabase project's own secret key rotated: made beside the old one, tried, given on, the old one deleted last."""

import base64
import json

import pytest

from opslib.actions.security import PromoteKey, RevokeOldKey, SetClusterKey, SetFunctionKey, StageKey, TryKey
from opslib.canonical import to_json
from opslib.errors import Refused, Unreachable
from opslib.lab.production import PROJECT
from opslib.lab.tokens import project_key
from opslib.model import Outcome, Verdict
from opslib.probes.security_keys import version_of
from opslib.redaction import Secret
from tests import specs
from tests.actions.keys import place, quiet
from tests.scale import first
from tests.supabase import digest

NOW = {"idle_minutes": 0.0, "wait_seconds": 5.0}
PUBLIC = "sb_publishable_9f3Kq7Zr2Lm8Xw4T5Hd8Wq1X"
FAULTS = first(3, "403", "429", "malformed", "401", "404", "409", "422", "500", "cut", "empty")


@pytest.fixture
def there(lab):
    with place(lab.settings, "supabase") as made:
        yield made


@pytest.fixture
def promoted(there):
    there.until(StageKey, TryKey, PromoteKey)
    return there


@pytest.fixture
def deployed(promoted):
    promoted.until(SetFunctionKey, SetClusterKey)
    # The application's own call, by which the gateway's log learns that the new key is used.
    assert look(promoted)["supabase"] == "healthy"
    return promoted


@pytest.fixture
def older(lab):
    """A project whose product still has the older service_role key, and whose front end has a publishable one."""
    settings = lab.settings.model_copy(update={"supabase_anon_key": Secret(PUBLIC)})
    with place(settings, "supabase") as made:
        old = project_key(PROJECT, "service_role", lab.settings.jwt_secret.reveal())
        made.kept.put(SUPABASE_SERVICE_KEY=old)
        # The version of before has it as well: no rotation was left half done.
        made.kept.put(SLACK_WEBHOOK_URL="another")
        made.pods.hold(SUPABASE_SERVICE_KEY=old)
        yield made, old
        # Nor does the next test find one.
        made.kept.put(SUPABASE_SERVICE_KEY=made.old)


def look(there):
    answer = there.reading.web.get(f"{there.settings.application_url}/health/dependencies", deadline=20)
    return {name: one["status"] for name, one in json.loads(answer.text)["dependencies"].items()}


def made(there):
    return [name for name in there.board.accounts() if name.startswith("ops_")]


def test_a_plan_names_version_and_key_and_changes_nothing(there):
    before = there.doors.state()
    action = there.step(StageKey)
    plan = action.plan(there.reading)
    version = version_of(there.run, action.of)
    assert plan.after == {"AWSPENDING": f"version {version}", "secret key": f"ops_supabase_service_key_{version[:8]}"}
    assert (plan.touches, there.doors.state()) == (2, before)
    assert {call["method"] for call in there.board.calls()} == {"GET"}


def test_two_keys_are_valid_at_once_and_the_undo_deletes_the_new_one(there):
    action, plan, values, looked = there.do(StageKey)
    assert (looked.verdict, len(made(there))) == (Verdict.OK, 1)
    new = there.reading.vault.stage("AWSPENDING").value(there.variable)
    assert [there.reading.door.takes(key) for key in (new, Secret(there.old))] == [True, True]
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.DONE
    assert action.undo(there.writing, plan, values, quiet).verdict is Verdict.OK
    assert (made(there), there.reading.door.takes(new)) == ([], False)


def test_a_key_whose_making_had_no_answer_is_deleted_and_made_anew_once(there):
    action = there.step(StageKey)
    plan = action.plan(there.reading)
    with there.doors.fault("supabase", "lost", method="POST", path="/api-keys", times=1), pytest.raises(Unreachable):
        action.apply(there.writing, plan, quiet)
    assert len(made(there)) == 1
    settled = action.settle(there.writing, plan, quiet)
    assert (settled.outcome, made(there)) == (Outcome.NOT_DONE, [])
    assert "1 secret keys without a staged key were deleted" in settled.why
    there.until(StageKey)
    assert len(made(there)) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_supabase_that_fails_stages_nothing(there, fault):
    action = there.step(StageKey)
    plan = action.plan(there.reading)
    with there.doors.fault("supabase", fault, method="POST", path="/api-keys", seconds=70):
        with pytest.raises(Unreachable) as told:
            action.apply(there.writing, plan, quiet)
        assert told.value.next_step
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.NOT_DONE
    assert made(there) == []


def test_the_new_key_is_tried_at_both_doors_before_anything_reads_it(there):
    there.until(StageKey)
    there.doors.forget()
    _, plan, values, looked = there.do(TryKey)
    assert (looked.verdict, values["answers"], plan.touches) == (Verdict.OK, 2, 0)
    asked = [call["path"].partition(PROJECT)[2] for call in there.board.calls("GET", "/sites/")]
    assert asked[:2] == ["/rest/v1/", "/auth/v1/admin/users"]
    there.board.revoke(made(there)[0])
    with pytest.raises(Refused, match="does not take the new key"):
        there.step(TryKey).apply(there.writing, plan, quiet)


@pytest.mark.parametrize("fault", first(2, "429", "malformed", "500", "cut", "empty"))
def test_a_project_that_fails_is_no_proof_of_a_key(there, fault):
    there.until(StageKey)
    plan = there.step(TryKey).plan(there.reading)
    with there.doors.fault("supabase", fault, path="/auth/v1/admin/users", seconds=30):
        with pytest.raises(Unreachable) as told:
            there.step(TryKey).apply(there.writing, plan, quiet)
        assert told.value.next_step


@pytest.mark.parametrize("store", ["vault", "cluster", "supabase", "target description"])
def test_a_key_that_browsers_get_is_refused_by_its_name_and_by_its_value(there, lab, store):
    name, reading = "VITE_API_TOKEN", there.reading
    if store == "vault":
        there.kept.put(**{name: there.old})
    elif store == "cluster":
        there.pods.hold(**{name: there.old})
    elif store == "supabase":
        name = "VITE_SUPABASE_SERVICE_ROLE_KEY"
        there.project.secret(name, "another")
    else:
        name, shown = "VITE_SUPABASE_ANON_KEY", Secret("sb_secret_9f3Kq7Zr2Lm8Xw4T5Hd8Wq1Xv6Np")
        reading = type(there.reading)(lab.settings.model_copy(update={"supabase_anon_key": shown}), there.run)
    with pytest.raises(Refused, match=f"{store}: {name}"):
        there.step(StageKey).plan(reading)
    if reading is not there.reading:
        reading.close()


def test_a_key_that_also_stands_under_its_other_name_is_refused(there):
    there.kept.put(SUPABASE_SERVICE_ROLE_KEY=there.old)
    with pytest.raises(Refused, match="vault: SUPABASE_SERVICE_ROLE_KEY"):
        there.step(StageKey).plan(there.reading)


def test_a_key_in_another_secret_of_pods_is_refused_as_it_would_stay_there(there):
    there.pods.hold(SUPABASE_SERVICE_ROLE_KEY=there.old)
    there.pods.mount("worker-files", **{"app.env": f"KEY={there.old}\n"})
    with pytest.raises(Refused, match=r"valuecanvas-secrets: SUPABASE_SERVICE_ROLE_KEY; worker-files: app\.env"):
        there.step(StageKey).plan(there.reading)


def test_functions_get_their_keys_from_supabase_itself_and_nothing_is_set(promoted):
    _, plan, _, looked = promoted.do(SetFunctionKey)
    assert (plan.touches, looked.verdict) == (0, Verdict.OK)
    assert "itself" in looked.summary
    assert promoted.project.posts("/secrets") == []


def test_the_old_key_is_deleted_last_and_the_new_one_serves(deployed):
    action, plan, values, looked = deployed.do(RevokeOldKey, **NOW)
    assert (looked.verdict, looked.summary) == (Verdict.OK, "Supabase refuses the old key (401) and takes the new one.")
    assert deployed.board.accounts() == made(deployed)
    assert action.settle(deployed.writing, plan, quiet).outcome is Outcome.DONE
    assert look(deployed)["supabase"] == "healthy"
    with pytest.raises(Refused, match="cannot be undone"):
        action.undo(deployed.writing, plan, values, quiet)


def test_nothing_is_revoked_while_pods_have_the_old_key_or_it_was_just_used(promoted):
    action = promoted.step(RevokeOldKey, idle_minutes=1.0, wait_seconds=5.0)
    plan = action.plan(promoted.reading)
    with pytest.raises(Refused, match="still in: the cluster's secret valuecanvas-secrets"):
        action.apply(promoted.writing, plan, quiet)
    promoted.until(SetClusterKey)
    promoted.reading.door.takes(Secret(promoted.old))
    with pytest.raises(Refused, match="was used"):
        action.apply(promoted.writing, plan, quiet)
    assert "default" in promoted.board.accounts()


def test_a_function_that_reads_the_old_key_by_its_name_stops_the_plan(promoted):
    source = 'const key = JSON.parse(Deno.env.get("SUPABASE_SECRET_KEYS")!)["default"];'
    reads(promoted, source)
    with pytest.raises(Refused, match="by its name, as Supabase hands it to them: hello"):
        promoted.step(RevokeOldKey, **NOW).plan(promoted.reading)


def reads(there, source):
    files = there.project.state["functions"]["hello"]["files"]
    there.project.function("hello", files={path: base64.b64encode(source.encode()).decode() for path in files})


def test_the_older_key_is_replaced_by_one_of_today_and_taken_no_more(older):
    there, old = older
    there.until(StageKey, TryKey, PromoteKey, SetFunctionKey, SetClusterKey)
    look(there)
    action, plan, values, looked = there.do(RevokeOldKey, **NOW)
    assert (plan.touches, action.most, plan.after["named"]) == (2, 2, "anon and service_role")
    # As it was signed, it passes as a bearer token until what signed it is not trusted any more.
    assert (looked.verdict, "key=older" in looked.summary) == (Verdict.WARNING, True)
    assert there.project.state["legacy_keys"] is False
    assert there.reading.door.takes(Secret(old)) is False
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.DONE
    assert action.undo(there.writing, plan, values, quiet).verdict is Verdict.OK
    assert there.reading.door.takes(Secret(old))


def test_older_keys_go_together_so_a_front_end_or_a_function_with_one_stops_the_plan(older, lab):
    there, _ = older
    there.until(StageKey)
    target = type(there.reading)(lab.settings, there.run)
    with pytest.raises(Refused, match="VITE_SUPABASE_ANON_KEY"):
        there.step(RevokeOldKey, **NOW).plan(target)
    target.close()
    reads(there, 'Deno.env.get("SUPABASE_SERVICE_ROLE_KEY")')
    with pytest.raises(Refused, match="hello"):
        there.step(RevokeOldKey, **NOW).plan(there.reading)


def test_neither_key_nor_a_hash_of_one_is_in_what_is_recorded(deployed):
    new, said = deployed.new(), []
    _, *recorded = deployed.do(RevokeOldKey, **NOW)
    said = json.dumps([to_json(one) for one in recorded])
    assert not [one for key in (new, deployed.old) for one in (key, digest(key), key[:14]) if one in said]


def test_every_call_is_as_supabase_describes_it(deployed):
    deployed.do(RevokeOldKey, **NOW)
    spec = specs.load("supabase-management.json", "/supabase")
    # A function's source as a form is not described.
    every = [call for call in deployed.doors.calls("supabase") if "/v1/projects/" in call["path"]]
    calls = [call for call in every if not call["path"].endswith("/body")]
    assert {"POST", "DELETE"} <= {call["method"] for call in calls if "/api-keys" in call["path"]}
    assert [fault for call in calls for fault in spec.faults(call)] == []
    assert deployed.new() not in json.dumps(every)
    auth = specs.load("supabase-auth.yaml", f"/supabase/sites/{PROJECT}/auth/v1")
    asked = deployed.board.calls("GET", "/auth/v1/admin/users")
    assert [fault for call in asked for fault in auth.faults(call)] == []
