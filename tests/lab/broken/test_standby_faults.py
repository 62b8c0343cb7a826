"""Each fault that needs a standby is found by the check that it names, and gone when it is mended."""

import pytest

from opslib.actions.database import DropForgottenSlot
from opslib.checks import backups, triage
from opslib.checks import database as checks
from opslib.errors import Refused
from opslib.lab import broken, continuous, wal
from opslib.lab.broken import parts
from opslib.lab.broken.database_servers import full_piece
from opslib.lab.cloud import BACKUPS, Cloud
from opslib.lab.processes import LabError
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.runs.survey import survey_of
from opslib.systems.target import PlanTarget, ReadTarget
from tests.scale import first, nightly
from tests.triaging import named_first
from tests.waiting import until

FAULTS = {name: fault for name, fault in broken.faults().items() if fault.standby}
CHECKS = {check.name: check for check in checks.DECISIVE}
USUAL = first(1, "primary-killed", "split-brain", "log-not-kept", "standby-cut-off", "replay-paused", "primary-frozen")
SECONDS = 60.0


def test_all_of_them_are_tried_at_night():
    assert set(USUAL) <= set(FAULTS)
    assert len(USUAL) in (1, len(FAULTS))


@pytest.mark.parametrize("name", USUAL)
def test_a_fault_between_the_servers_is_found_and_gone_when_mended(pair, name):
    fault, settings = FAULTS[name], pair.settings()
    target = ReadTarget(settings.reading(), "test")

    def look():
        return evaluate(CHECKS[fault.check], target)

    try:
        until(lambda: look().verdict is Verdict.OK, SECONDS)
        fault.make(settings)
        try:
            fault.make(settings)
            until(lambda: look().verdict is fault.verdict, SECONDS)
            found = look()
            assert fault.notebook in found.remedy
            assert ("Split brain" in found.summary) == (name == "split-brain")
        finally:
            fault.mend(settings)
            fault.mend(settings)
        until(lambda: look().verdict is Verdict.OK, SECONDS)
    finally:
        target.close()


@nightly
@nightly
@pytest.mark.parametrize("name", list(FAULTS))
def test_a_triage_names_it_first(pair, name):
    named_first(pair.settings(), FAULTS[name])


def test_what_the_loser_of_a_split_brain_wrote_leads_no_recovery_astray(pair):
    settings, fault = pair.settings(), FAULTS["split-brain"]
    fault.make(settings)
    primary, standby = parts.pair(settings)
    cloud, own = Cloud(primary.state, primary.passwords), continuous.timeline(primary)
    assert continuous.timeline(standby) == own + 1
    history = f"{wal.PREFIX}{wal.WAL}{own + 1:08X}.history.gz"

    def kept():
        found = cloud.client("s3").list_objects_v2(Bucket=BACKUPS, Prefix=f"{wal.PREFIX}{wal.WAL}{own + 1:08X}")
        return [item["Key"] for item in found.get("Contents", ())]

    until(lambda: history in kept(), SECONDS)
    fault.mend(settings)
    assert kept() == []
    assert continuous.timeline(primary) == own


@nightly
def test_a_bucket_that_lets_nobody_write_is_named_as_why_the_log_is_not_kept(pair):
    settings, fault = pair.settings(), broken.find("bucket-denied")
    target = ReadTarget(settings.reading(), "test")
    asked = (checks.keeping, backups.access)

    def look():
        return [("area", evaluate(check, target)) for check in asked]

    try:
        until(lambda: all(one.verdict is Verdict.OK for _, one in look()), SECONDS)
        fault.make(settings)
        try:
            full_piece(settings)
            until(lambda: all(one.verdict is Verdict.CRITICAL for _, one in look()), SECONDS)
            rows = survey_of("Triage", look(), {}, 1.0, triage.CAUSES).rows
            assert [row["check"] for row in rows] == [backups.access.title, checks.keeping.title]
            assert "lets nobody write" in rows[1]["explained_by"]
        finally:
            fault.mend(settings)
            full_piece(settings)
        until(lambda: all(one.verdict is Verdict.OK for _, one in look()), 2 * SECONDS)
    finally:
        target.close()


@nightly
def test_the_slot_of_a_standby_that_is_cut_off_is_not_dropped_as_forgotten(pair):
    settings, fault = pair.settings(), FAULTS["standby-cut-off"]
    target = PlanTarget(settings, "test")

    def refused():
        with pytest.raises(Refused) as told:
            DropForgottenSlot(slot="standby").plan(target)
        return "the described standby's own slot" in told.value.message

    fault.make(settings)
    try:
        until(refused, SECONDS)
    finally:
        fault.mend(settings)
        target.close()


@nightly
def test_a_primary_that_died_is_mended_after_its_standby_took_over_and_loses_nothing(pair):
    settings, fault = pair.settings(), FAULTS["primary-killed"]
    fault.make(settings)
    _, standby = parts.pair(settings)
    with standby.session("valuecanvas") as session:
        session.execute("SELECT pg_promote(true, 20)")
        session.execute("CREATE TABLE public.taken_over AS SELECT 1 AS one")
    fault.mend(settings)
    primary, standby = parts.pair(settings)
    with primary.session("valuecanvas") as session:
        session.execute("INSERT INTO public.taken_over VALUES (2)")
        session.execute("DROP TABLE public.taken_over")
    assert standby.follows


def test_a_lab_without_a_standby_is_not_broken_like_this_and_has_nothing_to_mend(lab):
    for fault in FAULTS.values():
        with pytest.raises(LabError, match="has no standby"):
            fault.make(lab.settings)
        fault.mend(lab.settings)
