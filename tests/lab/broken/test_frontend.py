"""Each fault of the front end is found by the check that it names, and is gone when it is mended."""

import os
import shutil

import pytest

from opslib.checks import frontend as checks
from opslib.lab.broken.frontend import FAULTS
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget
from tests.vendors import Doors

CHECKS = {one.name: one for one in (checks.whole, checks.size, checks.kept, checks.former, checks.painted(3))}
PAINTED = checks.painted().name


@pytest.fixture
def target(lab):
    made = PlanTarget(lab.settings, "test")
    with Doors(lab.settings).restored():
        yield made
    made.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.name)
def test_a_fault_is_found_by_its_check_and_gone_when_it_is_mended(lab, target, fault):
    if fault.check == PAINTED and not shutil.which("chromium") and not os.environ.get("CI"):
        pytest.skip("no chromium: pages are not opened")
    check = CHECKS[fault.check]
    for _ in range(2):
        fault.make(lab.settings)
    result = evaluate(check, target)
    expected = Verdict.WARNING if check is checks.former else Verdict.CRITICAL
    assert (result.verdict, bool(result.remedy)) == (expected, True), result.summary
    if fault.check == PAINTED:
        assert all("ValueTree" in row["errors"][0] for row in result.reading.rows)
    for _ in range(2):
        fault.mend(lab.settings)
    assert evaluate(check, target).verdict is Verdict.OK


def test_names_of_faults_are_unique_and_their_area_is_frontend():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 2
    assert {fault.area for fault in FAULTS} == {"frontend"}
