"""Functions of a commit at the lab's Supabase: what differs is deployed, verified file by file, and taken back."""

import base64
import json
from dataclasses import replace

import pytest

from opslib.actions.supabase import DeployFunctions
from opslib.errors import Refused, Unreachable
from opslib.lab.vendors import product
from opslib.lab.vendors.product import COMMITTED, HELLO, NEW
from opslib.model import Outcome, Verdict
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.scale import first
from tests.supabase import project

RUN = "20261128T130614Z-runbooks-deploy-supabase-a1b2c3"
ACTION = DeployFunctions(ref="main")


def quiet(text, done=None, total=None):
    pass


@pytest.fixture
def there(lab):
    with project(lab.settings) as made:
        made.secret("OPENAI_API_KEY", "sk-somebodys-own-key")
        yield made


@pytest.fixture
def folder(tmp_path):
    product.write(tmp_path / "checkout")
    return tmp_path / "checkout"


@pytest.fixture
def targets(lab, there, folder):
    settings = lab.settings.model_copy(update={"checkout": folder})
    made = PlanTarget(settings, RUN), VerifyTarget(settings, RUN), WriteTarget(settings, RUN)
    yield made
    for target in made:
        target.close()


def carry_out(targets):
    reading, looking, writing = targets
    plan = ACTION.plan(reading)
    values = ACTION.apply(writing, plan, quiet)
    return plan, values, ACTION.verify(looking, plan, values)


def versions(there):
    return {slug: one["version"] for slug, one in there.state["functions"].items()}


def deployed(there, slug, path):
    return base64.b64decode(there.state["functions"][slug]["files"][path])


def test_a_plan_names_what_differs_from_the_commit_and_changes_nothing(there, targets, folder):
    before = there.state
    plan = ACTION.plan(targets[0])
    assert plan.before.keys() == {"hello", "summarise"}
    assert plan.before["summarise"] == "not deployed"
    assert plan.after["hello"].startswith("version 2, ")
    assert plan.observed["as in the commit"] == ["llm-ready"]
    assert plan.fingerprint["commit"] == product.git(folder, "rev-parse", "main").strip()
    assert plan.digest == ACTION.plan(targets[0]).digest
    assert (there.state == before, there.posts()) == (True, [])


def test_what_differs_is_deployed_with_progress_and_verified_file_by_file(there, targets):
    told = []
    plan = ACTION.plan(targets[0])
    values = ACTION.apply(targets[2], plan, lambda text, done=None, total=None: told.append(text))
    looked = ACTION.verify(targets[1], plan, values)
    assert (looked.verdict, versions(there)) == (Verdict.OK, {"hello": 2, "llm-ready": 1, "summarise": 1})
    assert (deployed(there, "hello", HELLO), deployed(there, "summarise", NEW)) == (COMMITTED[HELLO], COMMITTED[NEW])
    assert [row.get("answers") for row in looked.rows] == [200, None]
    assert "hello is version 2" in told
    assert ACTION.plan(targets[0]).touches == 0


def test_what_is_in_the_working_tree_is_not_deployed(there, targets, folder):
    (folder / HELLO).write_bytes(b"Deno.serve(() => new Response('mine'));\n")
    carry_out(targets)
    assert deployed(there, "hello", HELLO) == COMMITTED[HELLO]
    assert (folder / HELLO).read_bytes().endswith(b"'mine'));\n")


def test_the_kept_bodies_are_deployed_again_and_what_was_not_there_is_deleted(there, targets):
    before = there.state["functions"]
    plan, values, _ = carry_out(targets)
    looked = ACTION.undo(targets[2], plan, values, quiet)
    assert (looked.verdict, versions(there)) == (Verdict.OK, {"hello": 3, "llm-ready": 1})
    assert there.state["functions"]["hello"]["files"] == before["hello"]["files"]
    assert there.state["functions"]["hello"]["verify_jwt"] == before["hello"]["verify_jwt"]


def test_a_kept_body_that_somebody_changed_is_not_deployed(there, targets):
    plan, values, _ = carry_out(targets)
    steps = {**plan.fingerprint["functions"]}
    steps["hello"] = {**steps["hello"], "kept": "0" * 64}
    with pytest.raises(Refused, match="kept body of hello cannot be read"):
        ACTION.undo(targets[2], replace(plan, fingerprint={**plan.fingerprint, "functions": steps}), values, quiet)
    assert versions(there)["hello"] == 2


def test_what_somebody_deployed_since_is_not_taken_back(there, targets):
    plan, values, _ = carry_out(targets)
    there.function("hello", version=7)
    with pytest.raises(Refused, match="hello was deployed by somebody since"):
        ACTION.undo(targets[2], plan, values, quiet)
    assert "summarise" in versions(there)


