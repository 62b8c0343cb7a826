"""What a failover's steps are by their classes: nothing unless one is asked for, and then never without approvals."""

import pytest

from opslib.actions import ACTIONS, database
from opslib.model import Effect, Repeat
from opslib.runs.approval import needed

STEPS = (
    database.FencePrimary,
    database.PromoteStandby,
    database.RepointApplication,
    database.ProveWrites,
    database.RejoinFormerPrimary,
)


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.name)
def test_a_step_of_another_way_looks_at_nothing_and_needs_nobody(kind):
    assert ACTIONS[kind.name] is kind
    for way in ("look", "point-in-time"):
        action = kind(way=way)
        plan = action.plan(None)
        assert (action.effect, plan.effect, plan.touches) == (Effect.READ, Effect.READ, 0)
        assert action.apply(None, plan, None) == {}
        assert action.verify(None, plan, {}).verdict == "OK"
        assert needed(plan, "production") == 0


@pytest.mark.parametrize(
    ("kind", "effect", "approvals"),
    [
        (database.FencePrimary, "destructive", 2),
        (database.PromoteStandby, "destructive", 2),
        (database.RepointApplication, "change", 1),
        (database.ProveWrites, "change", 1),
        (database.RejoinFormerPrimary, "destructive", 2),
    ],
)
def test_a_failover_needs_as_many_approvals_as_what_it_destroys(kind, effect, approvals):
    action = kind(way="failover")
    plan = action.planned(before={}, after={}, touches=1, touched="servers", verification="", undo="")
    assert (plan.effect, needed(plan, "production")) == (effect, approvals)


def test_only_the_promotion_can_never_be_repeated():
    assert [kind.repeat is Repeat.IRREVERSIBLE for kind in STEPS] == [False, True, False, False, False]
