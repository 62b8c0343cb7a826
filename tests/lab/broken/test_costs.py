"""Each fault of cost is found by the check that it names, and is gone when it is mended."""

import pytest

from opslib.checks import costs as checks
from opslib.lab.broken.costs import FAULTS
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget
from tests.llm import usage, used

WORST = {"price-raised": Verdict.WARNING, "cost-growth": Verdict.WARNING, "mispriced": Verdict.WARNING}
EVERY = {one.name: one for one in (*checks.DECISIVE, checks.prices)}


def look(lab, check):
    target = PlanTarget(lab.settings, "test")
    try:
        return evaluate(EVERY[check], target)
    finally:
        target.close()


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_found_by_its_check_and_is_gone_when_mended(lab, fault):
    with used(lab.settings, usage(5)):
        before = look(lab, fault.check)
        try:
            fault.make(lab.settings)
            fault.make(lab.settings)
            found = look(lab, fault.check)
        finally:
            fault.mend(lab.settings)
            fault.mend(lab.settings)
        assert (before.verdict, look(lab, fault.check).verdict) == (Verdict.OK, Verdict.OK)
    assert found.verdict is WORST.get(fault.name, Verdict.CRITICAL)
    assert found.remedy
    assert found.rows