def test_what_somebody_deployed_since_the_plan_is_not_replaced(there, targets):
    plan = ACTION.plan(targets[0])
    there.function("hello", files={HELLO: base64.b64encode(b"// by hand\n").decode()}, version=2)
    assert ACTION.plan(targets[0]).digest != plan.digest
    with pytest.raises(Refused, match="hello is not as it was planned with"):
        ACTION.apply(targets[2], plan, quiet)
    assert there.posts() == []


@pytest.mark.parametrize("change", [{"limit": 2}, {}])
def test_a_deployment_that_breaks_off_in_the_middle_can_be_gone_on_with_or_taken_back(there, targets, change):
    reading, looking, writing = targets
    plan = ACTION.plan(reading)
    there.change(limit=2)
    with pytest.raises(Unreachable, match="Max number of functions"):
        ACTION.apply(writing, plan, quiet)
    settled = ACTION.settle(writing, plan, quiet)
    assert (settled.outcome, "Deployed: hello" in settled.why) == (Outcome.PARTLY, True)
    if change:
        assert ACTION.undo(writing, plan, settled.values, quiet).verdict is Verdict.OK
        assert versions(there) == {"hello": 3, "llm-ready": 1}
        return
    there.change(limit=9)
    values = ACTION.apply(writing, plan, quiet)
    assert ACTION.verify(looking, plan, values).verdict is Verdict.OK
    assert versions(there) == {"hello": 2, "llm-ready": 1, "summarise": 1}


def test_an_answer_that_is_lost_is_settled_by_looking_and_nothing_is_deployed_twice(there, targets):
    reading, looking, writing = targets
    plan = ACTION.plan(reading)
    with there.doors.fault("supabase", "lost", method="POST"), pytest.raises(Unreachable):
        ACTION.apply(writing, plan, quiet)
    assert ACTION.settle(writing, plan, quiet).outcome is Outcome.PARTLY
    values = ACTION.apply(writing, plan, quiet)
    assert ACTION.settle(writing, plan, quiet).outcome is Outcome.DONE
    assert ACTION.verify(looking, plan, values).verdict is Verdict.OK
    assert versions(there) == {"hello": 2, "llm-ready": 1, "summarise": 1}


@pytest.mark.parametrize("fault", first(2, "402", "cut", "500", "422"))
def test_a_call_that_did_nothing_is_settled_as_not_done(there, targets, fault):
    plan = ACTION.plan(targets[0])
    with there.doors.fault("supabase", fault, method="POST"), pytest.raises(Unreachable):
        ACTION.apply(targets[2], plan, quiet)
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE


def test_a_third_state_nobody_can_tell(there, targets):
    plan = ACTION.plan(targets[0])
    there.function("hello", files={HELLO: base64.b64encode(b"// by hand\n").decode()})
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN


def test_a_success_that_deployed_nothing_is_critical(there, targets):
    there.change(loses="hello")
    *_, looked = carry_out(targets)
    assert (looked.verdict, "hello is not as in the commit" in looked.summary) == (Verdict.CRITICAL, True)


@pytest.mark.parametrize("status", ["THROTTLED", "REMOVED"])
def test_a_function_that_is_not_active_afterwards_is_critical(there, targets, status):
    plan, values, _ = carry_out(targets)
    there.function("hello", status=status)
    looked = ACTION.verify(targets[1], plan, values)
    assert (looked.verdict, f"hello is {status}" in looked.summary) == (Verdict.CRITICAL, True)


def test_a_function_that_fails_when_it_is_called_is_critical(there, targets, folder):
    text = COMMITTED[HELLO] + b'Deno.env.get("A_KEY_THAT_NOBODY_SET");\n'
    product.commit(folder, {HELLO: text})
    *_, looked = carry_out(targets)
    assert (looked.verdict, "hello answers 500" in looked.summary) == (Verdict.CRITICAL, True)


def test_functions_are_not_deployed_before_their_migrations(there, targets, folder):
    path = "supabase/migrations/20990101000000_later.sql"
    product.commit(folder, {path: b"select 1;\n"})
    with pytest.raises(Refused, match="lacks 1 migrations") as refused:
        ACTION.plan(targets[0])
    assert "runbooks/migrate-database" in refused.value.next_step


def test_a_commit_without_functions_is_refused(targets, folder):
    product.git(folder, "rm", "-r", "--quiet", "supabase/functions")
    product.commit(folder, {})
    with pytest.raises(Refused, match="no functions"):
        ACTION.plan(targets[0])


def test_a_commit_that_is_rewritten_under_a_plan_is_not_deployed(there, targets):
    plan = ACTION.plan(targets[0])
    said = json.loads(json.dumps(plan.fingerprint))
    said["functions"]["hello"]["after"] = "0" * 64
    plan.fingerprint.clear()
    plan.fingerprint.update(said)
    with pytest.raises(Refused, match="not what was planned"):
        ACTION.apply(targets[2], plan, quiet)
    assert there.posts() == []
