from datetime import UTC, date, datetime, timedelta

import pytest

from opslib.checks import backups as checks
from opslib.model import Reading, Verdict

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RECOVERY = {
    "backups": 5,
    "broken": 0,
    "fault": None,
    "newest": NOW,
    "newest_proven": NOW - timedelta(hours=1),
    "proven_at": NOW - timedelta(days=1),
    "age_hours": 0.5,
    "rpo_hours": 1.0,
    "interval_hours": 0.5,
    "predicted_minutes": 2.0,
    "rto_minutes": 5.0,
    "restored_per_second": 50_000_000,
}
NOTHING = RECOVERY | dict.fromkeys(("newest", "newest_proven", "proven_at", "age_hours", "predicted_minutes"))


def judge(check, *rows):
    reading = Reading(check.probe.name, check.probe.title, "lab", NOW, 0.1, tuple(rows))
    return check.judge(reading)


@pytest.mark.parametrize(
    ("hours", "verdict"),
    [(0.0, "OK"), (0.8, "OK"), (0.81, "WARNING"), (1.0, "WARNING"), (1.001, "CRITICAL"), (26, "CRITICAL")],
)
def test_the_newest_proven_backup_is_held_against_the_rpo(hours, verdict):
    assert judge(checks.freshness, RECOVERY | {"age_hours": hours}).verdict == verdict


def test_a_daily_backup_is_told_that_it_cannot_meet_an_rpo_of_an_hour_even_when_it_is_fresh():
    said = judge(checks.freshness, RECOVERY | {"interval_hours": 24.0})
    assert said.verdict is Verdict.OK
    assert "One backup every 24.0 h cannot meet that RPO" in said.summary
    assert "cannot meet" not in judge(checks.freshness, RECOVERY).summary
    assert "daily" in checks.freshness.remedy


def test_no_backup_and_no_proven_backup_are_critical_and_told_apart():
    assert judge(checks.freshness, NOTHING | {"backups": 0}).summary.startswith("There is no backup at all")
    said = judge(checks.freshness, NOTHING)
    assert said.verdict is Verdict.CRITICAL
    assert said.summary.startswith("None of 5 backups is proven")


@pytest.mark.parametrize(
    ("days", "verdict"), [(0, "OK"), (30, "OK"), (31, "WARNING"), (92, "WARNING"), (93, "CRITICAL")]
)
def test_the_age_of_the_last_proof_is_judged(days, verdict):
    assert (
        judge(checks.proof_age, RECOVERY | {"proven_at": (NOW - timedelta(days=days)).isoformat()}).verdict == verdict
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"backups": 0}, "There is no backup at all: "),
        ({"backups": 2, "broken": 1, "fault": "its dump is missing"}, "None of 2 backups is proven: "),
        (
            {"backups": 0, "broken": 3, "fault": "its dump is missing"},
            "None of 3 backups is whole (of the newest its dump is missing): ",
        ),
    ],
)
def test_why_nothing_could_be_restored_is_said(row, said):
    found = judge(checks.freshness, NOTHING | row)
    assert (found.verdict, found.summary.partition("if")[0]) == (Verdict.CRITICAL, said)


def test_a_backup_that_was_never_restored_is_critical():
    assert judge(checks.proof_age, NOTHING).verdict is Verdict.CRITICAL


@pytest.mark.parametrize(("minutes", "verdict"), [(4.0, "OK"), (4.1, "WARNING"), (5.0, "WARNING"), (5.1, "CRITICAL")])
def test_the_predicted_recovery_time_is_held_against_the_rto(minutes, verdict):
    assert judge(checks.recovery_time, RECOVERY | {"predicted_minutes": minutes}).verdict == verdict


def test_without_a_measured_restore_the_recovery_time_is_unknown():
    assert judge(checks.recovery_time, NOTHING).verdict is Verdict.UNKNOWN


