"""The whole loop on a target that calls itself production: plan, approve, apply, verify, once; and what refuses it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from opslib import settings
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import Refused, UsageError
from opslib.headless import agreement, runner
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.redaction import Secret
from opslib.runs import outside
from opslib.runs.claims import claim_plan
from opslib.runs.saved_plan import parse
from opslib.settings_guard import shown
from tests.backup_place import place as make_place
from tests.scale import nightly
from tests.signing import APPROVER, Keys
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("warm")

PARAMETERS = 'environment: str = "lab"  # target: lab, staging or production'
BEGIN = "from opslib import actions, begin, checks\nrun = begin(environment)"
NOTEBOOK = "runbooks/tidy-backups"


@pytest.fixture
def place(lab):
    with make_place(lab, "CREATE TABLE things AS SELECT 1 AS id") as made:
        yield made


@pytest.fixture
def production(place, tmp_path, monkeypatch):
    """A target that is described as production, with five people who have keys; its bucket holds old backups."""
    place.history(1, 40, 50, proven=(1,))
    keys = Keys(tmp_path)
    signers = tmp_path / "allowed_signers"
    signers.write_text("".join(keys.line(who, APPROVER) for who in ("ann", "ben", "cat")))
    described = place.settings.model_copy(
        update={
            "environment": "production",
            "allowed_signers": signers,
            "operators": {},
            "core_tables": ("public.things",),
        }
    )
    for name, field in settings.Settings.model_fields.items():
        value = getattr(described, name)
        if value not in (None, (), {}):
            text = value.reveal() if isinstance(value, Secret) else shown(value)
            monkeypatch.setenv(str(field.alias), text.replace(", ", ","))
    for name, value in (("OPS_NOTEBOOKS", "notebooks"), ("OPS_ARCHIVE", "archive"), ("OPS_LOCKS", "locks")):
        monkeypatch.setenv(name, str(tmp_path / value))
    write(tmp_path, "run.step(actions.backups.ApplyRetention())")
    return Production(place, keys, tmp_path / "archive")


class Production:
    def __init__(self, place, keys, archive):
        self.place, self.keys, self.archive = place, keys, archive

    def plan(self, environment="production"):
        result = runner.run(NOTEBOOK, (), environment, self.archive, mode="plan")
        assert result["state"] == "finished", result["reason"]
        return result["run"]

    def approve(self, plan, *people, kind="approve", reason=""):
        data = (self.archive / "runs" / plan / "plan.json").read_bytes()
        self.keys.sign(data, self.archive / "approvals" / plan, *people, kind=kind, reason=reason)

    def apply(self, plan, environment="production"):
        return agreement.apply(plan, environment, self.archive)

    def names(self):
        return sorted({name.split(".", 1)[0] for name in self.place.objects()})


def write(folder, *sources):
    cells = [new_markdown_cell("# Tidy\n\nWhen full.", id="what-this-is")]
    cells += [new_code_cell(PARAMETERS, id="parameters", metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(BEGIN, id="begin")]
    cells += [new_code_cell(source, id=f"act-{number}") for number, source in enumerate(sources, 1)]
    cells += [new_code_cell("run.finish()", id="finish")]
    book = new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    path = folder / "notebooks" / f"{NOTEBOOK}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)


def journal(result):
    lines = (Path(result["report"]).parent / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_plan_that_two_others_approved_is_applied_once_and_its_approvals_are_kept(production):
    plan = production.plan()
    saved = parse((production.archive / "runs" / plan / "plan.json").read_bytes())
    assert len(saved.missing) == 1
    with pytest.raises(Refused, match="2"):
        production.apply(plan)
    production.approve(plan, "ann")
    with pytest.raises(Refused, match="ann"):
        production.apply(plan)
    production.approve(plan, "ben")
    with pytest.raises(Refused, match="for production, not for lab"):
        production.apply(plan, "lab")
    assert production.names() == ["age-1", "age-40", "age-50"]
    result = production.apply(plan)
    assert (result["state"], result["verdict"]) == ("finished", "OK"), result["reason"]
    assert production.names() == ["age-1"]
    kept = {path.name for path in (Path(result["report"]).parent / "approvals").iterdir()}
    assert {"ann@valuecanvas.approval", "ben@valuecanvas.approval.sig", "allowed_signers"} <= kept
    assert sorted(said["principal"] for said in result["approvals"]) == ["ann@valuecanvas", "ben@valuecanvas"]
    with pytest.raises(Refused, match="applied already"):
        production.apply(plan)
    assert verify(production.archive).ok


def test_what_moved_since_it_was_approved_is_refused_with_what_moved_and_nothing_is_changed(production):
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    store = production.place.writing().backup_store
    (dump,) = store.list(f"{production.place.name}/age-50.dump")
    store.delete_version(dump.key, dump.version)
    before = production.place.objects()
    result = production.apply(plan)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "not what was approved any more" in result["reason"]
    assert production.place.objects() == before


@nightly
def test_a_notebook_that_was_edited_since_voids_the_approval(production, tmp_path):
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    write(tmp_path, "run.step(actions.backups.ApplyRetention())", "run.note('harmless')")
    with pytest.raises(Refused, match="notebook changed since"):
        production.apply(plan)
    assert len(production.names()) == 3


@nightly
def test_a_target_description_that_changed_since_voids_the_approval(production, monkeypatch):
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    monkeypatch.setenv("OPS_BACKUP_RETENTION_DAYS", "45")
    with pytest.raises(Refused, match=r"description changed since the plan was made \(backup_retention_days\)"):
        production.apply(plan)


def test_break_glass_by_one_person_is_let_through_and_marked(production):
    plan = production.plan()
    production.approve(plan, "cat", kind="break-glass", reason="the bucket is full and sales are down")
    result = production.apply(plan)
    assert (result["verdict"], result["break_glass"]) == ("OK", True)
    page = Path(result["report"]).read_text()
    assert "reak-glass" in page
    assert "sales are down" in page


@nightly
def test_in_a_freeze_nothing_is_changed_unless_the_glass_is_broken(production, monkeypatch):
    begin, end = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    monkeypatch.setenv("OPS_FREEZE", f"{begin:%Y-%m-%dT%H:%MZ}/{end:%Y-%m-%dT%H:%MZ}")
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    with pytest.raises(Refused, match="frozen until"):
        production.apply(plan)
    assert len(production.names()) == 3
    assert not (production.archive / "runs" / f"{plan}-apply").exists()
    saved = parse((production.archive / "runs" / plan / "plan.json").read_bytes())
    assert any("end of the freeze" in line for line in saved.missing)
    urgent = production.plan()
    production.approve(urgent, "cat", kind="break-glass", reason="it cannot wait until the freeze ends")
    assert production.apply(urgent)["verdict"] == "OK"


def test_more_than_the_target_allows_at_once_is_refused(production, monkeypatch):
    monkeypatch.setenv("OPS_MOST", "apply-retention=1")
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    result = production.apply(plan)
    assert (result["exit_code"], len(production.names())) == (4, 3)
    assert "at most 1 are allowed" in result["reason"]


def test_a_step_that_is_not_in_the_plan_is_refused_even_when_the_notebook_asks_for_it(production):
    # The kernel decides at run time: planned it asks for one step, applied for another as well.
    source = "for n in range(1 + (run.mode == 'run')):\n    run.step(actions.backups.ApplyRetention())"
    write(production.archive.parent, source)
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    result = production.apply(plan)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "not in the plan that was approved" in result["reason"]
    assert [line["step"] for line in journal(result) if line["event"] == "applied"] == ["act-1"]


def test_two_applies_of_one_plan_at_once_delete_once(production):
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    both = [applying(production, plan) for _ in range(2)]
    assert sorted(os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in both) == [0, 4]
    assert verify(production.archive).ok


def applying(production, plan):
    """Apply a plan in a process of its own, which ends with the exit code; returns its number."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = production.apply(plan)["exit_code"]
        except Refused as error:
            code = int(error.exit_code)
        finally:
            os._exit(code)
    return child


