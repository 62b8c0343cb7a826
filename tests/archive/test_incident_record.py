"""What an archive has of an incident: runs, their steps' times, where checks turned, nothing of what was changed."""

import json
from datetime import datetime, timedelta

import pytest

from opslib.archive import incident_record
from opslib.archive.store import Archive
from opslib.model import now
from opslib.redaction import Redactor
from opslib.runs.journal import Journal
from tests.archive import build
from tests.archive.test_made import asked, step


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def said(check, verdict, minutes):
    at = f"{now() - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S.%fZ}"
    result = {"title": "X", "summary": "said", "threshold": {}, "reading": {"taken_at": at}}
    return "result", {"result": {"check": check, "verdict": verdict, **result}}


def sealed(archive, minutes, notebook="diagnostics/cache", lines=(), verdict="OK", **more):
    run = asked(minutes, notebook, **more)
    folder = archive.open(run)
    build.fill(folder, verdict)
    (folder / "journal.jsonl").unlink()
    journal = Journal(folder / "journal.jsonl", Redactor())
    for event, rest in lines:
        journal.append(event, **rest)
    journal.append("closed", state="finished", verdict=verdict)
    journal.close()
    archive.close(run["run"], Redactor([build.SECRET]))
    return run["run"]


def read(archive, kind, own=""):
    return [row for row in incident_record.rows(archive.folder, "lab", own) if row["kind"] == kind]


def minutes_ago(text):
    return round((now() - datetime.fromisoformat(text)).total_seconds() / 60)


def test_an_archive_without_runs_has_nothing(archive):
    assert incident_record.rows(archive.folder, "lab") == []


def test_a_steps_times_are_those_of_its_journal(archive):
    run = sealed(archive, 5, "runbooks/maintain-cache", step("intent", "applied", "verified"))
    lines = [json.loads(line) for line in (archive.folder / "runs" / run / "journal.jsonl").read_text().splitlines()]
    at = {line["event"]: line["time"] for line in lines}
    (row,) = read(archive, "run")
    (known,) = row["steps"]
    assert (known["begun_at"], known["ended_at"]) == (at["intent"], at["verified"])
    assert (known["title"], known["status"]) == ("Clear", "applied")


def test_a_run_that_goes_on_began_when_it_did_and_not_when_its_work_was_begun(archive):
    plan = asked(60, "runbooks/maintain-cache", mode="plan")
    began = f"{now() - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    sealed(archive, 60, "runbooks/maintain-cache", step("intent"), run=f"{plan['run']}-resume-1", started_at=began)
    assert read(archive, "run")[0]["started_at"] == began


def test_who_approved_is_told(archive):
    run = asked(5, "runbooks/maintain-cache")
    folder = archive.open(run)
    build.fill(folder)
    agreed = [{"principal": "ben", "kind": "approve"}]
    (folder / "result.json").write_text(json.dumps(build.result(run["run"], approvals=agreed)))
    archive.close(run["run"], Redactor())
    assert read(archive, "run")[0]["approved_by"] == ["ben"]


def test_where_a_check_turned_is_told_with_both_readings(archive):
    for minutes, verdict in ((50, "OK"), (40, "OK"), (30, "UNKNOWN"), (20, "CRITICAL"), (10, "OK")):
        sealed(archive, minutes, lines=[said("cache-memory", verdict, minutes)])
    better, worse = read(archive, "turn")
    assert [(one["before"], one["after"]) for one in (worse, better)] == [("OK", "CRITICAL"), ("CRITICAL", "OK")]
    assert (minutes_ago(worse["before_at"]), minutes_ago(worse["after_at"])) == (40, 20)
    assert (minutes_ago(better["before_at"]), minutes_ago(better["after_at"])) == (20, 10)
    assert worse["check"] == "cache-memory"


def test_a_runbook_that_looks_before_and_after_tells_both(archive):
    sealed(archive, 50, lines=[said("cache-memory", "OK", 50)])
    lines = [said("cache-memory", "CRITICAL", 20), *step("intent", "applied"), said("cache-memory", "OK", 18)]
    sealed(archive, 21, "runbooks/maintain-cache", lines)
    better, worse = read(archive, "turn")
    assert (minutes_ago(worse["before_at"]), minutes_ago(worse["after_at"])) == (50, 20)
    assert (minutes_ago(better["before_at"]), minutes_ago(better["after_at"])) == (20, 18)


def test_of_a_run_that_was_changed_nothing_is_told_but_that(archive):
    sealed(archive, 50, lines=[said("cache-memory", "OK", 50)])
    run = sealed(archive, 20, "runbooks/maintain-cache", [said("cache-memory", "CRITICAL", 20), *step("intent")])
    looked = sealed(archive, 10, lines=[said("cache-memory", "CRITICAL", 10)])
    for name in (run, looked):
        (archive.folder / "runs" / name / "evidence" / "take-backup.json").write_text("{}")
    rows = {row["run"]: row for row in read(archive, "run")}
    assert {rows[name]["untrusted"] for name in (run, looked)} == {"is not what was sealed"}
    assert (rows[run]["steps"], rows[run]["verdict"], rows[run]["finished_at"]) == ([], "", "")
    assert [row["untrusted"] for row in read(archive, "turn")] == ["is not what was sealed"]


def test_other_targets_the_run_that_asks_and_what_was_long_ago_are_not_told(archive):
    sealed(archive, 60 * 24 * 36, lines=[said("cache-memory", "OK", 60 * 24 * 36)])
    sealed(archive, 30, environment="staging", lines=[said("cache-memory", "OK", 30)])
    own = sealed(archive, 5, "reviews/post-incident-review")
    kept = sealed(archive, 4, lines=[said("cache-memory", "CRITICAL", 4)])
    assert [row["run"] for row in read(archive, "run", own)] == [kept]
    assert read(archive, "turn", own) == []


def test_a_run_under_way_is_open_and_what_many_cells_show_is_one_look(archive):
    archive.open(asked(5, "runbooks/maintain-cache"))
    probe = incident_record.probe(archive.folder, "own")
    target = type("Target", (), {"environment": "lab"})
    (row,) = probe.read(target)
    assert (row["sealed"], row["steps"], row["verdict"]) == ("open", [], "")
    sealed(archive, 4)
    assert len(probe.read(target)) == 1
