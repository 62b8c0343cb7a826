"""A secret of the functions at the lab's Supabase, set from the lab's vault: once, compared, taken back."""

import json

import pytest

from opslib.actions.supabase import SetFunctionSecret
from opslib.canonical import to_json
from opslib.errors import OpsError, Refused, Unreachable
from opslib.model import Outcome, Verdict
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.scale import first
from tests.supabase import digest, project
from tests.vaults import shelf

RUN = "20261128T130614Z-runbooks-deploy-supabase-a1b2c3"
NAME = "TOGETHER_API_KEY"
OLD, NEW = "tg-v1-old-9f3Kq7Zr2Lm8", "tg-v1-new-5Hd8Wq1Xv6Np"
ACTION = SetFunctionSecret(variable=NAME, key=NAME)


def quiet(text, done=None, total=None):
    pass


@pytest.fixture
def there(lab):
    with project(lab.settings) as made:
        made.secret("OPENAI_API_KEY", "sk-somebodys-own-key")
        yield made


@pytest.fixture
def kept(lab):
    with shelf(lab.settings) as made:
        made.put(TOGETHER_API_KEY=OLD)
        made.put(TOGETHER_API_KEY=NEW)
        yield made


@pytest.fixture
def targets(lab, there, kept):
    made = PlanTarget(lab.settings, RUN), VerifyTarget(lab.settings, RUN), WriteTarget(lab.settings, RUN)
    yield made
    for target in made:
        target.close()


def carry_out(targets, action=ACTION):
    reading, looking, writing = targets
    plan = action.plan(reading)
    values = action.apply(writing, plan, quiet)
    return plan, values, action.verify(looking, plan, values)


def listed(there, name=NAME):
    return there.state["secrets"].get(name, {}).get("value")


def test_a_plan_says_where_the_value_comes_from_and_changes_nothing(there, targets):
    there.secret(NAME, OLD)
    before = there.state
    plan = ACTION.plan(targets[0])
    assert (plan.touches, plan.before["as in the vault"], plan.after["as in the vault"]) == (1, "no", "yes")
    assert plan.fingerprint["before"] in plan.undo
    assert plan.digest == ACTION.plan(targets[0]).digest
    assert (there.state == before, there.posts()) == (True, [])


def test_neither_a_value_nor_a_digest_of_one_is_in_what_is_recorded(there, targets):
    there.secret(NAME, OLD)
    plan, values, looked = carry_out(targets)
    back = ACTION.undo(targets[2], plan, values, quiet)
    said = json.dumps([to_json(one) for one in (plan, values, looked, back)])
    assert not [secret for value in (OLD, NEW) for secret in (value, digest(value)) if secret in said]


def test_the_secret_is_set_once_compared_and_the_functions_are_called(there, targets):
    there.secret(NAME, OLD)
    *_, looked = carry_out(targets)
    assert (looked.verdict, listed(there) == digest(NEW), len(there.posts())) == (Verdict.OK, True, 1)
    assert "2 of 2 functions answer" in looked.summary


def test_a_value_that_is_set_already_is_not_set_again(there, targets):
    there.secret(NAME, NEW)
    plan, _, looked = carry_out(targets)
    assert (plan.touches, looked.verdict, there.posts()) == (0, Verdict.OK, [])


@pytest.mark.parametrize("before", [OLD, None])
def test_what_was_before_is_set_again_or_deleted(there, targets, before):
    there.secret(NAME, before)
    plan, values, _ = carry_out(targets)
    looked = ACTION.undo(targets[2], plan, values, quiet)
    assert (looked.verdict, listed(there)) == (Verdict.OK, before and digest(before))


def test_what_no_version_of_the_vault_has_cannot_be_set_again_and_the_plan_says_so(there, targets):
    there.secret(NAME, "a value that only somebody's head has")
    plan, values, _ = carry_out(targets)
    assert plan.undo.startswith("None")
    with pytest.raises(Refused, match="of no version of the vault"):
        ACTION.undo(targets[2], plan, values, quiet)
    assert listed(there) == digest(NEW)