def test_a_run_that_is_stopped_ends_as_interrupted_and_begins_nothing_more(production):
    slow = "import time\ntime.sleep(60)"
    write(production.archive.parent, slow, "run.step(actions.backups.ApplyRetention())")
    command = [sys.executable, "-m", "opslib.cli", "run", NOTEBOOK, "--environment", "production", "--json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    until(lambda: any(production.archive.glob("runs/*/journal.jsonl")))
    (run,) = (path.name for path in production.archive.glob("runs/*"))
    until(lambda: '"cell":"act-1"' in (production.archive / "runs" / run / "journal.jsonl").read_text())
    asked = time.monotonic()
    outside.say(production.archive, run, "stop", "ann@bastion")
    out, _ = running.communicate(timeout=60)
    assert time.monotonic() - asked < 30
    result = json.loads(out)
    assert (result["state"], result["exit_code"]) == ("interrupted", 5)
    assert "ann@bastion" in result["reason"]
    assert len(production.names()) == 3
    assert verify(production.archive).ok


def test_an_approved_run_that_was_killed_goes_on_under_its_approval_and_is_undone_or_refused_with_a_reason(production):
    write(production.archive.parent, "import time\ntime.sleep(3)", "run.step(actions.backups.ApplyRetention())")
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    command = [sys.executable, "-m", "opslib.cli", "run", "--apply", plan, "--environment", "production"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path = production.archive / "runs" / f"{plan}-apply" / "journal.jsonl"
    until(lambda: path.exists() and '"cell":"act-1"' in path.read_text())
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert len(production.names()) == 3
    result = resume(plan, production.archive)
    assert (result["state"], result["verdict"], result["run"]) == ("finished", "OK", f"{plan}-resume-1")
    assert production.names() == ["age-1"]
    states = {run.run: run.state for run in Archive(production.archive).runs()}
    assert states == {plan: "finished", f"{plan}-apply": "interrupted", f"{plan}-resume-1": "finished"}
    with pytest.raises(Refused, match="nothing to resume"):
        resume(plan, production.archive)
    taken_back = undo(plan, production.archive)
    assert (taken_back["state"], taken_back["exit_code"]) == ("refused", 4)
    assert "cannot be brought back" in taken_back["reason"]
    assert verify(production.archive).ok


@nightly
def test_a_plan_file_that_was_carried_elsewhere_is_applied_with_the_approvals_beside_it(production, tmp_path):
    plan = production.plan()
    elsewhere = tmp_path / "mail"
    elsewhere.mkdir()
    data = (production.archive / "runs" / plan / "plan.json").read_bytes()
    (elsewhere / "plan.json").write_bytes(data)
    production.approve(plan, "ann", "ben")
    for path in (production.archive / "approvals" / plan).iterdir():
        path.rename(elsewhere / path.name)
    assert production.apply(str(elsewhere / "plan.json"))["verdict"] == "OK"


def test_a_planning_run_that_did_not_come_to_its_end_is_no_plan(production):
    write(production.archive.parent, "run.step(actions.backups.ApplyRetention())", "1 / 0")
    result = runner.run(NOTEBOOK, (), "production", production.archive, mode="plan")
    production.approve(result["run"], "ann", "ben")
    with pytest.raises(Refused, match=r"did not come to its end \(failed\)"):
        production.apply(result["run"])
    assert len(production.names()) == 3


def test_what_is_no_plan_is_refused_before_anything_starts(production, tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(UsageError, match="no saved plan"):
        production.apply(str(tmp_path / "plan.json"))
    assert not production.archive.exists()


CELL_BY_CELL = """
import sys
from opslib import actions, begin
from opslib.errors import Refused
run = begin("production")
try:
    run.step(actions.backups.ApplyRetention())
except Refused as error:
    print(error, flush=True)
sys.stdin.readline()
print(run.step(actions.backups.ApplyRetention()).status, flush=True)
run.finish()
"""


def test_cell_by_cell_a_step_waits_for_the_same_signed_files_and_goes_on_when_it_is_asked_again(production):
    environment = dict(os.environ, JPY_SESSION_NAME=f"notebooks/{NOTEBOOK}.ipynb")
    session = subprocess.Popen(
        [sys.executable, "-c", CELL_BY_CELL], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    refusal = session.stdout.readline()
    (file,) = production.archive.glob("approvals/*/plan.json")
    assert f"ops approve {file}" in refusal
    assert len(production.names()) == 3
    production.keys.sign(file.read_bytes(), file.parent, "ann", "ben")
    said, _ = session.communicate("go on\n", timeout=60)
    assert said.strip() == "applied"
    assert production.names() == ["age-1"]
    (folder,) = until(lambda: [path.parent for path in production.archive.glob("runs/*/MANIFEST.sha256")])
    assert (folder / "evidence" / "step-approvals" / "ann@valuecanvas.approval").is_file()
    until(lambda: verify(production.archive).ok)


def test_a_plan_that_was_not_sealed_here_as_it_is_lets_nobody_hide_who_asked(production, tmp_path):
    plan = production.plan()
    saved = parse((production.archive / "runs" / plan / "plan.json").read_bytes())
    elsewhere = tmp_path / "mail"
    elsewhere.mkdir()
    for forged in (
        replace(saved, requested_by="dan@bastion", requester="dan"),
        replace(saved, expires_at=saved.expires_at + timedelta(hours=8)),
        replace(saved, run="20261123T130614Z-runbooks-tidy-backups-f00f00"),
    ):
        (elsewhere / "plan.json").write_bytes(forged.encode())
        for old in elsewhere.glob("*.approval*"):
            old.unlink()
        production.keys.sign(forged.encode(), elsewhere, "ann", "ben")
        with pytest.raises(Refused, match="not a plan that was made and sealed in this archive"):
            production.apply(str(elsewhere / "plan.json"))
    assert len(production.names()) == 3


def test_a_plan_is_applied_once_also_by_a_copy_of_the_archive_and_after_its_end_was_cut_off(production, tmp_path):
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    shutil.copytree(production.archive, tmp_path / "copy")
    assert production.apply(plan)["verdict"] == "OK"
    with pytest.raises(Refused, match=f"applied already, by another archive or one that was cut since: {plan}-apply"):
        agreement.apply(plan, "production", tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy" / "runs").iterdir()} == {plan}


def test_nothing_is_applied_while_nobody_can_know_whether_it_was(production, monkeypatch):
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    target = settings.load("production").model_copy(update={"lease_bucket": "there-is-no-such-bucket"})
    with pytest.raises(Refused, match=r"Whether the plan .* was applied elsewhere cannot be known"):
        claim_plan(target, plan, f"{plan}-apply")


@nightly
def test_the_end_of_an_approved_plan_is_not_applied_without_its_beginning(production):
    first = "run.step(actions.backups.TakeBackup()) if run.mode == 'plan' else None"
    write(production.archive.parent, first, "run.step(actions.backups.ApplyRetention())")
    plan = production.plan()
    production.approve(plan, "ann", "ben")
    result = production.apply(plan)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "act-1 comes before act-2 in the plan" in result["reason"]
    assert len(production.names()) == 3
