"""A planning run's report reads as the plan: what would happen, what is missing, how to go on."""

import hashlib
import json
import re

import pytest

from opslib.archive import report
from opslib.runs import saved_plan
from tests.archive import samples
from tests.archive.harmless import assert_harmless

WORK = "20261123T130614Z-runbooks-restore-database-a1b2c3"


@pytest.fixture
def folder(tmp_path):
    return samples.planned(tmp_path / WORK)


def part(text, name="plan", until="results"):
    return text[text.index(f'id="{name}"') : text.index(f'id="{until}"')]


def test_the_plan_stands_first_with_its_digest_and_both_commands(folder):
    text = report.render(folder)
    assert_harmless(text)
    plan = part(text)
    sha = hashlib.sha256((folder / "plan.json").read_bytes()).hexdigest()
    assert f'<p class="digest"><code>{sha[:12]}</code></p>' in plan
    assert f"<code>{sha}</code>" in plan
    assert f"ops approve {WORK}\nops run --apply {WORK} --environment production</pre>" in plan
    assert "2026-11-23 14:06:14 UTC" in plan
    assert "approvals of two others than maria@valuecanvas" in plan
    assert 'id="steps"' not in text


def test_each_step_shows_all_that_an_approver_must_see(folder):
    plan = part(report.render(folder))
    card = plan[plan.index("Step 2: ") :]
    for said in (
        "What runs here",
        "The guide says",
        "DROP DATABASE valuecanvas;",
        "A drop before the restore is proven leaves nothing to go back to.",
        "Before and after",
        "oid 16384",
        "unknown until step stage-backup",
        "destructive, once",
        "2 databases",
        "The dump is restored into a scratch database",
        "Delete the object backups/",
        "the staged database&#x27;s oid, until stage-backup",
        "Observed: moves by itself, no part of what is approved",
        samples.saved(WORK).steps[1].plan.digest[:12],
    ):
        assert said in card, said


def test_a_plan_that_lacks_nothing_says_until_when_it_can_be_applied(tmp_path):
    plan = part(report.render(samples.planned(tmp_path / WORK, missing=())))
    assert "Nothing is missing: it can be applied until 2026-11-23 14:06:14 UTC." in plan


def test_a_plan_without_steps_would_change_nothing(tmp_path):
    assert "nothing would be changed" in part(report.render(samples.planned(tmp_path / WORK, steps=())))


def test_a_plan_that_was_changed_is_shown_as_one_that_cannot_be_applied(folder):
    said = json.loads((folder / "plan.json").read_bytes())
    said["steps"][1]["plan"]["touches"] = 1
    (folder / "plan.json").write_text(json.dumps(said))
    text = report.render(folder)
    assert "plan.json can&#x27;t be applied. This is no saved plan" in text
    assert saved_plan.sha256((folder / "plan.json").read_bytes())[:12] in text


def test_a_name_that_is_no_runs_id_is_never_offered_as_a_command(folder):
    said = json.loads((folder / "plan.json").read_bytes())
    (folder / "plan.json").write_text(json.dumps({**said, "run": "x; rm -rf /"}))
    assert "ops approve" not in report.render(folder)


@pytest.mark.parametrize("data", [b"", b"[]\n", b'[{"step": "a"}]', b"\xff", b"[" * 100_000, b"{}", b'{"steps": 3}'])
def test_what_is_no_plan_costs_no_report(folder, data):
    (folder / "plan.json").write_bytes(data)
    assert_harmless(report.render(folder))


def test_the_step_of_a_plan_leads_to_its_cell(folder):
    assert re.search(r'Step 1: <a href="#cell-id=take-backup">take-backup</a>', report.render(folder))


def test_a_plan_is_shown_once(folder):
    text = report.render(folder)
    assert text.count("What runs here") == 2
    assert text.count("Its plan stands above.") == 2


def test_a_plan_to_undo_is_applied_by_undoing(folder):
    said = json.loads((folder / "plan.json").read_bytes())
    (folder / "plan.json").write_text(json.dumps({**said, "parameters": {"undo": WORK}, "run": f"{WORK}-undo-1"}))
    assert f"ops approve {WORK}-undo-1\nops undo {WORK} --apply {WORK}-undo-1</pre>" in report.render(folder)


def test_the_run_that_applied_a_plan_tells_what_came_of_it_and_not_the_plan_again(folder):
    said = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps({**said, "mode": "run"}))
    text = report.render(folder)
    assert 'id="plan"' not in text
    assert 'id="steps"' in text
    assert "Its plan stands above." not in text


def test_a_plan_that_nobody_has_to_approve_is_not_offered_for_it(tmp_path):
    text = report.render(samples.planned(tmp_path / WORK, missing=()))
    assert "Nothing is missing" in text
    assert "ops approve" not in text
    assert f"ops run --apply {WORK}" in text
