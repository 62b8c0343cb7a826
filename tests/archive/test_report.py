"""The report tells a run as its journal has it, on one page that needs nothing else."""

import hashlib
import json
import re
from dataclasses import replace

import pytest

from opslib.archive import report
from opslib.model import Verdict
from opslib.runs import display
from tests.archive import samples
from tests.archive.harmless import Page, assert_harmless


@pytest.fixture(params=["diagnostics", "failed", "interrupted"])
def any_run(request, tmp_path):
    return getattr(samples, request.param)(tmp_path / request.param)


def position(text, *words):
    found = [text.find(word) for word in words]
    assert -1 not in found, words
    return found


def test_every_kind_of_run_becomes_one_harmless_page_under_150_kilobytes(any_run):
    path = report.write(any_run)
    assert path == any_run / "report.html"
    assert path.stat().st_size < 150_000
    assert_harmless(path.read_text(encoding="utf-8"))
    assert [p.name for p in any_run.iterdir() if p.name.endswith(".part")] == []


def test_the_same_folder_gives_the_same_page(any_run):
    assert report.render(any_run) == report.render(any_run)


def test_writing_again_replaces_the_page_and_changes_nothing_else(any_run):
    before = {p.name: p.read_bytes() for p in any_run.iterdir()}
    report.write(any_run)
    report.write(any_run)
    after = {p.name: p.read_bytes() for p in any_run.iterdir()}
    after.pop("report.html")
    assert after == before


def test_the_page_goes_from_verdict_to_results_to_cells_to_record(tmp_path):
    text = report.render(samples.failed(tmp_path / "failed"))
    order = position(
        text,
        "<h1>Back up the database</h1>",
        "maria@ops-1",
        'id="results"',
        'id="steps"',
        'id="timings"',
        'id="notebook"',
        'id="cell-id=take-backup"',
        'id="record"',
        "postgresql://127.0.0.1:54321/valuecanvas",
        "sha256sum -c MANIFEST.sha256",
    )
    assert order == sorted(order)


def test_results_stand_worst_first_and_lead_to_their_cells(tmp_path):
    text = report.render(samples.diagnostics(tmp_path / "run"))
    table = text[text.index('aria-label="Results, worst first"') : text.index('id="timings"')]
    words = re.findall(r"</span> (OK|WARNING|UNKNOWN|CRITICAL)</span></td>", table)
    assert words == ["CRITICAL", "UNKNOWN", "WARNING", *["OK"] * 5]
    targets = re.findall(r'href="#(cell-id=check-[a-z]+)"', table)
    assert len(targets) == 8
    ids = {value for _, attrs in Page(text).elements for name, value in attrs if name == "id"}
    assert set(targets) <= ids


def test_a_check_that_ran_twice_shows_its_latest_verdict_and_the_earlier_one(tmp_path):
    story = samples.Story(tmp_path / "run", "runbooks/x")
    story.code("look", "run.check(c)", samples.result(Verdict.CRITICAL))
    story.code("look-again", "run.check(c)", samples.result(Verdict.OK))
    text = report.render(story.close())
    assert "Earlier in this run: CRITICAL." in text
    table = text[text.index('aria-label="Results, worst first"') : text.index('id="timings"')]
    assert re.findall(r"</span> (OK|CRITICAL)</span></td>", table) == ["OK"]


def test_a_failed_run_says_what_stopped_it_and_what_to_do(tmp_path):
    text = report.render(samples.failed(tmp_path / "failed"))
    head = text[: text.index('id="results"')]
    assert "drop-backups was applied, but its verification says CRITICAL" in head
    assert "Undo: restore the versions." in head
    assert 'href="#cell-id=drop-old-backups"' in head
    assert "finish</code> not run" in text


def test_a_run_that_an_ordinary_error_stopped_has_its_report_too(tmp_path):
    story = samples.Story(tmp_path / "run", "runbooks/x")
    story.code("divide", "1 / 0", status="error")
    story.journal.append("error", kind="ZeroDivisionError", message="division by zero")
    text = report.render(
        story.close("failed", Verdict.UNKNOWN, "ZeroDivisionError in cell divide: division by zero", 5)
    )
    head = text[: text.index('id="results"')]
    assert "division by zero" in head
    assert '<strong>Error</strong> in <a href="#cell-id=divide">divide</a>' in head


def test_the_first_screen_of_a_run_with_findings_says_what_was_found_and_what_to_do(tmp_path):
    text = report.render(samples.diagnostics(tmp_path / "run"))
    head = text[: text.index('id="results"')]
    assert "84 of 100 connections are in use; 62 of them idle. (Check: Vacuum in bounds.) 2 more results" in head
    table = text[text.index('aria-label="Results, worst first"') : text.index('id="timings"')]
    assert table.count("Do next:") == 3


def test_a_remedy_for_what_nobody_could_see_begins_with_looking(tmp_path):
    story = samples.Story(tmp_path / "run", "diagnostics/x")
    unseen = replace(samples.reading("Locks", 0), unknown="PostgreSQL refuses connections.")
    story.code("look", "run.check(c)", replace(samples.result(Verdict.UNKNOWN), reading=unseen))
    text = report.render(story.close(verdict=Verdict.UNKNOWN))
    assert text.count("First see why nobody could look.") == 2  # among the results, and at the cell


