"""A wrong clock is named with what its owner does, waited for, and believed only once the other clocks agree."""

import pytest

from opslib.actions.dependencies import AwaitClock
from opslib.lab.broken import find
from opslib.model import Effect, Verdict
from opslib.probes.dependencies_clocks import HERE, HOST, THEIRS, to_set
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

FAULT = find("clock-skew")
OUTSIDE = ("aws_endpoint_url", "github_url", "together_url", "openai_url")
STEP = AwaitClock(wait_seconds=60)


@pytest.fixture
def targets(lab):
    made = [kind(lab.settings, "test") for kind in (PlanTarget, VerifyTarget, WriteTarget)]
    yield made
    for one in made:
        one.close()
    FAULT.mend(lab.settings)


def row(clock, ahead, outside=True, give=0.5):
    return {"clock": clock, "outside": outside, "ahead": ahead, "give": give, "why": ""}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((row("AWS", 1200.0), row("GitHub", 1201.0), row("the database", 0.0, False)), [(HERE, 1200.5, HOST)]),
        ((row("AWS", -90.0), row("GitHub", -90.0)), [(HERE, -90.0, HOST)]),
        ((row("AWS", 0.1), row("GitHub", 0.2), row("the cache", -90.0, False)), [("the cache", 90.0, HOST)]),
        ((row("AWS", 400.0), row("GitHub", 0.2)), [("AWS", -400.0, THEIRS)]),
        ((row("AWS", 400.0), row("GitHub", None)), [("AWS", -400.0, THEIRS)]),
        ((row("AWS", 35.0, give=10.0), row("the API", 35.0, False, give=10.0)), []),
        ((), []),
    ],
)
def test_whose_clock_is_to_be_set_and_what_its_owner_does(rows, said):
    assert [(one["clock"], one["behind"], one["owner"]) for one in to_set(rows)] == said


def test_it_says_what_the_owner_does_sets_nothing_and_is_content_only_once_the_clock_is_right(lab, targets):
    looking, verifying, writing = targets
    FAULT.make(lab.settings)
    plan = STEP.plan(looking)
    assert (plan.effect, plan.touches) == (Effect.READ, 0)
    ((what, owner),) = plan.observed.items()
    assert what == "the clock of this machine is 20 min behind"
    for command in ("timedatectl set-ntp true", "chronyc makestep"):
        assert command in owner
    seen = STEP.verify(verifying, plan, {"waited_seconds": 0.0})
    assert (seen.verdict, "this machine is 20 min behind" in seen.summary) == (Verdict.CRITICAL, True)
    told = []

    def does(text, *_):
        told.append(text)
        FAULT.mend(lab.settings)

    values = STEP.apply(writing, plan, does)
    # Once told it is set, and the next look is content.
    assert len(told) == 1
    assert STEP.verify(verifying, plan, values).verdict is Verdict.OK
    # A plan does not move by what moves by itself: the owner may be quicker than who approves.
    assert STEP.plan(looking).digest == plan.digest


def test_nobody_is_waited_for_unless_it_is_asked_for(lab, targets):
    FAULT.make(lab.settings)
    step = AwaitClock()
    plan = step.plan(targets[0])
    assert (plan.observed, step.apply(targets[2], plan, None)) == ({}, {"waited_seconds": 0.0})
    assert step.verify(targets[1], plan, {"waited_seconds": 0.0}).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kubernetes_url": "https://127.0.0.1:9"}, "Not seen: the cluster"),
        (dict.fromkeys(OUTSIDE, "http://127.0.0.1:9"), "Nobody who"),
    ],
)
def test_where_clocks_cannot_be_seen_it_is_unknown(lab, targets, changes, words):
    away = VerifyTarget(lab.settings.model_copy(update=changes), "test")
    away_reading = PlanTarget(lab.settings.model_copy(update=changes), "test")
    found = STEP.verify(away, STEP.plan(away_reading), {"waited_seconds": 0.0})
    assert (found.verdict, words in found.summary) == (Verdict.UNKNOWN, True), found.summary
    away.close()
    away_reading.close()