def test_what_somebody_set_since_is_not_overwritten_by_an_undo(there, targets):
    there.secret(NAME, OLD)
    plan, values, _ = carry_out(targets)
    there.secret(NAME, "set by somebody since")
    with pytest.raises(Refused, match="somebody set it since"):
        ACTION.undo(targets[2], plan, values, quiet)
    assert listed(there) == digest("set by somebody since")


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("SUPABASE_SERVICE_ROLE_KEY", "platform's own"),
        ("VITE_TOGETHER_API_KEY", "public"),
        ("NEXT_PUBLIC_X", "NEXT_PUBLIC_ into"),
    ],
)
def test_names_that_must_not_be_set_are_refused(targets, variable, said):
    with pytest.raises(Refused, match=said):
        SetFunctionSecret(variable=variable, key=NAME).plan(targets[0])


@pytest.mark.parametrize("value", ["", "your-key", None])
def test_a_vault_without_a_real_value_is_refused(targets, kept, there, value):
    kept.put(TOGETHER_API_KEY=value)
    with pytest.raises(Refused, match=f"{NAME}"):
        ACTION.plan(targets[0])
    assert there.posts() == []


def test_a_vault_that_moved_since_the_plan_is_refused(there, targets, kept):
    plan = ACTION.plan(targets[0])
    kept.put(TOGETHER_API_KEY=OLD)
    assert ACTION.plan(targets[0]).digest != plan.digest
    with pytest.raises(Refused, match="not at version"):
        ACTION.apply(targets[2], plan, quiet)
    assert there.posts() == []


def test_a_secret_that_somebody_set_since_the_plan_makes_another_plan(there, targets):
    plan = ACTION.plan(targets[0])
    there.secret(NAME, "another", "2026-11-20T09:00:00.000000Z")
    assert ACTION.plan(targets[0]).digest != plan.digest


def test_a_vault_that_cannot_be_reached_is_unknown(lab, there):
    lost = lab.settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    target = PlanTarget(lost, RUN)
    with pytest.raises(Unreachable, match="Secrets Manager"):
        ACTION.plan(target)
    target.close()


def test_an_answer_that_is_lost_is_settled_by_the_digest(there, targets):
    reading, looking, writing = targets
    there.secret(NAME, OLD)
    plan = ACTION.plan(reading)
    with there.doors.fault("supabase", "lost", method="POST"), pytest.raises(Unreachable):
        ACTION.apply(writing, plan, quiet)
    settled = ACTION.settle(writing, plan, quiet)
    assert settled.outcome is Outcome.DONE
    assert ACTION.verify(looking, plan, settled.values).verdict is Verdict.OK
    assert len(there.posts()) == 1


@pytest.mark.parametrize("fault", first(2, "cut", "422", "500", "401"))
@pytest.mark.parametrize("before", [OLD, None])
def test_a_call_that_did_nothing_is_settled_as_not_done(there, targets, before, fault):
    there.secret(NAME, before)
    plan = ACTION.plan(targets[0])
    with there.doors.fault("supabase", fault, method="POST"), pytest.raises(Unreachable):
        ACTION.apply(targets[2], plan, quiet)
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE


def test_what_is_neither_as_before_nor_as_in_the_vault_nobody_can_tell(there, targets):
    plan = ACTION.plan(targets[0])
    there.secret(NAME, "a third", "2026-11-20T09:00:00.000000Z")
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN
    there.secret(NAME, "a third", None)
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN


def test_a_success_that_set_nothing_is_critical(there, targets):
    there.secret(NAME, OLD)
    with there.doors.fault("supabase", "malformed", method="POST"):
        *_, looked = carry_out(targets)
    assert (looked.verdict, "is not as in version" in looked.summary) == (Verdict.CRITICAL, True)


def test_a_function_that_fails_since_is_critical_and_one_that_failed_before_is_told(there, targets):
    there.secret("OPENAI_API_KEY", None)
    plan, values, looked = carry_out(targets)
    assert (looked.verdict, "1 of 2 functions answer" in looked.summary) == (Verdict.OK, True)
    there.function("hello", status="THROTTLED")
    looked = ACTION.verify(targets[1], plan, values)
    assert (looked.verdict, "hello answers 546" in looked.summary) == (Verdict.CRITICAL, True)


@pytest.mark.parametrize("fault", first(2, "403", "malformed", "404", "500", "empty"))
def test_what_supabase_does_not_tell_is_an_error_of_ours_with_a_next_step(there, targets, fault):
    with there.doors.fault("supabase", fault, path="/secrets"), pytest.raises(OpsError) as told:
        ACTION.plan(targets[0])
    assert told.value.next_step
