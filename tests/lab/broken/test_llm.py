"""Each fault of the language models is found by the check that it names, and is gone when it is mended."""

import pytest

from opslib.checks import llm as checks
from opslib.lab.broken.llm import FAULTS
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget
from tests.llm import usage, used

WORST = {"fallback-serves": Verdict.WARNING}
EVERY = {one.name: one for one in (*checks.DECISIVE, *(b.check for tree in checks.TREES for b in tree.branches))}


def look(lab, check):
    target = PlanTarget(lab.settings, "test")
    try:
        return evaluate(EVERY[check], target)
    finally:
        target.close()


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_found_by_its_check_and_is_gone_when_mended(lab, fault):
    # So many that the lab's own few answers of the hour do not decide.
    with used(lab.settings, usage(60)):
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
