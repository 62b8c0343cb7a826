from datetime import UTC, datetime, timedelta, timezone

import pytest

from opslib.archive.log import RUN_ID
from opslib.archive.store import LONGEST
from opslib.errors import UsageError
from opslib.model import ENVIRONMENTS
from opslib.runs.slot import slot_id

DUE = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def test_one_slot_has_one_id_wherever_and_whenever_it_is_asked_for():
    there = DUE.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert slot_id("runbooks/back-up-database", "lab", DUE) == slot_id("runbooks/back-up-database", "lab", there)
    assert slot_id("routines/daily", "lab", DUE) == "20261123T130000Z-routines-daily-slot-lab"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_slots_id_is_a_runs_id_to_the_archive(environment):
    found = slot_id("runbooks/respond-to-security-incident", environment, DUE)
    assert RUN_ID.fullmatch(found)
    assert len(found) + len("-resume-99") <= LONGEST


def test_slots_that_differ_have_ids_that_differ():
    slots = [
        (notebook, environment, DUE + timedelta(seconds=later))
        for notebook in ("routines/daily", "routines/weekly")
        for environment in ENVIRONMENTS
        for later in (0, 1, 3600)
    ]
    assert len({slot_id(*slot) for slot in slots}) == len(slots)


@pytest.mark.parametrize("due", [DUE.replace(tzinfo=None), DUE.replace(microsecond=1)])
def test_a_time_without_zone_or_finer_than_seconds_is_no_slot(due):
    with pytest.raises(UsageError, match="is no slot"):
        slot_id("routines/daily", "lab", due)


@pytest.mark.parametrize("notebook", ["", "Daily", "../x", "routines/", "a b", "routines/daily\n"])
def test_what_is_no_notebooks_name_gets_no_id(notebook):
    with pytest.raises(UsageError, match="no notebook's name"):
        slot_id(notebook, "lab", DUE)
