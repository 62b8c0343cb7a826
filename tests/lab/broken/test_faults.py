"""Each fault of the lab is found by the check that it names, first of all in a triage, and gone when it is mended."""

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from opslib.areas import AREAS
from opslib.checks import triage
from opslib.errors import UsageError
from opslib.guide import catalogue
from opslib.lab import broken
from opslib.model import Verdict
from opslib.runs import reading, survey, surveying
from opslib.systems.target import VerifyTarget
from tests.scale import NIGHTLY
from tests.waiting import until

KNOWN = broken.faults()
FAULTS = {name: fault for name, fault in KNOWN.items() if not fault.standby}
"""Those of any lab; the others are tried in test_standby_faults.py."""
FOLDER = Path(__file__).resolve().parents[3] / "notebooks"
NOTEBOOKS = {item.notebook for item in catalogue.items().values()}
NOTEBOOKS |= {path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.ipynb")}
BROWSER = {"front-end-first-paint", "sdui-opened"}
"""Checks that open a page in a browser."""
FIRST = list(FAULTS) if NIGHTLY else random.Random(20261129).sample(list(FAULTS), 1)


@pytest.fixture
def settings(lab):
    return lab.settings


@pytest.fixture
def target(settings):
    made = VerifyTarget(settings, "test")
    yield made
    made.close()


@pytest.fixture
def look(target):
    """Return what a decisive check says of the lab now."""
    checks = {check.name: check for found in triage.decisive().values() for check in found}
    return lambda name: reading.evaluate(checks[name], target)


@pytest.fixture
def surveyed(settings):
    """Return a function that makes a triage of the lab, ranked with what was well before."""

    def made(good):
        # What the executor takes, it takes one after the other, each with handles of its own.
        def take(probe):
            handles = VerifyTarget(settings, "test")
            try:
                return reading.take(probe, handles)
            finally:
                handles.close()

        began = time.monotonic()
        found = list(surveying.look(triage.decisive(), settings.reading(), "test", take, 120))
        order = [check.name for checks in triage.decisive().values() for check in checks]
        found.sort(key=lambda one: order.index(one[1].check))
        return survey.survey_of("Triage", found, good, time.monotonic() - began, triage.CAUSES)

    return made


def skip_without_browser(fault):
    if fault.check in BROWSER and not shutil.which("chromium") and not os.environ.get("CI"):
        pytest.skip("no chromium: pages are not opened")


def test_names_are_their_own_and_lead_to_notebooks_that_mend():
    assert len(KNOWN) >= 20
    assert {fault.area for fault in KNOWN.values()} == set(broken.AREAS)
    assert set(AREAS) - set(broken.AREAS) == {"triage"}
    for fault in KNOWN.values():
        assert not fault.notebook or fault.notebook in NOTEBOOKS, fault
        assert not fault.notebook.startswith("diagnostics/"), fault
        # Where no notebook mends it, it says why a person has to.
        assert bool(fault.notebook) != bool(fault.person), fault


def test_an_unknown_fault_is_refused_with_all_that_there_are():
    with pytest.raises(UsageError, match="blocked-sessions"):
        broken.find("earthquake")


@pytest.mark.parametrize("name", list(FAULTS) if NIGHTLY else list(FAULTS)[::5])
def test_a_fault_is_found_by_its_check_and_gone_when_mended(settings, look, name):
    fault = FAULTS[name]
    skip_without_browser(fault)
    before = look(fault.check)
    assert before.verdict not in (Verdict.CRITICAL, fault.verdict), before.summary
    fault.make(settings)
    try:
        fault.make(settings)
        until(lambda: look(fault.check).verdict is fault.verdict)
        found = look(fault.check)
        assert found.remedy
        assert fault.notebook in found.remedy
    finally:
        fault.mend(settings)
        fault.mend(settings)
    # Not worse than before; what a fault before this one had left may be over by now.
    until(lambda: Verdict.worst([look(fault.check).verdict, before.verdict]) is before.verdict)


@pytest.mark.parametrize("name", FIRST)
def test_a_triage_names_it_first(settings, surveyed, name):
    fault = FAULTS[name]
    skip_without_browser(fault)

    def quiet():
        # A lab has no backup at first, and says so as loudly as it should; what was mended just now takes its time.
        found = surveyed({}).results
        ill = {one.title for one in found.values() if one.verdict is Verdict.CRITICAL}
        return (found, ill) if len(ill) <= 3 else None

    well, known = until(quiet, 60)
    good = {check: {"taken_at": "2026-11-29"} for check, one in well.items() if one.verdict is Verdict.OK}
    title = well[fault.check].title

    def first():
        found = next(row for row in surveyed(good).rows if row["check"] not in known)
        return found if (found["check"], found["verdict"]) == (title, fault.verdict.value) else None

    fault.make(settings)
    try:
        assert until(first, 60)["finding"]
    finally:
        fault.mend(settings)
