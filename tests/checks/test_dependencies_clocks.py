"""Whose clock is wrong, told by who else is off and how surely; and what a wrong one does for real."""

import pytest

from opslib.checks import dependencies as checks
from opslib.lab.broken import find
from opslib.lab.cloud import client
from opslib.lab.doors import Doors
from opslib.model import Reading, Verdict, now
from opslib.runs.reading import evaluate
from tests.databases import with_settings

FAULT = find("clock-skew")


def row(clock, ahead, *, outside=False, give=0.5):
    return {"clock": clock, "outside": outside, "ahead": ahead, "give": give, "why": ""}


def judged(*rows):
    return checks.clocks.judge(Reading("x", "X", "lab", now(), 0.1, rows))


WELL = (row("AWS", 0.4, outside=True), row("GitHub", -0.2, outside=True), row("the database", 0.0))


def test_clocks_that_agree_are_well():
    found = judged(*WELL)
    assert (found.verdict, found.value) == (Verdict.OK, 0.4)
    assert "3 clocks agree" in found.summary


@pytest.mark.parametrize(("ahead", "way"), [(1200.0, "20 min behind"), (-1200.0, "20 min ahead of")])
def test_where_all_vendors_are_off_the_same_way_it_is_this_machines(ahead, way):
    # The database runs on this machine: that it agrees proves nothing.
    found = judged(row("AWS", ahead, outside=True), row("GitHub", ahead, outside=True), row("the database", 0.0))
    assert found.verdict is Verdict.CRITICAL
    assert found.summary.startswith(f"This machine's clock is {way}")


def test_a_single_server_that_is_off_is_named_and_this_machines_clock_is_not():
    found = judged(*WELL[:2], row("the database", -400.0))
    assert found.verdict is Verdict.CRITICAL
    assert "The clock of the database is" in found.summary
    assert "the others agree" in found.summary


def test_vendors_that_are_off_in_two_ways_accuse_each_other():
    found = judged(row("AWS", 400.0, outside=True), row("GitHub", -400.0, outside=True), WELL[2])
    assert found.verdict is Verdict.CRITICAL
    assert "This machine's" not in found.summary


@pytest.mark.parametrize(("give", "verdict"), [(0.5, Verdict.WARNING), (20.0, Verdict.OK)])
def test_what_a_slow_answer_leaves_open_accuses_nobody(give, verdict):
    assert judged(*WELL[:2], row("the database", 45.0, give=give)).verdict is verdict


def test_without_anybody_who_keeps_good_time_it_is_unknown():
    assert judged(row("AWS", None, outside=True), WELL[2]).verdict is Verdict.UNKNOWN


def test_a_vendor_that_nobody_saw_leaves_it_well_and_a_server_of_ours_does_not():
    assert judged(*WELL, row("OpenAI", None, outside=True)).verdict is Verdict.OK
    found = judged(*WELL, row("the cluster", None))
    assert (found.verdict, "not seen: the cluster" in found.summary) == (Verdict.UNKNOWN, True)


def test_in_the_lab_every_clock_is_seen_and_a_skew_makes_aws_refuse_what_is_signed_here(lab):
    def look():
        return evaluate(checks.clocks, lab.target)

    assert look().verdict is Verdict.OK
    store, vault = client(lab.settings, "s3"), client(lab.settings, "secretsmanager")
    FAULT.make(lab.settings)
    try:
        found = look()
        with pytest.raises(store.exceptions.ClientError, match="RequestTimeTooSkewed"):
            store.list_buckets()
        with pytest.raises(vault.exceptions.ClientError, match="InvalidSignatureException"):
            vault.list_secrets()
        with pytest.raises(Exception, match="its clock and this machine's are too far apart"):
            lab.target.backups.list("")
    finally:
        FAULT.mend(lab.settings)
    assert {one["clock"] for one in found.reading.rows if one["ahead"] is not None} == {
        *("AWS", "GitHub", "Together.ai", "OpenAI", "the cluster", "the API", "the database", "the cache")
    }
    assert found.verdict is Verdict.CRITICAL
    assert found.summary.startswith("This machine's clock is ")
    assert found.summary.endswith(" behind those of AWS, GitHub, Together.ai, OpenAI.")
    assert look().verdict is Verdict.OK
    assert store.list_buckets()["Buckets"]


def test_one_vendor_whose_clock_is_off_is_named_by_itself_and_its_other_faults_stay(lab):
    doors = Doors(lab.settings)
    doors.fail("openai", "503", times=0)
    doors.fail("openai", "clock", seconds=300)
    try:
        found = evaluate(checks.clocks, lab.target)
        assert (found.verdict, found.summary.startswith("The clock of OpenAI is ")) == (Verdict.CRITICAL, True)
        doors.mend("openai", "clock")
        assert evaluate(checks.clocks, lab.target).verdict is Verdict.OK
    finally:
        doors.mend("openai")


def test_a_server_that_cannot_be_asked_hides_no_other(lab):
    found = evaluate(checks.clocks, with_settings(lab, kubernetes_url="https://127.0.0.1:9"))
    assert found.verdict is Verdict.UNKNOWN
    assert [one["clock"] for one in found.reading.rows if one["ahead"] is None] == ["the cluster"]
