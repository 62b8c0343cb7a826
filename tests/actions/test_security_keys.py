"""A new key staged once, tried before anything reads it, and made the vault's current one; each with its way back."""

import json

import pytest

from opslib.actions.security import PromoteKey, RevokeOldKey, SetClusterKey, SetFunctionKey, StageKey, TryKey
from opslib.canonical import to_json
from opslib.errors import OpsError, Refused, Unreachable
from opslib.lab.broken import find
from opslib.lab.vendors.provider_keys import kept
from opslib.model import Effect, Outcome, Repeat, Verdict
from opslib.probes.security_keys import version_of
from tests.actions.keys import NEW, place, quiet
from tests.scale import first
from tests.supabase import digest


@pytest.fixture
def openai(lab):
    with place(lab.settings, "openai") as made:
        yield made


@pytest.fixture
def together(lab):
    with place(lab.settings, "together") as made:
        yield made


@pytest.fixture(params=["openai", "together"])
def either(lab, request):
    with place(lab.settings, request.param) as made:
        if request.param == "together":
            made.stage()
        yield made


def stages(there):
    listed = there.kept.client.list_secret_version_ids(SecretId=there.kept.name)["Versions"]
    return {stage: one["VersionId"] for one in listed for stage in one["VersionStages"]}


def made(there):
    return [name for name in there.board.accounts() if name.startswith("ops-")]


def test_a_plan_names_version_and_account_and_changes_nothing(openai):
    before, standing = openai.doors.state(), stages(openai)
    action = openai.step(StageKey)
    plan = action.plan(openai.reading)
    version = version_of(openai.run, action.of)
    assert plan.after == {"AWSPENDING": f"version {version}", "service account": f"ops-openai-api-key-{version[:8]}"}
    assert (plan.touches, plan.digest) == (2, action.plan(openai.reading).digest)
    assert (openai.doors.state(), stages(openai), made(openai)) == (before, standing, [])
    assert {call["method"] for call in openai.board.calls()} == {"GET"}


def test_a_key_is_made_once_staged_and_read_by_nothing(openai):
    _, _, values, looked = openai.do(StageKey)
    assert (looked.verdict, len(made(openai))) == (Verdict.OK, 1)
    assert stages(openai)["AWSPENDING"] == values["version"]
    assert openai.kept.values()[openai.variable] == openai.old
    assert set(openai.pods.started_with(openai.variable)) == {openai.old}


def test_the_undo_deletes_account_and_stage(openai):
    action, plan, values, _ = openai.do(StageKey)
    looked = action.undo(openai.writing, plan, values, quiet)
    assert (looked.verdict, made(openai), "AWSPENDING" in stages(openai)) == (Verdict.OK, [], False)


def test_a_lost_answer_of_create_key_leaves_no_second_key(openai):
    action = openai.step(StageKey)
    plan = action.plan(openai.reading)
    with openai.doors.fault("openai", "lost", method="POST", times=1), pytest.raises(Unreachable):
        action.apply(openai.writing, plan, quiet)
    assert len(made(openai)) == 1
    settled = action.settle(openai.writing, plan, quiet)
    assert (settled.outcome, made(openai)) == (Outcome.NOT_DONE, [])
    assert "1 service accounts without a staged key were deleted" in settled.why
    assert action.plan(openai.reading).digest == plan.digest
    openai.until(StageKey)
    assert len(made(openai)) == 1


def test_a_key_that_could_not_be_put_into_the_vault_is_deleted_again(openai, lab):
    action = openai.step(StageKey)
    plan = action.plan(openai.reading)
    broken = type(openai.writing)(
        lab.settings.model_copy(update={"vault_aws_access_key_id": None, "aws_access_key_id": None}), openai.run
    )
    broken.settings = lab.settings.model_copy(update={"vault_secret": "elsewhere"})
    with pytest.raises(OpsError):
        action.apply(broken, plan, quiet)
    broken.close()
    assert len(made(openai)) == 1
    settled = action.settle(openai.writing, plan, quiet)
    assert (settled.outcome, made(openai), "AWSPENDING" in stages(openai)) == (Outcome.NOT_DONE, [], False)


def test_an_apply_that_was_killed_after_its_end_is_done(openai):
    action, plan, values, _ = openai.do(StageKey)
    settled = action.settle(openai.writing, plan, quiet)
    assert (settled.outcome, settled.values) == (Outcome.DONE, values)


