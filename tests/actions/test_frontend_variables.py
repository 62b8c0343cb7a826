"""A variable of the front end's builds set from the lab's vault at each hoster: once, compared, taken back."""

import json
from contextlib import ExitStack, closing

import pytest

from opslib.actions.frontend import SetHostingVariable
from opslib.canonical import to_json
from opslib.errors import OpsError, Refused, Unreachable
from opslib.lab.production import PROJECT, anonymous
from opslib.model import Outcome, Verdict
from opslib.redaction import Secret
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.hosters import of
from tests.scale import first
from tests.systems.test_hosters_variables import digest, held, writes
from tests.vaults import shelf
from tests.vendors import Doors

RUN = "20261128T130614Z-runbooks-rotate-api-keys-a1b2c3"
NAME = "TOGETHER_API_KEY"
OLD, NEW = "tg-v1-old-9f3Kq7Zr2Lm8", "tg-v1-new-5Hd8Wq1Xv6Np"
ANON = anonymous(PROJECT)
KEY = SetHostingVariable(variable=NAME, key=NAME)
ADDRESS = SetHostingVariable(variable="VITE_SUPABASE_URL")
PUBLIC_KEY = SetHostingVariable(variable="VITE_SUPABASE_ANON_KEY", key="SUPABASE_ANON_KEY")


def quiet(text, done=None, total=None):
    pass


@pytest.fixture
def kept(lab):
    with shelf(lab.settings) as made:
        made.put(TOGETHER_API_KEY=OLD, SUPABASE_ANON_KEY=ANON)
        made.put(TOGETHER_API_KEY=NEW)
        yield made


@pytest.fixture(params=first(1, "cloudflare", "vercel", "netlify"))
def hoster(request, lab, kept):
    doors = Doors(lab.settings)
    with doors.restored():
        made = of(lab.settings, doors, request.param).bare()
        doors.forget()
        yield made


@pytest.fixture
def vercel(lab, kept):
    doors = Doors(lab.settings)
    with doors.restored():
        doors.forget()
        yield of(lab.settings, doors, "vercel").bare()


def opened(hoster, run=RUN):
    return [kind(hoster.settings, run) for kind in (PlanTarget, VerifyTarget, WriteTarget)]


@pytest.fixture
def targets(hoster):
    with ExitStack() as stack:
        yield [stack.enter_context(closing(one)) for one in opened(hoster)]


def carry_out(targets, action=KEY):
    reading, looking, writing = targets
    plan = action.plan(reading)
    values = action.apply(writing, plan, quiet)
    return plan, values, action.verify(looking, plan, values)


def by_hand(hoster, name=NAME, **more):
    """Let somebody else set the variable now, or at a moment."""
    others = [one for one in hoster.state["variables"] if one["name"] != name]
    before = held(hoster, name) or {"name": name, "secret": True}
    hoster.put(variables=[*others, {**before, "updated": 1_790_000_000.0, **more}])


@pytest.mark.parametrize("action", [KEY, ADDRESS, PUBLIC_KEY], ids=lambda action: action.variable)
def test_a_plan_says_where_the_value_comes_from_and_changes_nothing(hoster, targets, action):
    before = hoster.doors.state()
    plan = action.plan(targets[0])
    assert (plan.touches, plan.before["value"]) == (1, "not set")
    assert "next deployment" in plan.after["what is live"]
    assert plan.undo.startswith("It is removed again")
    assert plan.digest == action.plan(targets[0]).digest
    assert (hoster.doors.state() == before, writes(hoster)) == (True, [])


@pytest.mark.parametrize("action", [KEY, ADDRESS, PUBLIC_KEY], ids=lambda action: action.variable)
def test_what_was_not_there_is_set_once_and_removed_again(hoster, targets, action):
    plan, values, looked = carry_out(targets, action)
    assert (looked.verdict, len(writes(hoster))) == (Verdict.OK, 1), looked.summary
    assert held(hoster, action.variable)["secret"] is (action is KEY)
    taken = action.undo(targets[2], plan, values, quiet)
    assert (taken.verdict, held(hoster, action.variable)) == (Verdict.OK, None)


def test_no_value_and_no_digest_of_one_is_in_what_is_recorded(hoster, targets):
    said = []
    for action, value in ((KEY, NEW), (PUBLIC_KEY, ANON)):
        plan, values, looked = carry_out(targets, action)
        back = action.undo(targets[2], plan, values, quiet)
        said.append(json.dumps([to_json(one) for one in (plan, values, looked, back)]))
        assert not [one for one in (value, digest(Secret(value))) if one in "".join(said)]


