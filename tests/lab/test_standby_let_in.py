"""A standby whose role may not log in: seen by what both servers say, let in when a person says so, and taken back."""

import pytest

from opslib.actions.database import LetStandbyIn
from opslib.checks import database as checks
from opslib.errors import Refused
from opslib.lab import broken
from opslib.lab.broken import parts
from opslib.model import Outcome, Verdict
from opslib.probes.database import standby_way
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.waiting import until

STEP = LetStandbyIn(let_in=True, decided_by="ann", wait_seconds=60)


@pytest.fixture
def handles(pair):
    settings, fault = pair.settings(), broken.find("standby-cut-off")
    targets = PlanTarget(settings, "test"), WriteTarget(settings, "test"), VerifyTarget(settings, "test")
    until(lambda: evaluate(checks.servers, targets[0]).verdict is Verdict.OK)
    yield targets
    for target in targets:
        target.close()
    fault.mend(settings)


def quiet(*_):
    pass


def logs_in(pair):
    with parts.pair(pair.settings())[0].session("postgres") as session:
        return session.execute("SELECT rolcanlogin AS may FROM pg_roles WHERE rolname = 'replicator'").fetchone()["may"]


def test_a_role_that_may_not_log_in_is_named_let_in_and_kept_out_again_by_the_undo(pair, handles):
    looking, writing, verifying = handles
    assert {row["state"] for row in standby_way.read(looking)} == {"well"}
    assert (STEP.plan(looking).touches, LetStandbyIn().plan(looking).effect) == (0, "read")
    broken.find("standby-cut-off").make(pair.settings())
    found = {row["thing"]: (row["state"], row["why"]) for row in standby_way.read(looking)}
    assert found["log-in"] == ("wrong", "the role may not log in (NOLOGIN)")
    assert found["slot"][0] == "well"
    with pytest.raises(Refused, match="Somebody took its log-in from the role replicator"):
        STEP.model_copy(update={"decided_by": "none"}).plan(looking)
    plan = STEP.plan(looking)
    assert (plan.touches, plan.effect, plan.fingerprint) == (1, "change", {"role": "replicator"})
    assert not logs_in(pair)
    assert STEP.settle(writing, plan, quiet).outcome is Outcome.NOT_DONE
    assert STEP.verify(verifying, plan, {}).verdict is Verdict.CRITICAL
    values = STEP.apply(writing, plan, quiet)
    assert STEP.verify(verifying, plan, values).verdict is Verdict.OK
    assert STEP.settle(writing, plan, quiet).outcome is Outcome.DONE
    until(lambda: evaluate(checks.servers, looking).verdict is Verdict.OK)
    assert STEP.undo(writing, plan, values, quiet).verdict is Verdict.OK
    assert not logs_in(pair)


def test_where_the_slot_is_gone_as_well_nothing_is_done_and_both_are_named(pair, handles):
    looking, _, _ = handles
    fault = broken.find("standby-cut-off")
    fault.make(pair.settings())
    with parts.pair(pair.settings())[0].session("postgres") as session:
        session.execute("SELECT pg_drop_replication_slot('standby')")
    try:
        with pytest.raises(Refused, match="not the role's log-in alone") as told:
            STEP.plan(looking)
    finally:
        with parts.pair(pair.settings())[0].session("postgres") as session:
            session.execute("SELECT pg_create_physical_replication_slot('standby', true)")
    for words in ("log-in: the role may not log in (NOLOGIN)", "slot: the primary has no such slot"):
        assert words in told.value.message
