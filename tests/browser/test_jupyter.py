"""JupyterLab in a real browser: the map opened, a runbook planned, applied and undone by its buttons, its record."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil

from opslib.archive import audited_agreed
from opslib.archive.audited_look import Look
from opslib.archive.verify import verify
from opslib.runs.saved_plan import sha256
from tests.archive.test_accessible import AXE, WRONG
from tests.descriptions import description
from tests.scale import nightly
from tests.waiting import until

PATIENCE = 90_000


def open_(page, url, notebook):
    # reset: without what was open before, which JupyterLab would bring back, in front of this.
    page.goto(url.replace("start-here.ipynb", notebook) + "&reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE)
    page.get_by_text(re.compile("Python 3 .*Idle")).wait_for(timeout=PATIENCE)


def run_all(page):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def run_on(page):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run Selected Cell and All Below", exact=True).click()


def press(page, name):
    page.get_by_role("button", name=name, exact=True).last.click(timeout=PATIENCE)


@nightly
def test_the_map_leads_to_a_runbook_which_is_planned_applied_undone_and_sealed(jupyter, chromium, tmp_path):
    url, archive, process = jupyter
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/lab/tree/start-here\.ipynb\?token=\S{40,}", url)
    page = chromium.new_page(viewport={"width": 1400, "height": 1800})
    page.set_default_timeout(PATIENCE)
    open_(page, url, "start-here.ipynb")
    run_all(page)
    page.get_by_text("start-here on lab").wait_for()
    page.locator(".jp-OutputArea a", has_text="diagnostics/agents").first.click()
    page.locator(".lm-TabBar-tabLabel", has_text="agents.ipynb").wait_for()
    open_(page, url, "runbooks/take-backup.ipynb")
    run_all(page)
    page.get_by_text("It needs no approval here.").wait_for()
    assert page.locator(".jp-OutputArea").get_by_text("What runs here").first.is_visible()
    page.screenshot(path=tmp_path / "planned.png")
    press(page, "Apply")
    page.get_by_text("take-backup on lab").wait_for()
    records = until(lambda: [json.loads(path.read_text()) for path in archive.glob("runs/*take*/result.json")])
    assert [(one["state"], one["verdict"]) for one in records] == [("finished", "OK")]
    page.close()
    # Nothing of the command's environment came to JupyterLab, and the copies alone can be written.
    (own,) = [one for one in psutil.Process(process.pid).children() if "jupyterlab" in one.cmdline()]
    assert "OPS_WRITE_ONLY_HERE" not in own.environ()
    assert not any(name.startswith("OPS_") for name in set(own.environ()) - {"OPS_DESK", "OPS_KERNEL"})
    until(lambda: verify(archive).ok and not verify(archive).open)


@nightly
def test_a_step_waits_in_its_panel_until_another_has_signed_and_is_applied_and_undone_by_buttons(
    production, chromium, tmp_path
):
    url, archive, _, keys, described = production
    page = chromium.new_page(viewport={"width": 1400, "height": 1800})
    page.set_default_timeout(PATIENCE)
    open_(page, url, "runbooks/take-backup.ipynb")
    page.get_by_text("run.step(").first.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Above Selected Cell", exact=True).click()
    page.keyboard.press("Shift+Enter")
    panel = page.locator(".ops-panel").last
    panel.get_by_text("Waits for others.").wait_for()
    assert not panel.get_by_role("button", name="Apply", exact=True).is_visible()
    page.screenshot(path=tmp_path / "waits.png")
    (plan,) = re.findall(r"ops approve (\S+/plan\.json)", panel.inner_text())
    sha = sha256(Path(plan).read_bytes())
    command = [sys.executable, "-m", "opslib.cli", "approve", plan, "--key", str(keys["ben"]), "--yes-digest", sha[:8]]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | described, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    press(page, "Apply")
    press(page, "Undo")
    page.get_by_text("UNDONE").wait_for()
    page.get_by_text("run.finish(").first.click()
    page.keyboard.press("Shift+Enter")
    page.get_by_text("take-backup on production").wait_for()
    page.close()
    (folder,) = until(lambda: [path.parent for path in archive.glob("runs/*/MANIFEST.sha256")])
    events = [json.loads(line)["event"] for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert [event for event in events if event in ("applied", "verified", "undone")] == [
        "applied",
        "verified",
        "undone",
    ]
    kept = folder / "evidence" / "take-backup-approvals"
    assert {path.name for path in kept.iterdir()} >= {"plan.json", "ben@valuecanvas.approval", "allowed_signers"}
    until(lambda: verify(archive).ok and not verify(archive).open)
    # An auditor judges the same: one step needed an approval, and had it.
    (judged,) = audited_agreed.agreed(Look(archive, description("production"), ""))
    assert (judged["runs"], judged["steps_that_needed_approval"]) == (1, 1)


@nightly
def test_after_a_reload_an_interrupt_and_the_cell_again_bring_a_waiting_steps_buttons_back(jupyter, chromium, tmp_path):
    url, archive, process = jupyter
    page = chromium.new_page(viewport={"width": 1400, "height": 1800})
    page.set_default_timeout(PATIENCE)
    page.on("dialog", lambda dialog: dialog.accept())
    open_(page, url, "runbooks/take-backup.ipynb")
    run_all(page)
    page.get_by_text("It needs no approval here.").wait_for()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    shown = page.evaluate("axe.run({include: ['.jp-OutputArea .ops', '.ops-panel']})")["violations"]
    assert [one["id"] for one in shown if one["impact"] in WRONG] == []
    # What was shown is saved by itself, and so the plan is there again.
    copies = until(lambda: [one for one in psutil.Process(process.pid).children() if "jupyterlab" in one.cmdline()])
    copy = Path(copies[0].cwd()) / "runbooks" / "take-backup.ipynb"
    until(lambda: "What runs here" in copy.read_text())
    page.reload()
    page.locator(".jp-OutputArea").get_by_text("What runs here").first.wait_for()
    page.screenshot(path=tmp_path / "reloaded.png")
    assert not page.get_by_role("button", name="Apply", exact=True).is_visible()
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Interrupt Kernel", exact=True).click()
    page.get_by_text(re.compile("Python 3 .*Idle")).wait_for()
    page.get_by_text("run.step(").first.click()
    run_on(page)
    press(page, "Apply")
    page.get_by_text("take-backup on lab").wait_for()
    page.close()
    (folder,) = until(lambda: [path.parent for path in archive.glob("runs/*/MANIFEST.sha256")])
    events = [json.loads(line)["event"] for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert [event for event in events if event in ("intent", "applied")] == ["intent", "applied"]
    assert json.loads((folder / "result.json").read_text())["state"] == "finished"
    until(lambda: verify(archive).ok and not verify(archive).open)


@nightly
def test_a_step_is_undone_by_its_button_and_what_is_left_open_ends_with_jupyterlab(jupyter, chromium, tmp_path):
    url, archive, process = jupyter
    page = chromium.new_page(viewport={"width": 1400, "height": 1800})
    page.set_default_timeout(PATIENCE)
    open_(page, url, "runbooks/take-backup.ipynb")
    page.get_by_text("run.step(").first.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Above Selected Cell", exact=True).click()
    page.keyboard.press("Shift+Enter")
    press(page, "Apply")
    press(page, "Undo")
    page.get_by_text("UNDONE").wait_for()
    page.screenshot(path=tmp_path / "undone.png")
    page.close()
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    assert process.wait(120) == 0
    until(lambda: not [one for one in children if one.is_running()])
    (folder,) = archive.glob("runs/*")
    assert json.loads((folder / "result.json").read_text())["state"] == "interrupted"
    events = [json.loads(line)["event"] for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert [event for event in events if event in ("applied", "undone")] == ["applied", "undone"]
    assert verify(archive).ok
    assert not verify(archive).open
