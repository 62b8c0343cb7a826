"""Each fault of who watches is found by the check that it names, is the same when made twice, and can be mended."""

import pytest

from opslib.checks import observability as checks
from opslib.lab.broken.observability import FAULTS
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget
from tests.watchers import watchers

ALL = (checks.stack, checks.targets, checks.guide_alerts, checks.silent_rules, checks.told, checks.dashboards)
CHECKS = {check.name: check for check in ALL}


@pytest.fixture
def target(lab):
    with watchers(lab.settings):
        made = ReadTarget(lab.settings.reading(), "test")
        yield made
        made.close()


def test_every_check_has_a_fault():
    assert {fault.check for fault in FAULTS} == set(CHECKS)


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
    assert found.verdict is Verdict.CRITICAL, found.summary
    assert found.remedy
    assert found.rows
    assert evaluate(check, target).verdict is Verdict.OK