@pytest.mark.parametrize(
    "fault", first(4, "401", "429", "cut", "malformed", "403", "404", "409", "422", "500", "empty")
)
def test_an_openai_that_fails_stages_nothing(openai, fault):
    action = openai.step(StageKey)
    plan = action.plan(openai.reading)
    with openai.doors.fault("openai", fault, method="POST", seconds=70), pytest.raises(Unreachable) as told:
        action.apply(openai.writing, plan, quiet)
    assert told.value.next_step
    assert action.settle(openai.writing, plan, quiet).outcome is Outcome.NOT_DONE
    assert (made(openai), "AWSPENDING" in stages(openai)) == ([], False)


def test_another_rotation_that_is_under_way_is_not_disturbed(openai):
    version = openai.put_pending(OPENAI_API_KEY="sk-of-another-run-9f3Kq7Zr")
    with pytest.raises(Refused, match=version):
        openai.step(StageKey).plan(openai.reading)


def test_a_key_of_another_project_is_refused(openai):
    value, state = "sk-of-another-project-9f3Kq7Zr", openai.doors.state()["openai"]
    other = kept(value, name="theirs", created=0, user="user_bob", project="proj_theirs")
    openai.doors.put(openai={**state, "keys": {**state["keys"], "key_theirs": other}})
    openai.kept.put(OPENAI_API_KEY=value)
    with pytest.raises(Refused, match="none of the project") as told:
        openai.step(StageKey).plan(openai.reading)
    assert "OPENAI_PROJECT_ID" in told.value.next_step


def test_a_key_that_the_provider_took_away_is_replaced_and_nothing_is_left_to_revoke(openai):
    find("openai-key-revoked").make(openai.settings)
    _, plan, _, looked = openai.do(StageKey)
    assert (looked.verdict, "no more" in plan.observed["old key was used"]) == (Verdict.OK, True)
    openai.until(TryKey, PromoteKey, SetFunctionKey, SetClusterKey)
    action, plan, values, looked = openai.do(RevokeOldKey, idle_minutes=0)
    assert (plan.touches, looked.verdict) == (0, Verdict.OK)
    assert action.settle(openai.writing, plan, quiet).outcome is Outcome.DONE
    assert action.undo(openai.writing, plan, values, quiet).verdict is Verdict.OK


@pytest.mark.parametrize("store", ["vault", "supabase", "cluster", "front end"])
def test_a_key_under_a_public_name_anywhere_is_refused(openai, store):
    name = "VITE_OPENAI_API_KEY"
    if store == "vault":
        openai.kept.put(**{name: "sk-shown-9f3Kq7Zr2Lm8"})
    elif store == "supabase":
        openai.project.secret(name, "sk-shown-9f3Kq7Zr2Lm8")
    elif store == "cluster":
        openai.pods.hold(**{name: "sk-shown-9f3Kq7Zr2Lm8"})
    else:
        state = openai.doors.state()["vercel"]
        one = {**state["variables"][0], "name": name}
        openai.doors.put(vercel={**state, "variables": [*state["variables"], one]})
    with pytest.raises(Refused, match=f"{store}: {name}"):
        openai.step(StageKey).plan(openai.reading)


def test_a_staged_key_of_a_person_is_looked_at_and_nothing_is_made(together):
    together.stage()
    _, plan, values, looked = together.do(StageKey)
    assert (plan.touches, looked.verdict) == (0, Verdict.OK)
    assert values == {"version": stages(together)["AWSPENDING"]}
    assert together.board.calls("POST") == []


def test_what_a_person_staged_wrongly_is_refused_with_the_way(together):
    def refused(said):
        with pytest.raises(Refused, match=said) as told:
            together.step(StageKey).plan(together.reading)
        assert told.value.next_step
        assert NEW not in str(told.value)

    refused("no version with the stage AWSPENDING")
    together.put_pending()
    refused("the same as before")
    together.put_pending(TOGETHER_API_KEY=NEW, JWT_SECRET="another-9f3Kq7Zr2Lm8")
    refused("differs in JWT_SECRET, TOGETHER_API_KEY")
    together.put_pending(TOGETHER_API_KEY=NEW)
    refused("does not take the staged key")
    together.put_pending(TOGETHER_API_KEY="your-key-here")
    refused("is a placeholder")


