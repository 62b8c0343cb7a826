"""Undoing runs that did not end well; the runs' records are written by hand, the undo is the real one on the lab."""

import json
from pathlib import Path

import pytest

from opslib import sshsig
from opslib.archive import keys
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.canonical import to_json
from opslib.errors import Refused
from opslib.headless.undo import undo
from opslib.model import Effect, Plan, Repeat
from opslib.redaction import Redactor
from opslib.runs.journal import Journal
from opslib.runs.saved_plan import parse

RUN = "20261123T130614Z-runbooks-back-up-database-a1b2c3"
PLAN = Plan(
    action="take-backup",
    title="Take a backup",
    effect=Effect.CHANGE,
    repeat=Repeat.REPEATABLE,
    parameters={},
    before={},
    after={},
    touches=0,
    touched="objects",
    verification="looked at",
    undo="remove it",
)


@pytest.fixture
def archived(tmp_path, monkeypatch, lab):
    """Return a function that seals a run whose journal holds the given events of steps."""
    monkeypatch.setenv("OPS_LAB", str(lab.folder))

    def archived(*events):
        archive = Archive(tmp_path / "archive")
        folder = archive.open({"run": RUN, "notebook": "runbooks/back-up-database", "environment": "lab"})
        journal = Journal(folder / "journal.jsonl", Redactor())
        for step, event in events:
            said = {"planned": {"plan": to_json(PLAN)}, "applied": {"values": {}}}.get(event, {})
            journal.append(event, step=step, **said)
        journal.close()
        archive.close(RUN, Redactor())
        return archive.folder

    return archived


def test_a_step_that_was_applied_and_did_not_verify_is_undone(archived):
    archive = archived(*[("a", event) for event in ("planned", "intent", "applied", "verified", "failed")])
    result = undo("a1b2c3", archive)
    assert result["reason"].startswith("1 step(s)")
    assert (result["state"], result["verdict"], result["exit_code"]) == ("finished", "UNKNOWN", 3)


@pytest.mark.parametrize("last", ["intent", "failed"])
def test_an_undo_looks_first_at_a_step_whose_end_nobody_knows(archived, last):
    done = [("a", event) for event in ("planned", "intent", "applied", "verified")]
    begun = [("b", "planned"), ("b", "intent"), *([("b", "failed")] if last == "failed" else [])]
    archive = archived(*done, *begun)
    result = undo("a1b2c3", archive)
    lines = [json.loads(line) for line in (Path(result["report"]).parent / "journal.jsonl").read_text().splitlines()]
    looked = [(line["step"], line["outcome"]) for line in lines if line["event"] == "settled"]
    assert looked == [("b", "not done")]
    assert (result["state"], result["verdict"], result["exit_code"]) == ("finished", "OK", 0)
    assert verify(archive).ok


def test_what_was_undone_is_not_undone_again(archived):
    archive = archived(*[("a", event) for event in ("planned", "intent", "applied", "verified")])
    first = undo("a1b2c3", archive)["run"]
    with pytest.raises(Refused, match=f"undone already, by {first}"):
        undo("a1b2c3", archive)


def test_a_plan_of_an_undo_changes_nothing_and_says_what_would_be_taken_back(archived):
    archive = archived(*[("a", event) for event in ("planned", "intent", "applied", "verified")])
    result = undo("a1b2c3", archive, mode="plan")
    saved = parse((Path(result["report"]).parent / "plan.json").read_bytes())
    assert [(step.step, step.plan.title) for step in saved.steps] == [("a", "Undo: Take a backup")]
    assert undo("a1b2c3", archive, plan=saved.run)["state"] == "finished"
    with pytest.raises(Refused):
        undo("a1b2c3", archive, plan=saved.run)


def test_a_run_that_was_planned_only_has_nothing_to_undo(archived):
    archive = archived(("a", "planned"))
    with pytest.raises(Refused, match="applied no step"):
        undo("a1b2c3", archive)


def test_a_record_that_is_not_what_was_sealed_is_not_undone(archived):
    archive = archived(("a", "planned"), ("a", "applied"))
    path = archive / "runs" / RUN / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(Refused, match="not what was sealed"):
        undo("a1b2c3", archive)


def test_nothing_is_undone_while_a_run_of_the_same_work_goes_on(archived):
    folder = archived(*[("a", event) for event in ("planned", "intent", "applied", "verified")])
    archive = Archive(folder)
    again = f"{RUN}-resume-1"
    archive.open({"run": again, "notebook": "runbooks/back-up-database", "environment": "lab"})
    with pytest.raises(Refused, match=f"{again} is still running"):
        undo(RUN, folder)
    archive.close(again, Redactor())
    assert undo(RUN, folder)["state"] == "finished"


def test_nothing_is_undone_by_a_record_that_a_stranger_signed(archived, tmp_path):
    archive = archived(*[("a", event) for event in ("planned", "intent", "applied", "verified")])
    stranger = tmp_path / "stranger"
    stranger.write_bytes(sshsig.generate())
    stranger.chmod(0o600)
    entry = next(path for path in archive.glob("log/*.entry") if b"# event close\n" in path.read_bytes())
    signature = entry.with_name(f"{entry.name}.sig")
    own = signature.read_bytes()
    signature.write_bytes(sshsig.sign(entry.read_bytes(), keys.NAMESPACE, stranger))
    with pytest.raises(Refused, match="not signed by a key that may sign here"):
        undo("a1b2c3", archive)
    signature.unlink()
    with pytest.raises(Refused, match="not signed by a key that may sign here"):
        undo("a1b2c3", archive)
    signature.write_bytes(own)
    assert undo("a1b2c3", archive)["state"] == "finished"
