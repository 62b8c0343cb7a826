"""A standby whose replay somebody paused: what it holds is shown, and it goes on when a person says so."""

import pytest

from opslib.actions.database import ResumeReplay
from opslib.checks import database as checks
from opslib.errors import Refused
from opslib.lab import broken
from opslib.lab.broken import parts
from opslib.model import Verdict
from opslib.probes.database import servers
from opslib.runs.reading import evaluate
from opslib.runs.saved_plan import moved
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.scale import first
from tests.waiting import until

STEP = ResumeReplay(way="replay", decided_by="ann", wait_seconds=30)


@pytest.fixture
def paused(pair):
    settings, fault = pair.settings(), broken.find("replay-paused")
    fault.make(settings)
    targets = PlanTarget(settings, "test"), WriteTarget(settings, "test"), VerifyTarget(settings, "test")
    yield (*parts.pair(settings), *targets)
    for target in targets:
        target.close()
    fault.mend(settings)


def quiet(*_):
    pass


def names(server):
    with server.session("valuecanvas") as session:
        found = session.execute("SELECT tablename AS name FROM pg_tables WHERE tablename = 'kept_here'")
        return [row["name"] for row in found]


def test_it_shows_what_is_only_there_until_a_person_lets_it_go_on_and_then_is_as_its_primary(paused):
    primary, standby, looking, writing, verifying = paused
    with primary.session("valuecanvas") as session:
        session.execute("CREATE TABLE public.kept_here AS SELECT 1 AS one")
    until(lambda: servers.read(looking)[1]["not_replayed_bytes"] > 0)
    assert names(standby) == []
    with pytest.raises(Refused, match="wanted to keep what it holds"):
        STEP.model_copy(update={"decided_by": "none"}).plan(looking)
    plan = STEP.plan(looking)
    assert (plan.touches, plan.effect, plan.before["replay"]) == (1, "destructive", "paused")
    assert plan.undo.startswith("None")
    values = STEP.apply(writing, plan, quiet)
    assert STEP.verify(verifying, plan, values).verdict is Verdict.OK
    assert names(standby) == ["kept_here"]
    until(lambda: evaluate(checks.servers, looking).verdict is Verdict.OK)
    # Once it goes on there is nothing to approve any more, and a plan of before is refused.
    again = STEP.plan(looking)
    assert (again.touches, STEP.apply(writing, again, quiet)) == (0, {})
    assert moved(plan, again)
    with primary.session("valuecanvas") as session:
        session.execute("DROP TABLE public.kept_here")


@pytest.mark.parametrize("fault", first(1, "primary-killed", "split-brain"))
def test_without_a_primary_or_a_standby_that_is_one_it_says_what_is_amiss(pair, fault):
    settings, made = pair.settings(), broken.find(fault)
    target = PlanTarget(settings, "test")
    made.make(settings)
    try:
        if fault == "split-brain":
            with pytest.raises(Refused, match="it is no standby"):
                STEP.plan(target)
        else:
            assert STEP.plan(target).touches == 0
    finally:
        target.close()
        made.mend(settings)