def test_the_new_key_is_tried_for_one_word_and_what_it_cost_is_said(either):
    either.until(StageKey)
    _, plan, values, looked = either.do(TryKey)
    assert (plan.effect, plan.repeat, plan.touches) == (Effect.READ, Repeat.REPEATABLE, 0)
    assert "0.0001 USD" in plan.after["tried"]
    assert (looked.verdict, values["tokens"] < 5) == (Verdict.OK, True)
    (asked,) = either.board.calls("POST", "/chat/completions")
    assert json.loads(asked["body"])["max_tokens"] == 1
    assert set(either.pods.started_with(either.variable)) == {either.old}


def test_a_key_that_the_provider_does_not_take_stops_before_anything_reads_it(together):
    together.stage()
    together.until(StageKey)
    together.board.revoke("key_new")
    action = together.step(TryKey)
    plan = action.plan(together.reading)
    with pytest.raises(Refused, match="does not take the new key") as told:
        action.apply(together.writing, plan, quiet)
    assert NEW[:8] not in str(told.value)


def test_a_key_whose_calls_are_another_projects_is_refused(openai, lab):
    openai.until(StageKey)
    action = openai.step(TryKey)
    plan = action.plan(openai.reading)
    elsewhere = type(openai.writing)(lab.settings.model_copy(update={"openai_project": "proj_other"}), openai.run)
    with pytest.raises(Refused, match="of the project proj_valuecanvas, not of proj_other"):
        action.apply(elsewhere, plan, quiet)
    elsewhere.close()


@pytest.mark.parametrize("fault", first(2, "429", "malformed", "500", "cut", "empty"))
def test_a_provider_that_fails_is_no_proof_of_a_key(either, fault):
    either.until(StageKey)
    action = either.step(TryKey)
    plan = action.plan(either.reading)
    with either.doors.fault(either.provider, fault, method="POST", seconds=70), pytest.raises(Unreachable):
        action.apply(either.writing, plan, quiet)


def test_the_stages_move_and_move_back(either):
    either.until(StageKey)
    before = stages(either)
    action, plan, values, looked = either.do(PromoteKey)
    assert looked.verdict is Verdict.OK
    assert (stages(either)["AWSCURRENT"], stages(either)["AWSPREVIOUS"]) == (before["AWSPENDING"], before["AWSCURRENT"])
    assert either.new() != either.old
    assert action.settle(either.writing, plan, quiet).outcome is Outcome.DONE
    back = action.undo(either.writing, plan, values, quiet)
    assert (back.verdict, either.new(), action.settle(either.writing, plan, quiet).outcome) == (
        Verdict.OK,
        either.old,
        Outcome.NOT_DONE,
    )


def test_a_version_that_somebody_put_meanwhile_is_not_lost(either):
    either.until(StageKey)
    action = either.step(PromoteKey)
    plan = action.plan(either.reading)
    either.kept.put(JWT_SECRET="of-somebody-9f3Kq7Zr2Lm8")
    assert action.plan(either.reading).digest != plan.digest
    with pytest.raises(Refused, match="not the current one any more"):
        action.apply(either.writing, plan, quiet)
    assert either.kept.values()["JWT_SECRET"] == "of-somebody-9f3Kq7Zr2Lm8"
    assert action.settle(either.writing, plan, quiet).outcome is Outcome.UNKNOWN


def test_nothing_is_promoted_or_tried_that_is_not_staged(openai):
    for kind in (TryKey, PromoteKey):
        action = openai.step(kind)
        plan = action.plan(openai.reading)
        with pytest.raises(Refused, match="not staged"):
            action.apply(openai.writing, plan, quiet)


def test_the_later_steps_plan_the_same_before_and_after_the_first_ones(either):
    planned = [either.step(kind).plan(either.reading).digest for kind in (TryKey, PromoteKey)]
    either.until(StageKey)
    assert [either.step(kind).plan(either.reading).digest for kind in (TryKey, PromoteKey)] == planned


def test_neither_key_nor_a_digest_of_one_is_in_what_is_recorded(either):
    said = []
    for kind in (StageKey, TryKey, PromoteKey):
        _, *recorded = either.do(kind)
        said += [to_json(one) for one in recorded]
    text = json.dumps(said)
    assert not [one for key in (either.old, either.new()) for one in (key, digest(key), key[:14]) if one in text]


def test_an_unknown_vault_is_an_error_with_a_next_step(openai, lab):
    lost = type(openai.reading)(lab.settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"}), openai.run)
    with pytest.raises(Unreachable, match="Secrets Manager"):
        openai.step(StageKey).plan(lost)
    lost.close()
