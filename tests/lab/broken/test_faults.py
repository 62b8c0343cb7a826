"""Each fault of the lab is found by the check that it names, and gone when it is mended."""

from pathlib import Path

import pytest

from opslib.areas import AREAS
from opslib.checks import triage
from opslib.errors import UsageError
from opslib.guide import catalogue
from opslib.lab import broken
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import VerifyTarget
from tests.waiting import until

FAULTS = broken.faults()
FOLDER = Path(__file__).resolve().parents[3] / "notebooks"
NOTEBOOKS = {item.notebook for item in catalogue.items().values()}
NOTEBOOKS |= {path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.ipynb")}


@pytest.fixture
def settings(lab):
    return lab.settings


@pytest.fixture
def look(settings):
    """Return what a decisive check says of the lab now."""
    checks = {check.name: check for found in triage.decisive().values() for check in found}

    def look(name):
        target = VerifyTarget(settings, "test")
        try:
            return evaluate(checks[name], target)
        finally:
            target.close()

    return look


def test_names_are_their_own_and_lead_to_notebooks_of_the_guide():
    modules = [area for area in broken.AREAS for fault in FAULTS.values() if fault.area == area]
    assert len(modules) == len(FAULTS) == sum(1 for _ in FAULTS)
    for fault in FAULTS.values():
        assert fault.area in AREAS
        assert not fault.notebook or fault.notebook in NOTEBOOKS, fault


def test_an_unknown_fault_is_refused_with_all_that_there_are():
    with pytest.raises(UsageError, match="blocked-sessions"):
        broken.find("earthquake")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_its_check_and_gone_when_mended(settings, look, name):
    fault = FAULTS[name]
    before = look(fault.check)
    assert before.verdict is not Verdict.CRITICAL, before.summary
    fault.make(settings)
    try:
        fault.make(settings)
        until(lambda: look(fault.check).verdict is fault.verdict)
        found = look(fault.check)
        assert found.remedy
        assert not fault.notebook or fault.notebook in found.remedy
    finally:
        fault.mend(settings)
        fault.mend(settings)
    until(lambda: look(fault.check).verdict is before.verdict)
