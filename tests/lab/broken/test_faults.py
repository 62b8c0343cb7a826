"""Each fault of the lab is found by the check that it names, first of all in a triage, and gone when it is mended."""

import os
import random
import shutil
from pathlib import Path

import pytest

from opslib.areas import AREAS
from opslib.checks import triage
from opslib.errors import UsageError
from opslib.guide import catalogue
from opslib.lab import broken
from opslib.lab.processes import LabError
from opslib.model import Verdict
from opslib.runs import reading, survey
from opslib.systems.target import VerifyTarget
from tests.kubernetes import ClusterDoors
from tests.scale import NIGHTLY
from tests.triaging import BROWSER, as_it_must_be, named_first
from tests.waiting import until

KNOWN = broken.faults()
FAULTS = {name: fault for name, fault in KNOWN.items() if not fault.standby}
"""Those of any lab; the others are tried in test_standby_faults.py."""
FOLDER = Path(__file__).resolve().parents[3] / "notebooks"
NOTEBOOKS = {item.notebook for item in catalogue.items().values()}
NOTEBOOKS |= {path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.ipynb")}
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


@pytest.mark.parametrize("name", list(FAULTS) if NIGHTLY else list(FAULTS)[::16])
def test_a_fault_is_found_by_its_check_and_gone_when_mended(settings, look, name):
    fault = FAULTS[name]
    skip_without_browser(fault)
    with as_it_must_be(settings, fault):

        def well():
            """What a fault before this one had left may be over only in a moment: a pod that starts."""
            found = look(fault.check)
            return found if found.verdict not in (Verdict.CRITICAL, fault.verdict) else None

        before = until(well, 60, lambda: look(fault.check).summary)
        deployments = ClusterDoors(settings).specs()["deployments"]
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
        assert ClusterDoors(settings).specs()["deployments"] == deployments


def test_a_lab_without_a_backup_is_not_broken_like_this_and_has_nothing_to_mend(settings):
    without = settings.model_copy(update={"backup_prefix": "nobody-wrote-here/"})
    tried = [fault for fault in FAULTS.values() if fault.backup]
    assert tried
    for fault in tried:
        with pytest.raises(LabError, match="no backup") as told:
            fault.make(without)
        assert "runbooks/back-up-database" in told.value.next_step
        fault.mend(without)


def test_a_lab_without_a_repository_is_not_broken_like_this_and_has_nothing_to_mend(settings):
    without = settings.model_copy(update={"checkout": None, "repository": None, "workspace": None})
    for name in ("migration-forgotten", "development-template", "development-without-packages"):
        with pytest.raises(LabError, match="no repository"):
            FAULTS[name].make(without)
        FAULTS[name].mend(without)


@pytest.mark.parametrize("name", FIRST)
def test_a_triage_names_it_first(settings, name):
    fault = FAULTS[name]
    skip_without_browser(fault)
    named_first(settings, fault)


def test_a_bucket_that_takes_nothing_explains_that_the_newest_backup_is_old(settings, target):
    fault = FAULTS["bucket-takes-nothing"]
    # Nobody has seen the bucket well; that there was a backup, somebody has: alone that would come first.
    good = {"backup-freshness": {"taken_at": "2026-11-29"}}

    def look():
        found = [("backups", reading.evaluate(check, target)) for check in triage.decisive()["backups"]]
        return survey.survey_of("Triage", found, good, 1.0, triage.CAUSES)

    with as_it_must_be(settings, fault):
        fault.make(settings)
        try:
            found = look()
        finally:
            fault.mend(settings)
        assert {look().verdicts[name] for name in ("backup-access", "backup-freshness")} == {Verdict.OK}
    access, freshness, *_ = found.rows
    assert found.first.check == fault.check
    assert freshness["finding"].startswith("If the database died now, 26.0 h of work would be lost")
    assert freshness["explained_by"] == f"{access['check']}: where nobody may write, no newer backup arrives"
