"""Signing keys: the next one made and published, brought into use, seen on a token, the one before revoked last."""

import json

import pytest

from opslib.actions.security import PrepareSigningKey, RevokeSigningKey, RotateSigningKey, TrySigningKey
from opslib.canonical import to_json
from opslib.errors import OpsError, Refused, Unreachable
from opslib.lab.production import PROJECT
from opslib.model import Effect, Outcome, Repeat, Verdict
from tests import specs
from tests.actions.keys import place
from tests.scale import first
from tests.signing_keys import CURRENT, OLDER, quiet, signers

AT_ONCE = {"publish_minutes": 0.0}
FAULTS = first(3, "403", "429", "malformed", "401", "404", "409", "422", "500", "cut", "empty")


@pytest.fixture
def there(lab):
    with signers(lab.settings) as made:
        yield made


@pytest.fixture
def ready(there):
    _, values, looked = there.do(PrepareSigningKey())
    assert looked.verdict == "OK", looked
    return there, values["key"]


@pytest.fixture
def rotated(ready):
    there, key = ready
    *_, looked = there.do(RotateSigningKey(**AT_ONCE))
    assert looked.verdict == "OK", looked
    return there, key


def alone(there, **said):
    """Let the project sign with the shared secret, as one that was never told of another key."""
    keys = there.project.state["signing_keys"]
    there.project.change(signing_keys={OLDER: {**keys[OLDER], **said}} if said else {})


# The next key.


def test_a_plan_makes_nothing(there):
    before = there.doors.state()
    plans = [PrepareSigningKey().plan(there.reading), RotateSigningKey().plan(there.reading)]
    assert ([plan.touches for plan in plans], there.doors.state()) == ([1, 1], before)
    assert plans[1].before["signs"] == f"ES256 {CURRENT}"
    assert there.project.posts() == []


def test_the_next_key_is_published_and_signs_nothing(there):
    action = PrepareSigningKey()
    plan, values, looked = there.do(action)
    assert (looked.verdict, there.statuses()[values["key"]], there.statuses()[CURRENT]) == (
        Verdict.OK,
        "standby",
        "in_use",
    )
    assert "is in the public set" in looked.summary
    assert there.do(TrySigningKey())[1]["key"] == CURRENT
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.DONE
    assert action.undo(there.writing, plan, values, quiet).verdict is Verdict.OK
    assert there.statuses()[values["key"]] == "revoked"


def test_a_standby_key_that_is_there_is_taken_and_stays_after_the_undo(ready):
    there, key = ready
    action = PrepareSigningKey()
    plan, values, looked = there.do(action)
    assert (plan.touches, values, looked.verdict) == (0, {"key": key, "made": False}, Verdict.OK)
    action.undo(there.writing, plan, values, quiet)
    assert there.statuses()[key] == "standby"


def test_a_project_without_signing_keys_is_refused_with_the_reason_and_the_way(there):
    alone(there)
    with pytest.raises(Refused, match="anon and service_role at once, and sign everybody out") as told:
        PrepareSigningKey().plan(there.reading)
    assert "Migrate JWT secret" in told.value.next_step


def test_a_shared_secret_is_nobodys_next_key(ready):
    there, key = ready
    there.put(key, algorithm="HS256")
    with pytest.raises(Refused, match="whoever checks tokens with it could also make them"):
        PrepareSigningKey().plan(there.reading)


@pytest.mark.parametrize("name", ["VITE_JWT_SECRET", "VITE_API_TOKEN"])
def test_a_shared_secret_that_browsers_get_is_refused_by_its_name_and_by_its_value(lab, name):
    with place(lab.settings, "supabase") as stores:
        stores.kept.put(**{name: stores.kept.values()["JWT_SECRET"]})
        with pytest.raises(Refused, match=f"vault: {name}"):
            PrepareSigningKey().plan(stores.reading)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_supabase_that_fails_makes_no_key_or_leaves_one_that_is_found(there, fault):
    action = PrepareSigningKey()
    plan = action.plan(there.reading)
    with there.doors.fault("supabase", fault, method="POST", path="/signing-keys", seconds=70):
        with pytest.raises(Unreachable) as told:
            action.apply(there.writing, plan, quiet)
        assert told.value.next_step
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.NOT_DONE


def test_a_lost_answer_is_settled_by_the_key_that_is_there(there):
    action = PrepareSigningKey()
    plan = action.plan(there.reading)
    with there.doors.fault("supabase", "lost", method="POST", times=1), pytest.raises(Unreachable):
        action.apply(there.writing, plan, quiet)
    settled = action.settle(there.writing, plan, quiet)
    assert (settled.outcome, there.statuses()[settled.values["key"]]) == (Outcome.DONE, "standby")


# Into use.


