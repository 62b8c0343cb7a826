"""Each fault of agents is found by the check that it names, and is gone when it is mended."""

import pytest

from opslib.checks import agents as checks
from opslib.lab.broken.agents import FAULTS
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from tests.agents import begun

EVERY = {one.name: one for one in checks.DECISIVE}


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_found_by_its_check_and_is_gone_when_mended(lab, fault):
    with begun(lab, 10):
        before = evaluate(EVERY[fault.check], lab.target)
        try:
            fault.make(lab.settings)
            fault.make(lab.settings)
            found = evaluate(EVERY[fault.check], lab.target)
        finally:
            fault.mend(lab.settings)
            fault.mend(lab.settings)
        assert (before.verdict, evaluate(EVERY[fault.check], lab.target).verdict) == (Verdict.OK, Verdict.OK)
    assert found.verdict is Verdict.CRITICAL
    assert found.remedy
    assert found.rows
