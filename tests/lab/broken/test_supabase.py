"""Each fault is found by the check that it names, is the same when made twice, and is gone when it is mended."""

import pytest

from opslib.checks import supabase as checks
from opslib.lab.broken.supabase import FAULTS
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import VerifyTarget
from tests.supabase import project

CHECKS = {branch.check.name: branch.check for tree in checks.TREES for branch in tree.branches}
WORST = {"supabase-network": Verdict.WARNING}


@pytest.fixture
def target(lab):
    made = VerifyTarget(lab.settings, "test")
    with project(lab.settings):
        yield made
    made.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_and_gone_once_it_is_mended(lab, target, fault):
    check = CHECKS[fault.check]
    assert evaluate(check, target).verdict is Verdict.OK
    try:
        fault.make(lab.settings)
        fault.make(lab.settings)
        found = evaluate(check, target)
    finally:
        fault.mend(lab.settings)
        fault.mend(lab.settings)
    assert found.verdict is WORST.get(check.name, Verdict.CRITICAL), found.summary
    assert found.remedy
    assert evaluate(check, target).verdict is Verdict.OK