def test_a_public_value_that_stands_there_already_is_not_set_again(hoster, targets):
    plan, values, _ = carry_out(targets, PUBLIC_KEY)
    hoster.doors.forget()
    plan, values, looked = carry_out(targets, PUBLIC_KEY)
    assert (plan.touches, looked.verdict, writes(hoster)) == (0, Verdict.OK, [])
    assert PUBLIC_KEY.undo(targets[2], plan, values, quiet).verdict is Verdict.OK
    assert writes(hoster) == []


def test_what_an_earlier_run_set_from_the_vault_is_set_again_by_the_undo(hoster, targets, kept):
    carry_out(targets)
    kept.put(TOGETHER_API_KEY="tg-v1-newest-7Kd8Wq1Xv6Np")
    plan, values, looked = carry_out(targets)
    assert looked.verdict is Verdict.OK, looked.summary
    if hoster.name == "netlify":
        assert plan.undo.startswith("None")
        with pytest.raises(Refused, match="not told"):
            KEY.undo(targets[2], plan, values, quiet)
        return
    taken = KEY.undo(targets[2], plan, values, quiet)
    assert (taken.verdict, held(hoster)["digest"]) == (Verdict.OK, digest(Secret(NEW))), taken.summary


def test_what_somebody_set_by_hand_has_no_way_back_and_the_plan_says_so(vercel):
    with ExitStack() as stack:
        targets = [stack.enter_context(closing(one)) for one in opened(vercel)]
        carry_out(targets)
        by_hand(vercel)
        plan, values, looked = carry_out(targets)
        assert (plan.before["value"], looked.verdict) == ("not told", Verdict.OK)
        assert plan.undo.startswith("None")
        with pytest.raises(Refused, match="not told"):
            KEY.undo(targets[2], plan, values, quiet)
        assert held(vercel)["digest"] == digest(Secret(NEW))


def test_what_somebody_set_since_is_not_overwritten_by_an_undo(hoster, targets):
    plan, values, _ = carry_out(targets)
    by_hand(hoster)
    if hoster.name == "cloudflare":
        marks = [one for one in hoster.state["variables"] if not one["name"].startswith("OPSLIB_MARK_")]
        hoster.put(variables=marks)
    with pytest.raises(Refused, match="somebody set it since"):
        KEY.undo(targets[2], plan, values, quiet)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("VITE_TOGETHER_API_KEY", "GH-04"),
        ("VITE_SUPABASE_SERVICE_ROLE_KEY", "GH-04"),
        ("EXPO_PUBLIC_TOGETHER_API_KEY", "GH-04"),
        ("VITE_ANYTHING", "none of the public names"),
        ("VITE_APP_URL", "none of the public names"),
    ],
)
def test_names_that_must_not_be_set_are_refused_before_anybody_is_asked(hoster, targets, kept, variable, said):
    with pytest.raises(Refused, match=said):
        SetHostingVariable(variable=variable, key=NAME).plan(targets[0])
    assert hoster.doors.calls(hoster.name) == []


def test_what_is_to_be_left_needs_nobody_and_asks_nobody(hoster, targets):
    action = KEY.model_copy(update={"act": "leave"})
    plan, values, looked = carry_out(targets, action)
    assert (plan.touches, plan.effect.value, looked.verdict) == (0, "read", Verdict.OK)
    assert action.settle(targets[2], plan, quiet).outcome is Outcome.DONE
    assert action.undo(targets[2], plan, values, quiet).verdict is Verdict.OK
    assert hoster.doors.calls(hoster.name) == []


@pytest.mark.parametrize("role", ["service_role", "authenticated"])
def test_a_key_that_is_no_anonymous_one_is_not_published(hoster, targets, kept, role):
    kept.put(SUPABASE_ANON_KEY=anonymous(PROJECT, role))
    with pytest.raises(Refused, match="must not be set"):
        PUBLIC_KEY.plan(targets[0])
    kept.put(SUPABASE_ANON_KEY="sb_secret_aB3dE6gH9kM2pQ5s")
    with pytest.raises(Refused, match="secret key") as refused:
        PUBLIC_KEY.plan(targets[0])
    assert "aB3dE6gH" not in refused.value.message
    assert writes(hoster) == []


def test_without_a_place_the_value_comes_from_nothing_is_asked(hoster, targets):
    for action in (SetHostingVariable(variable=NAME), SetHostingVariable(variable="VITE_SUPABASE_ANON_KEY")):
        with pytest.raises(Refused, match="Nobody says where"):
            action.plan(targets[0])
    bare = hoster.settings.model_copy(update={"supabase_site": None})
    with closing(PlanTarget(bare, RUN)) as target, pytest.raises(Refused, match="Nobody says where"):
        ADDRESS.plan(target)