def test_nobody_is_signed_out_tokens_of_both_keys_are_taken(ready):
    there, key = ready
    old = there.token(CURRENT)
    action = RotateSigningKey(**AT_ONCE)
    plan, values, looked = there.do(action)
    assert (looked.verdict, values) == (Verdict.OK, {"key": key, "before": CURRENT})
    assert [there.answer(token) for token in (old, there.token(key))] == [200, 200]
    assert there.answer(there.token(CURRENT, seconds=-5)) == 401
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.DONE
    back = action.undo(there.writing, plan, values, quiet)
    assert (back.verdict, there.statuses()[CURRENT], there.statuses()[key]) == (
        Verdict.OK,
        "in_use",
        "previously_used",
    )
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.NOT_DONE


def test_the_whole_way_back_leaves_the_key_of_before_and_a_revoked_one(there):
    first, then = PrepareSigningKey(), RotateSigningKey(**AT_ONCE)
    one, two = there.do(first), there.do(then)
    assert then.undo(there.writing, two[0], two[1], quiet).verdict is Verdict.OK
    assert first.undo(there.writing, one[0], one[1], quiet).verdict is Verdict.OK
    assert there.statuses() == {OLDER: "previously_used", CURRENT: "in_use", one[1]["key"]: "revoked"}


def test_an_undo_that_was_broken_off_in_the_midst_goes_on(rotated):
    there, key = rotated
    action = RotateSigningKey(**AT_ONCE)
    plan = action.plan(there.reading)
    there.put(CURRENT, status="standby")
    looked = action.undo(there.writing, plan, {"key": key, "before": CURRENT}, quiet)
    assert (looked.verdict, there.statuses()[CURRENT]) == (Verdict.OK, "in_use")


def test_a_key_that_is_not_known_everywhere_yet_does_not_sign(ready):
    there, key = ready
    action = RotateSigningKey(publish_minutes=20.0)
    plan = action.plan(there.reading)
    with pytest.raises(Refused, match="does not know it yet") as told:
        action.apply(there.writing, plan, quiet)
    assert "resume" in told.value.next_step
    with there.doors.fault("supabase", "404", path="jwks.json"), pytest.raises(OpsError):
        RotateSigningKey(**AT_ONCE).apply(there.writing, plan, quiet)
    assert there.statuses()[key] == "standby"


def test_a_plan_that_would_be_over_before_the_key_is_known_is_refused(there):
    with pytest.raises(Refused, match="a plan holds for"):
        RotateSigningKey(publish_minutes=1440.0).plan(there.reading)


def test_nothing_comes_into_use_that_was_not_made_ready(there):
    action = RotateSigningKey(**AT_ONCE)
    with pytest.raises(Refused, match="not as they were planned with"):
        action.apply(there.writing, action.plan(there.reading), quiet)


@pytest.mark.parametrize("fault", first(4, "lost", *FAULTS))
def test_a_change_without_an_answer_is_settled_by_the_list(ready, fault):
    there, key = ready
    action = RotateSigningKey(**AT_ONCE)
    plan = action.plan(there.reading)
    with (
        there.doors.fault("supabase", fault, method="PATCH", path="/signing-keys", seconds=70),
        pytest.raises(Unreachable) if fault not in ("malformed", "empty") else pytest.raises(OpsError),
    ):
        action.apply(there.writing, plan, quiet)
    settled = action.settle(there.writing, plan, quiet)
    assert (settled.outcome is Outcome.DONE) == (there.statuses()[key] == "in_use") == (fault == "lost")


# A token.


def test_a_token_says_which_key_signs_and_its_session_is_ended(rotated):
    there, key = rotated
    there.doors.forget()
    action = TrySigningKey()
    plan, values, looked = there.do(action)
    assert (looked.verdict, values["key"], values["taken"]) == (Verdict.OK, key, True)
    asked = [(call["method"], call["path"].rpartition("/")[2]) for call in there.doors.calls("supabase")]
    assert [one for one in asked if one[0] == "POST"] == [("POST", "token"), ("POST", "logout")]
    assert "access_token" not in json.dumps(to_json([plan, values, looked]))
    assert action.undo(there.writing, plan, values, quiet).verdict is Verdict.OK


def test_a_token_of_another_key_than_the_list_says_is_critical(rotated):
    there, _ = rotated
    action = TrySigningKey()
    plan = action.plan(there.reading)
    values = {"key": CURRENT, "algorithm": "ES256", "seconds": 3600, "taken": True}
    assert action.verify(there.looking, plan, values).verdict is Verdict.CRITICAL
    refused = {**values, "key": there.reading.keyring.signing_keys()[-1].id, "taken": False}
    assert action.verify(there.looking, plan, refused).verdict is Verdict.CRITICAL


def test_without_a_trial_account_nobody_signs_in_and_nothing_is_green(there, lab):
    there.doors.forget()
    target = type(there.reading)(lab.settings.model_copy(update={"trial_email": None}), "x")
    action = TrySigningKey()
    plan = action.plan(target)
    looked = action.verify(there.looking, plan, action.apply(there.writing, plan, quiet))
    assert (plan.touches, looked.verdict) == (0, Verdict.UNKNOWN)
    assert "OPS_TRIAL_EMAIL" in looked.summary
    assert there.project.posts() == []
    target.close()


