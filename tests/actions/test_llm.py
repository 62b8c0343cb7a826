"""Breakers closed on every replica: only onto a provider that is well, each once, and never green for one unseen."""

import uuid
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from opslib.actions.llm import ResetBreakers
from opslib.actions.llm_reset import _Patience
from opslib.errors import Refused, StepFailed
from opslib.lab.broken import find, providers
from opslib.model import Outcome, Verdict
from opslib.probes.llm_replicas import breakers
from opslib.systems.gateway_user import Limited
from opslib.systems.target import WriteTarget
from tests.incidents import quiet
from tests.llm import as_user, lossy_replica, router, usage, used
from tests.scale import first, nightly
from tests.toxic import Toxic
from tests.vendors import Doors

WEDGED = find("replica-wedged")
OPEN = {"togetherAI": {"healthy": False, "state": "open"}, "openAI": {"healthy": True, "state": "closed"}}
CLOSED = {name: {"healthy": True, "state": "closed"} for name in OPEN}


@pytest.fixture(scope="module", autouse=True)
def tidy(lab):
    """Leave no rows of answers: who served is counted by other tests."""
    yield
    providers.forget(lab.settings, "opslib-test")


@pytest.fixture
def at(lab):
    """Return handles of a run of its own, as an administrator of its own; settings may be said otherwise."""
    with ExitStack() as stack:

        def made(role="admin", **said):
            settings = as_user(lab.settings, role).model_copy(update=said)
            target = WriteTarget(settings, f"test-{uuid.uuid4().hex[:8]}")
            stack.callback(target.close)
            return target

        yield made


@pytest.fixture
def wedged(lab):
    WEDGED.make(lab.settings)
    yield lab.settings.api_replicas
    WEDGED.mend(lab.settings)


@contextmanager
def together(lab, how, **more):
    """Let Together.ai's chats go wrong until the block ends."""
    providers.set_fault(lab.settings, "together", how, **more)
    try:
        yield
    finally:
        providers.clear_fault(lab.settings, "together")


def states(target):
    return [row["state"] for row in breakers(target)]


def sent(lab, vendor="together"):
    return [call for call in Doors(lab.settings).calls(vendor) if call["path"].endswith("completions")]


def test_a_plan_shows_every_replica_asks_the_provider_and_changes_nothing(lab, at, wedged):
    target = at()
    before = states(target)
    assert before == ["closed", "closed", "open", "closed"]
    Doors(lab.settings).forget()
    plan = ResetBreakers(trials=2).plan(target)
    assert states(target) == before
    assert len(sent(lab)) == 2
    assert (plan.touches, plan.before["replicas"]) == (2, [row["replica"] for row in breakers(target)][::2])
    assert plan.observed["not reached"] == {}
    assert plan.observed["Together.ai answered"].startswith("2 of 2")
    assert plan.observed["proof costs USD at most"] < 0.001
    # A breaker's state moves by itself, and is not what is approved.
    providers.reset(lab.settings)
    assert plan.digest == ResetBreakers(trials=2).plan(at()).digest


def test_the_open_one_is_closed_the_other_is_left_alone_and_each_is_proven(lab, at, wedged):
    target, action = at(), ResetBreakers(trials=1)
    plan = action.plan(target)
    values = action.apply(target, plan, quiet)
    assert [name[-1] for name in values["reset"]] == ["1"]
    assert [name[-1] for name in values["left alone"]] == ["0"]
    said = action.verify(target, plan, values)
    assert said.verdict is Verdict.OK, said.summary
    assert "answered on each of 2" in said.summary
    # Done once more it does nothing, and an undo says that there is none.
    assert action.settle(target, plan, quiet).outcome is Outcome.DONE
    assert action.apply(target, plan, quiet)["reset"] == []
    with pytest.raises(Refused, match="cannot be undone"):
        action.undo(target, plan, values, quiet)


@pytest.mark.parametrize("how", first(2, "503", "cut", "429", "malformed"))
def test_while_the_provider_is_not_well_nothing_is_planned_or_applied(lab, at, wedged, how):
    target, action = at(), ResetBreakers(trials=1)
    plan = action.plan(target)
    with together(lab, how):
        with pytest.raises(Refused, match=r"Together\.ai is not well"):
            action.plan(target)
        with pytest.raises(Refused, match=r"Together\.ai is not well"):
            action.apply(target, plan, quiet)
    assert states(target)[2] == "open"


@nightly
def test_a_provider_that_is_late_is_not_well(lab, at, wedged):
    with together(lab, "slow", seconds=5.5), pytest.raises(Refused, match="warning > 5"):
        ResetBreakers(trials=1).plan(at())


def test_without_an_administrator_or_an_address_nothing_is_planned(lab, at):
    with pytest.raises(Refused, match="No administrator"):
        ResetBreakers().plan(at(admin_session=None))
    with pytest.raises(Refused, match="OPS_API_POD_PORT"):
        ResetBreakers().plan(at(api_replicas=(), api_pod_port=None))