def test_a_step_with_an_intent_and_no_outcome_is_in_doubt(tmp_path):
    text = report.render(samples.interrupted(tmp_path / "interrupted"))
    steps = text[text.index('id="steps"') : text.index('id="notebook"')]
    assert "IN DOUBT" in steps
    assert "This run is not finished." in text
    assert "last line is torn" in text
    assert "Shown from the journal." in text


def test_a_step_that_was_only_planned_says_so_in_a_planning_run(tmp_path):
    story = samples.Story(tmp_path / "run", "runbooks/x", mode="plan")
    story.code("take-backup", "run.step(a)", samples.evidence(samples.StepStatus.PLANNED, verification=None, values={}))
    text = report.render(story.close(verdict=Verdict.UNKNOWN))
    steps = text[text.index('id="steps"') : text.index('id="notebook"')]
    assert "PLANNED" in steps
    assert samples.plan().digest[:12] in steps
    assert "plan only, nothing is changed" in text


def test_without_a_check_nothing_is_green(tmp_path):
    story = samples.Story(tmp_path / "run", "diagnostics/x")
    story.code("nothing", "1")
    text = report.render(story.leave())
    assert "ops-badge ops-UNKNOWN" in text[: text.index('id="results"')]
    assert "No check was made in this run." in text


def test_the_journal_counts_where_result_json_says_something_else(tmp_path):
    folder = samples.failed(tmp_path / "failed")
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**result, "verdict": "OK"}))
    text = report.render(folder)
    assert "result.json says OK, the journal says CRITICAL; the journal counts." in text
    assert "<title>CRITICAL: " in text


def test_an_output_that_the_journal_does_not_have_is_marked(tmp_path):
    folder = samples.failed(tmp_path / "failed")
    notebook = json.loads((folder / "notebook.ipynb").read_text())
    forged = notebook["cells"][1]["outputs"][0]["data"][display.MIME]["value"]
    forged["verdict"] = "CRITICAL"
    (folder / "notebook.ipynb").write_text(json.dumps(notebook))
    assert "This output is not in the journal; the journal counts." in report.render(folder)


def test_a_changed_journal_line_is_noticed(tmp_path):
    folder = samples.failed(tmp_path / "failed")
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"84 of 100 connections", b"14 of 100 connections", 1))
    assert re.search(r"Line \d+ of the journal does not continue the line before it", report.render(folder))


def test_the_head_on_the_page_is_the_digest_of_the_journals_last_line(any_run):
    whole = (any_run / "journal.jsonl").read_bytes().split(b"\n")[:-1]
    text = report.render(any_run)
    assert hashlib.sha256(whole[-1]).hexdigest() in text
    assert f"head -n {len(whole)} journal.jsonl | tail -n 1" in text


def test_stored_html_of_our_values_is_never_used(tmp_path):
    folder = samples.failed(tmp_path / "failed")
    notebook = json.loads((folder / "notebook.ipynb").read_text())
    notebook["cells"][1]["outputs"][0]["data"]["text/html"] = "<p>painted over</p>"
    (folder / "notebook.ipynb").write_text(json.dumps(notebook))
    assert "painted over" not in report.render(folder)


def test_without_a_notebook_the_cells_are_drawn_from_the_journal(tmp_path):
    folder = samples.failed(tmp_path / "failed")
    (folder / "notebook.ipynb").unlink()
    text = report.render(folder)
    assert_harmless(text)
    assert "drawn from the journal alone" in text
    assert 'id="cell-id=take-backup"' in text
    assert "Restored; all 4 core tables" in text


def test_cells_that_papermill_adds_are_left_out(tmp_path):
    folder = samples.failed(tmp_path / "failed")
    notebook = json.loads((folder / "notebook.ipynb").read_text())
    added = {"cell_type": "markdown", "metadata": {"tags": ["papermill-error-cell-tag"]}, "source": "An Exception was"}
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": [added, *notebook["cells"]]}))
    assert "An Exception was" not in report.render(folder)


def test_guide_items_of_checks_and_steps_are_listed(tmp_path):
    text = report.render(samples.failed(tmp_path / "failed"))
    items = text[text.index("Guide items touched") : text.index("How to verify")]
    assert re.findall(r"<code>([^<]+)</code>", items) == ["BAK-DB-01", "MON-DB-02A", "MON-DB-02T"]


def test_headings_of_the_notebook_stand_below_the_pages_own(tmp_path):
    tags = [tag for tag, _ in Page(report.render(samples.diagnostics(tmp_path / "run"))).elements]
    assert tags.count("h1") == 1
    assert tags.count("main") == tags.count("header") == tags.count("footer") == 1


def test_every_table_head_has_a_scope_and_every_drawing_a_name(tmp_path):
    text = report.render(samples.diagnostics(tmp_path / "run"))
    tables = text[: text.index('id="notebook"')] + text[text.index('id="cell-id=read-sizes"') :]
    heads = [dict(attrs) for tag, attrs in Page(tables).elements if tag == "th"]
    assert heads
    assert all(attrs.get("scope") in ("col", "row") for attrs in heads)
    drawings = [dict(attrs) for tag, attrs in Page(text).elements if tag == "svg"]
    assert drawings
    assert all(attrs.get("role") == "img" or attrs.get("aria-hidden") == "true" for attrs in drawings)
