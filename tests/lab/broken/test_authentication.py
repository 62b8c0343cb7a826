"""Each fault is found by the check that it names, is the same when made twice, and is gone when it is mended."""

import pytest

from opslib.checks import authentication as checks
from opslib.lab.broken.authentication import FAULTS
from opslib.lab.doors import front
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import VerifyTarget
from tests.vendors import Doors

CHECKS = {check.name: check for check in checks.DECISIVE}


@pytest.fixture
def target(lab):
    made = VerifyTarget(lab.settings, "test")
    made_before = front(lab.settings)
    with Doors(lab.settings).restored():
        yield made
    front(lab.settings, **made_before)
    made.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_and_gone_once_it_is_mended(lab, target, fault):
    check = CHECKS[fault.check]
    try:
        fault.make(lab.settings)
        fault.make(lab.settings)
        found = evaluate(check, target)
    finally:
        fault.mend(lab.settings)
        fault.mend(lab.settings)
    assert found.verdict is Verdict.CRITICAL, found.summary
    assert found.remedy
    assert evaluate(check, target).verdict is Verdict.OK
