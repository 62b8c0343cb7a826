"""What was run of late, as an archive knows it: sealed, open, changed, of another target."""

from datetime import timedelta

import pytest

from opslib.archive import made
from opslib.archive.store import Archive
from opslib.guide.incident import TRIAGE
from opslib.model import now
from opslib.redaction import Redactor
from opslib.runs.journal import Journal
from tests.archive import build


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def asked(minutes, notebook="runbooks/maintain-cache", **said):
    started = now() - timedelta(minutes=minutes)
    run = f"{started:%Y%m%dT%H%M%SZ}-{notebook.replace('/', '-')}-a1b2c3"
    return build.asked(1, notebook=notebook, run=run, started_at=f"{started:%Y-%m-%dT%H:%M:%SZ}") | said


def sealed(archive, minutes, notebook="runbooks/maintain-cache", lines=(), verdict="OK", **said):
    run = asked(minutes, notebook, **said)
    folder = archive.open(run)
    build.fill(folder, verdict)
    if lines:
        (folder / "journal.jsonl").unlink()
        journal = Journal(folder / "journal.jsonl", Redactor())
        for event, more in lines:
            journal.append(event, **more)
        journal.append("closed", state="finished", verdict=verdict)
        journal.close()
    archive.close(run["run"], Redactor([build.SECRET]))
    return run["run"]


def step(*events, effect="change"):
    plan = {"title": "Clear", "action": "clear", "effect": effect}
    return [("planned", {"step": "clear", "plan": plan}), *((event, {"step": "clear"}) for event in events)]


def read(archive, own=""):
    return made.rows(archive.folder, "lab", own)


def test_an_archive_without_runs_has_none(archive):
    assert read(archive) == []


def test_runs_of_the_target_come_newest_first_without_the_one_that_asks_and_those_of_long_ago(archive):
    sealed(archive, 60 * 24 * 9)
    old = sealed(archive, 60)
    new = sealed(archive, 5, "diagnostics/cache", verdict="WARNING")
    sealed(archive, 4, environment="staging")
    own = sealed(archive, 1, "reviews/incident-workbench")
    found = read(archive, own)
    assert [row["run"] for row in found] == [new, old]
    assert (found[0]["verdict"], found[0]["by"], found[0]["untrusted"]) == ("WARNING", "ada@ops-1", "")
    assert found[0]["report"] == f"runs/{new}/report.html"


@pytest.mark.parametrize(
    ("lines", "said", "steps"),
    [
        (step("intent", "applied"), {}, [("clear", "applied")]),
        (step("intent"), {}, [("clear", "in doubt")]),
        (step("intent", "applied", effect="local"), {}, []),
        (step(), {"mode": "plan"}, []),
        (step("refused"), {}, []),
    ],
    ids=["applied", "in doubt", "on this machine only", "planned", "refused"],
)
def test_steps_that_touched_the_target_are_told_with_how_they_stand(archive, lines, said, steps):
    sealed(archive, 5, lines=lines, **said)
    (row,) = read(archive)
    assert [(one["step"], one["status"]) for one in row["steps"]] == steps


def test_the_newest_triage_says_what_it_found_ill_worst_first(archive):
    result = {"title": "X", "summary": "said", "threshold": {}}
    ill = [
        ("result", {"result": {"check": name, "verdict": verdict, **result}})
        for name, verdict in (("a", "OK"), ("b", "WARNING"), ("c", "CRITICAL"))
    ]
    sealed(archive, 50, TRIAGE, lines=ill[1:2], verdict="WARNING")
    sealed(archive, 5, TRIAGE, lines=ill, verdict="CRITICAL")
    newest, older = read(archive)
    assert [(one["check"], one["verdict"]) for one in newest["ill"]] == [("c", "CRITICAL"), ("b", "WARNING")]
    assert older["ill"] == []


def test_a_run_that_was_changed_is_told_as_such(archive):
    run = sealed(archive, 5)
    (archive.folder / "runs" / run / "evidence" / "take-backup.json").write_text("{}")
    assert read(archive)[0]["untrusted"] == "is not what was sealed"


def test_a_run_that_is_under_way_is_open_and_one_in_quarantine_is_told(archive):
    archive.open(asked(5))
    (row,) = read(archive)
    assert (row["sealed"], row["verdict"], row["untrusted"]) == ("open", "", "")
    run = asked(3, "runbooks/restore-database")
    folder = archive.open(run)
    build.fill(folder)
    (folder / "evidence" / "x.txt").write_text(build.SECRET.reveal())
    with pytest.raises(Exception, match="was not sealed"):
        archive.close(run["run"], Redactor([build.SECRET]))
    newest = read(archive)[0]
    assert (newest["sealed"], newest["run"]) == ("quarantined", run["run"])


def test_a_run_whose_files_are_damaged_is_told_and_stops_nothing(archive):
    run = sealed(archive, 5)
    (archive.folder / "runs" / run / "run.json").write_text('{"started_at": "yesterday"')
    (row,) = read(archive)
    assert (row["run"], bool(row["untrusted"])) == (run, True)


def test_what_many_cells_show_is_one_look(archive):
    probe = made.probe(archive.folder, "own")
    target = type("Target", (), {"environment": "lab"})
    sealed(archive, 5)
    first = probe.read(target)
    sealed(archive, 4)
    assert probe.read(target) is first
    assert (probe.by_executor, probe.name) == (True, made.NAME)