def test_netlify_would_keep_a_secret_readable_and_the_plan_refuses(lab, kept):
    doors = Doors(lab.settings)
    with doors.restored():
        hoster = of(lab.settings, doors, "netlify")
        by_hand(hoster, secret=False)
        with closing(PlanTarget(hoster.settings, RUN)) as target, pytest.raises(Refused, match="readable"):
            KEY.plan(target)


def test_a_vault_or_a_variable_that_moved_since_the_plan_is_refused(hoster, targets, kept):
    plan = KEY.plan(targets[0])
    by_hand(hoster)
    assert KEY.plan(targets[0]).digest != plan.digest
    with pytest.raises(Refused, match="meanwhile"):
        KEY.apply(targets[2], plan, quiet)
    kept.put(TOGETHER_API_KEY=OLD)
    with pytest.raises(Refused, match="any more"):
        KEY.apply(targets[2], plan, quiet)
    assert writes(hoster) == []


@pytest.mark.parametrize("action", [KEY, PUBLIC_KEY], ids=lambda action: action.variable)
def test_an_answer_that_is_lost_is_settled_by_a_look_and_nothing_is_set_twice(hoster, targets, action):
    plan = action.plan(targets[0])
    method = "PATCH" if hoster.name == "cloudflare" else "POST"
    with hoster.doors.fault(hoster.name, "lost", method=method), pytest.raises(Unreachable):
        action.apply(targets[2], plan, quiet)
    settled = action.settle(targets[2], plan, quiet)
    assert len(writes(hoster)) == 1
    if hoster.name == "netlify" and action is KEY:
        # It says that it was set, and not to what, nor by whom: a person has to look.
        assert settled.outcome is Outcome.UNKNOWN
        return
    assert settled.outcome is Outcome.DONE
    assert action.verify(targets[1], plan, settled.values).verdict is Verdict.OK
    assert action.undo(targets[2], plan, settled.values, quiet).verdict is Verdict.OK


@pytest.mark.parametrize("fault", first(2, "500", "cut", "401", "403", "404", "409", "422", "400"))
def test_a_call_that_did_nothing_is_settled_as_not_done(hoster, targets, fault):
    plan = KEY.plan(targets[0])
    method = "PATCH" if hoster.name == "cloudflare" else "POST"
    with hoster.doors.fault(hoster.name, fault, method=method), pytest.raises(Unreachable):
        KEY.apply(targets[2], plan, quiet)
    assert KEY.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE


def test_a_success_that_set_nothing_is_critical(hoster, targets):
    plan = KEY.plan(targets[0])
    looked = KEY.verify(targets[1], plan, {"version": plan.fingerprint["version"], "updated": None})
    assert (looked.verdict, "does not list" in looked.summary) == (Verdict.CRITICAL, True)
    by_hand(hoster)
    plan = KEY.plan(targets[0])
    looked = KEY.verify(targets[1], plan, {"version": plan.fingerprint["version"], "updated": None})
    assert looked.verdict is Verdict.CRITICAL
    by_hand(hoster, secret=False)
    looked = KEY.verify(targets[1], plan, {"version": plan.fingerprint["version"], "updated": None})
    assert (looked.verdict, "can be read" in looked.summary) == (Verdict.CRITICAL, True)


def test_a_public_variable_with_another_value_is_critical(hoster, targets):
    plan, values, _ = carry_out(targets, PUBLIC_KEY)
    by_hand(hoster, PUBLIC_KEY.variable, value="https://another.example")
    assert PUBLIC_KEY.verify(targets[1], plan, values).verdict is Verdict.CRITICAL
    assert PUBLIC_KEY.plan(targets[0]).before["value"] == "not told"


def test_a_version_that_the_vault_forgot_is_unknown(hoster, targets):
    plan, values, _ = carry_out(targets)
    gone = {**values, "version": "00000000-0000-4000-8000-000000000000"}
    assert KEY.verify(targets[1], plan, gone).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("fault", first(2, "403", "malformed", "401", "404", "500", "empty"))
def test_what_the_hoster_does_not_tell_is_an_error_of_ours_with_a_next_step(hoster, targets, fault):
    with hoster.doors.fault(hoster.name, fault), pytest.raises(OpsError) as told:
        KEY.plan(targets[0])
    assert told.value.next_step
    assert writes(hoster) == []
