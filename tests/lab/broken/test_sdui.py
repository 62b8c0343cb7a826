"""Each fault of server-driven pages is found by the check that it names, and is gone when it is mended."""

import os
import shutil

import pytest

from opslib.checks import sdui as checks
from opslib.lab.broken.sdui import FAULTS
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget
from tests.vendors import Doors

CHECKS = {
    one.name: one
    for one in (
        *(checks.version(), checks.schema(), checks.registry(), checks.markup(), checks.tenant()),
        *(checks.unseen(), checks.opened),
    )
}


@pytest.fixture
def target(lab):
    made = ReadTarget(lab.settings.reading(), "test")
    with Doors(lab.settings).restored():
        yield made
    made.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.name)
def test_a_fault_is_found_by_its_check_and_gone_when_it_is_mended(lab, target, fault):
    if fault.check == checks.opened.name and not shutil.which("chromium") and not os.environ.get("CI"):
        pytest.skip("no chromium: pages are not opened")
    check = CHECKS[fault.check]
    for _ in range(2):
        fault.make(lab.settings)
    result = evaluate(check, target)
    assert (result.verdict, bool(result.rows), bool(result.remedy)) == (Verdict.CRITICAL, True, True), result.summary
    for _ in range(2):
        fault.mend(lab.settings)
    assert evaluate(check, target).verdict is Verdict.OK


def test_names_of_faults_are_unique_and_their_area_is_sdui():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 2
    assert {fault.area for fault in FAULTS} == {"sdui"}