def test_one_replica_that_fails_half_way_is_named_and_the_rest_is_done_later_and_once(lab, at, wedged):
    with together(lab, "503"):
        providers.chat_until_open(lab.settings, wedged[0], "opslib-test", ("togetherAI",))
    parts = urlsplit(wedged[0])
    with Toxic(parts.port) as line:
        target, action = (
            at(api_replicas=(f"http://127.0.0.1:{line.port}{parts.path}", wedged[1])),
            ResetBreakers(trials=1),
        )
        plan = action.plan(target)
        line.become("reset", after=0)
        with pytest.raises(StepFailed, match="1 of 2 replicas are closed"):
            action.apply(target, plan, quiet)
        settled = action.settle(target, plan, quiet)
        assert (settled.outcome, "replica/0" in settled.why) == (Outcome.PARTLY, True)
        line.become("pass")
        values = action.apply(target, plan, quiet)
        assert ([name[-1] for name in values["reset"]], [name[-1] for name in values["left alone"]]) == (["0"], ["1"])
        assert action.verify(target, plan, values).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("who", "why", "next_step"),
    [({"role": "member"}, "403", "administrator"), ({"session_cookie": "other"}, "401", "Sign in anew")],
)
def test_who_may_not_reset_is_refused_with_the_way_and_nothing_is_closed(lab, at, wedged, who, why, next_step):
    target, action = at(**who), ResetBreakers(trials=1)
    plan = action.plan(target)
    with pytest.raises(Refused, match=why) as told:
        action.apply(target, plan, quiet)
    assert next_step in told.value.next_step
    assert states(target)[2] == "open"


def test_the_products_limit_is_waited_for_within_the_patience_and_told_beyond_it(lab, at, wedged):
    target, action = at(), ResetBreakers(trials=1, wait_seconds=0)
    plan = action.plan(target)
    for _ in range(5):
        target.administrator.ask(wedged[1])
    with pytest.raises(StepFailed, match="again in"):
        action.apply(target, plan, quiet)
    asked = []

    def once():
        asked.append(1)
        if len(asked) == 1:
            raise Limited("http://127.0.0.1/api/llm/reset", 0.01)
        return "reset"

    waits = []
    assert _Patience(1, waits.append).ask(once) == "reset"
    assert waits == [0.01]
    asked.clear()
    with pytest.raises(Limited):
        _Patience(0.001).ask(once)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "<html>welcome</html>"), (200, {"data": OPEN}), (503, {"success": False, "data": OPEN}), (502, "bad")],
)
def test_a_replica_that_does_not_speak_as_the_router_does_is_never_closed(lab, at, status, body):
    with router(status, body) as (url, _):
        target, action = at(api_replicas=(url,)), ResetBreakers(trials=1)
        plan = action.plan(target)
        with pytest.raises(StepFailed, match="0 of 1"):
            action.apply(target, plan, quiet)
        said = action.verify(target, plan, {"reset": [], "left alone": [], "at": "2026-11-29T00:00:00+00:00"})
        assert said.verdict in (Verdict.UNKNOWN, Verdict.CRITICAL)


def test_a_reply_that_is_lost_is_no_failure_where_the_breakers_are_closed(at):
    with lossy_replica(OPEN, CLOSED) as (url, resets):
        target, action = at(api_replicas=(url,)), ResetBreakers(trials=1)
        plan = action.plan(target)
        assert action.apply(target, plan, quiet)["reset"] == plan.before["replicas"]
        assert len(resets) == 1
        # Broken off there, it would be found done.
        assert action.settle(target, plan, quiet).outcome is Outcome.DONE


def test_a_replica_that_nobody_reached_is_unknown_whatever_the_others_say(lab, at):
    target, action = at(api_replicas=lab.settings.api_replicas[:1]), ResetBreakers(trials=1)
    plan = action.plan(target)
    assert list(plan.observed["not reached"]) == ["replica 2 of 2"]
    said = action.verify(target, plan, action.apply(target, plan, quiet))
    assert said.verdict is Verdict.UNKNOWN
    assert "1 of 2 replicas were not reached" in said.summary


def test_a_closed_breaker_behind_which_the_fallback_answers_is_critical(lab, at):
    target, action = at(), ResetBreakers(trials=1)
    plan = action.plan(target)
    values = action.apply(target, plan, quiet)
    try:
        with together(lab, "503"):
            said = action.verify(target, plan, values)
            providers.chat_until_open(lab.settings, lab.settings.api_replicas[0], "opslib-test", ("togetherAI",))
        assert said.verdict is Verdict.CRITICAL
        assert "OpenAI answered" in said.summary
        again = action.verify(target, plan, values)
        assert (again.verdict, "Not closed" in again.summary) == (Verdict.CRITICAL, True)
    finally:
        providers.reset(lab.settings)


def test_without_a_question_of_ours_users_answers_are_the_proof_and_none_proves_nothing(lab, at):
    target, action = at(), ResetBreakers(trials=1, prove=False)
    plan = action.plan(target)
    values = action.apply(target, plan, quiet)
    assert plan.observed["proof costs USD at most"] == 0
    said = action.verify(target, plan, values)
    assert (said.verdict, "nothing is proven" in said.summary) == (Verdict.UNKNOWN, True)
    with used(lab.settings, usage(1, age=0)):
        assert action.verify(target, plan, values).verdict is Verdict.OK
    with used(lab.settings, usage(1, age=0, provider="openai")):
        assert action.verify(target, plan, values).verdict is Verdict.UNKNOWN


def test_what_is_planned_and_proven_repeats_no_credential(lab, at):
    target, action = at(), ResetBreakers(trials=1)
    plan = action.plan(target)
    values = action.apply(target, plan, quiet)
    said = f"{plan} {values} {action.verify(target, plan, values)}"
    for secret in (target.settings.admin_token, target.settings.admin_session):
        assert secret.reveal() not in said