@pytest.mark.parametrize("fault", first(3, "400", "429", "malformed", "401", "403", "404", "500", "cut", "empty"))
def test_a_sign_in_that_fails_proves_nothing_and_shows_no_password(there, lab, fault):
    action = TrySigningKey()
    plan = action.plan(there.reading)
    with there.doors.fault("supabase", fault, method="POST", path="/token", seconds=70):
        with pytest.raises(Unreachable) as told:
            action.apply(there.writing, plan, quiet)
        assert told.value.next_step
    assert lab.settings.trial_password.reveal() not in str(told.value)


# Revoked.


def test_a_key_whose_tokens_still_count_is_not_revoked_and_the_moment_is_said(rotated):
    there, _ = rotated
    with pytest.raises(Refused, match="may count until 20") as told:
        RevokeSigningKey().plan(there.reading)
    assert "sign_out=true" in told.value.next_step


def test_after_its_tokens_have_expired_it_is_revoked_and_trusted_again_by_the_undo(rotated):
    there, key = rotated
    there.aged(hours=1.3)
    old, action = there.token(CURRENT), RevokeSigningKey()
    assert (action.effect, action.repeat, there.answer(old)) == (Effect.DESTRUCTIVE, Repeat.ONCE, 200)
    plan, values, looked = there.do(action)
    assert (looked.verdict, there.statuses()[CURRENT]) == (Verdict.OK, "revoked")
    assert [there.answer(token) for token in (old, there.token(key))] == [401, 200]
    assert CURRENT not in there.reading.door.public_keys()
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.DONE
    assert action.undo(there.writing, plan, values, quiet).verdict is Verdict.OK
    assert there.answer(old) == 200


def test_with_sign_out_it_is_revoked_at_once_and_who_has_its_token_is_refused(rotated):
    there, _ = rotated
    old = there.token(CURRENT)
    plan, _, looked = there.do(RevokeSigningKey(sign_out=True))
    assert (looked.verdict, plan.observed["at once"], there.answer(old)) == (Verdict.OK, True, 401)


def test_the_older_secret_is_not_revoked_while_api_keys_are_tokens_of_it(there):
    action = RevokeSigningKey(key="older")
    with pytest.raises(Refused, match="anon and service_role are tokens of the older secret") as told:
        action.plan(there.reading)
    assert "provider=supabase" in told.value.next_step
    there.project.change(legacy_keys=False)
    *_, looked = there.do(action)
    assert (looked.verdict, there.statuses()[OLDER]) == (Verdict.OK, "revoked")
    with pytest.raises(Refused, match="none of the keys that are trusted"):
        action.plan(there.reading)


def test_without_a_key_of_before_there_is_nothing_to_revoke(there):
    with pytest.raises(Refused, match="No key of before is trusted"):
        RevokeSigningKey().plan(there.reading)


def test_keys_that_somebody_moved_since_the_plan_stay_as_they_are(rotated):
    there, _ = rotated
    there.aged(hours=2)
    action = RevokeSigningKey()
    plan = action.plan(there.reading)
    there.put(CURRENT, status="standby")
    with pytest.raises(Refused, match="not as they were planned with"):
        action.apply(there.writing, plan, quiet)
    assert action.settle(there.writing, plan, quiet).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("fault", first(2, "lost", "500", "403", "429", "malformed"))
def test_a_revocation_without_an_answer_is_settled_by_the_list(rotated, fault):
    there, _ = rotated
    there.aged(hours=2)
    action = RevokeSigningKey()
    plan = action.plan(there.reading)
    with (
        there.doors.fault("supabase", fault, method="PATCH", path="/signing-keys", seconds=70),
        pytest.raises(Unreachable),
    ):
        action.apply(there.writing, plan, quiet)
    settled = action.settle(there.writing, plan, quiet)
    assert (settled.outcome is Outcome.DONE) == (there.statuses()[CURRENT] == "revoked") == (fault == "lost")


def test_every_call_is_as_supabase_describes_it(rotated):
    there, _ = rotated
    there.aged(hours=2)
    there.do(TrySigningKey())
    there.do(RevokeSigningKey())
    calls = there.doors.calls("supabase")
    said = [one for one in calls if "signing-keys" in one["path"] or "api-keys" in one["path"]]
    spec = specs.load("supabase-management.json", "/supabase")
    assert {call["method"] for call in said} == {"GET", "POST", "PATCH"}
    assert [fault for call in said for fault in spec.faults(call)] == []
    sign_in = [one for one in calls if "/auth/v1/" in one["path"] and "jwks" not in one["path"]]
    auth = specs.load("supabase-auth.yaml", f"/supabase/sites/{PROJECT}/auth/v1")
    assert {call["path"].rpartition("/")[2] for call in sign_in} == {"token", "user", "logout"}
    assert [fault for call in sign_in for fault in auth.faults(call)] == []