def changed(dump=(100, 100), rows=(1000, 1000), *tables):
    return [
        {"what": "dump", "before": dump[0], "now": dump[1]},
        {"what": "rows", "before": rows[0], "now": rows[1]},
        *({"what": name, "before": before, "now": after, "core": core} for name, before, after, core in tables),
    ]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        (changed((100, 90)), "OK"),
        (changed((100, 89)), "CRITICAL"),
        (changed(rows=(1000, 899)), "CRITICAL"),
        (changed((100, 150)), "OK"),
        (changed((100, 151)), "WARNING"),
        (changed((100, 100), (10, 10), ("public.logs", 5, 0, False)), "CRITICAL"),
        (changed((100, 100), (10, 10), ("public.logs", 5, None, False)), "CRITICAL"),
        (changed((100, 100), (10, 10), ("public.logs", 0, 0, False)), "OK"),
        (changed((100, 100), (10, 10), ("public.logs", 500, 5, False)), "OK"),
        (changed((100, 100), (10, 10), ("public.users", 0, 0, True)), "CRITICAL"),
        (changed((None, 100), (None, 10), ("public.users", None, 7, True)), "OK"),
        (changed((None, 100), (None, 0), ("public.users", None, 0, True)), "CRITICAL"),
    ],
)
def test_a_backup_that_shrank_or_lost_a_table_is_found(rows, verdict):
    assert judge(checks.shrinkage, *rows).verdict == verdict


def test_a_lost_table_is_named():
    said = judge(checks.shrinkage, *changed((100, 100), (10, 10), ("public.logs", 5, 0, False)))
    assert "public.logs had 5 rows and has none" in said.summary
    assert [row["what"] for row in said.rows] == ["dump", "rows", "public.logs"]


def test_the_first_backup_says_that_there_was_nothing_to_compare_with():
    assert "nothing to compare" in judge(checks.shrinkage, *changed((None, 9), (None, 9))).summary
    assert judge(checks.shrinkage).verdict is Verdict.UNKNOWN


def days(*states):
    start = date(2026, 11, 1)
    return [{"day": start + timedelta(days=n), "state": s, "proven": 0, "present": 0} for n, s in enumerate(states)]


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (["proven", "present", "proven"], "OK"),
        (["before the first backup", "present"], "OK"),
        (["proven", "missing", "proven"], "WARNING"),
        (["proven", "broken", "proven"], "WARNING"),
        (["proven", "missing", "broken", "missing"], "CRITICAL"),
        (["before the first backup"] * 30, "CRITICAL"),
        (["proven", "proven", "not yet"], "OK"),
    ],
)
def test_days_without_a_usable_backup_are_counted(states, verdict):
    assert judge(checks.coverage, *days(*states)).verdict == verdict


def test_missed_days_are_listed():
    said = judge(checks.coverage, *days("proven", "missing", "proven"))
    assert "none on 2026-11-02" in said.summary
    assert [row["state"] for row in said.rows] == ["missing"]


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({"what": "a", "due": False, "why": "is not older than 30 days"}, "OK"),
        ({"what": "a", "due": True, "why": "is older than 30 days, and b is proven"}, "WARNING"),
        ({"what": "a.dump", "due": False, "why": "has no manifest"}, "WARNING"),
        ({"what": "a.dump", "due": False, "why": "is an unfinished upload"}, "WARNING"),
        ({"what": "a", "due": False, "why": "is not whole: a person must look at it first"}, "WARNING"),
    ],
)
def test_what_is_overdue_or_half_there_is_a_warning(row, verdict):
    assert judge(checks.overdue, row).verdict == verdict


@pytest.mark.parametrize(
    ("name", "on", "verdict"),
    [
        ("versioning", True, "OK"),
        ("versioning", False, "WARNING"),
        ("encryption", False, "WARNING"),
        ("no public access", False, "CRITICAL"),
        ("lifecycle keeps backups", False, "CRITICAL"),
        ("object lock", None, "UNKNOWN"),
    ],
)
def test_each_protection_has_its_weight_and_one_that_cannot_be_read_is_unknown(name, on, verdict):
    others = {"protection": "other", "on": True, "says": "fine"}
    said = judge(checks.protections, others, {"protection": name, "on": on, "says": "what S3 says"})
    assert said.verdict == verdict
    assert (name in said.summary) is (on is not True)


SOURCE = {"database": "valuecanvas", "server": "18.6", "standby": False, "size": 1, "tables": 3, "missing_tables": ""}


@pytest.mark.parametrize(
    ("change", "verdict"),
    [({}, "OK"), ({"missing_tables": "auth.users"}, "CRITICAL"), ({"standby": True}, "WARNING")],
)
def test_the_database_to_be_saved_must_have_its_core_tables(change, verdict):
    assert judge(checks.source, SOURCE | change).verdict == verdict


def test_every_check_of_the_area_names_what_to_do():
    from opslib.model import Check

    found = [value for value in vars(checks).values() if isinstance(value, Check)]
    assert len(found) == 14
    assert [check.name for check in found if len(check.remedy) < 40] == []
