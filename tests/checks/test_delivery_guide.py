"""The guide that people read against the one that was carried out: another, old, gone; and what it needs and names."""

import hashlib
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from opslib.checks import delivery as checks
from opslib.guide import catalogue
from opslib.guide.document import NEEDED, NOTES
from opslib.model import Reading, Verdict, now
from opslib.probes import delivery_guide as probes
from opslib.runs.reading import evaluate, take
from opslib.systems.target import ReadTarget

TEXT = """# Operations

| Field | Value |
|-------|-------|
| **Last Updated** | {day:%B %d, %Y} |
| **Owner** | {owner} |
| **Review Cycle** | Monthly |
"""


@pytest.fixture
def place(lab, tmp_path):
    """A repository of one's own as the product's, and a function that commits files to it."""
    folder = tmp_path / "product"
    folder.mkdir()

    def git(*words):
        who = ("-c", "user.name=ada", "-c", "user.email=ada@valuecanvas.test")
        subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True)

    def commit(**contents):
        for path, text in contents.items():
            place = folder / path.replace("__", "/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        git("add", "-A")
        git("commit", "--allow-empty", "-m", "more")

    git("init", "-b", "main")
    settings = lab.settings.model_copy(update={"checkout": folder, "guide_document": "docs/guide.md"})
    target = ReadTarget(settings.reading(), "test")
    yield lambda check: evaluate(check, target), commit, folder
    target.close()


def written(day, owner="DevOps Team"):
    return {"docs__guide.md": TEXT.format(day=day, owner=owner)}


def test_the_very_version_is_well_another_is_told_and_none_is_unknown(place):
    said, commit, folder = place
    commit(README="x")
    assert said(checks.guide_version()).verdict is Verdict.UNKNOWN
    commit(**written(now()))
    sha = hashlib.sha256((folder / "docs" / "guide.md").read_bytes()).hexdigest()
    assert said(checks.guide_version(pinned=sha)).verdict is Verdict.OK
    other = said(checks.guide_version())
    assert (other.verdict, "is another version" in other.summary) == (Verdict.WARNING, True)
    assert "map.tsv" in other.remedy


@pytest.mark.parametrize(
    ("days", "verdict"), [(0, "OK"), (31, "OK"), (33, "WARNING"), (120, "CRITICAL"), (-3, "UNKNOWN")]
)
def test_it_is_as_old_as_it_says(place, days, verdict):
    said, commit, _ = place
    commit(**written(now() - timedelta(days=days)))
    found = said(checks.guide_age())
    assert (found.verdict.value, found.value) == (verdict, days)


def test_without_an_owner_or_a_day_it_says_so(place):
    said, commit, _ = place
    commit(**written(now(), owner=""))
    assert said(checks.guide_age()).verdict is Verdict.WARNING
    commit(**{"docs__guide.md": "# A guide without a table\n"})
    found = said(checks.guide_age())
    assert (found.verdict, "does not say when" in found.summary) == (Verdict.UNKNOWN, True)


def test_what_it_links_to_is_looked_for_beside_it_and_what_it_was_merged_from_anywhere(place):
    said, commit, _ = place
    commit(**{"TECHNICAL_REFERENCE.md": "x", "docs__PROJECT_STATUS.md": "x"})
    found = said(checks.guide_resources("linked"))
    assert found.summary == "1 of 2 are not in the repository: docs/TECHNICAL_REFERENCE.md."
    commit(**{"docs__TECHNICAL_REFERENCE.md": "x"})
    assert said(checks.guide_resources("linked")).verdict is Verdict.OK
    assert said(checks.guide_resources("merged")).value == 8
    for row in said(checks.guide_resources("merged")).rows:
        commit(**{f"old__{row['document']}": "x"})
    assert said(checks.guide_resources("merged")).verdict is Verdict.OK


def test_of_the_files_that_commands_need_only_what_is_read_here_is_missed(place):
    said, commit, _ = place
    commit(README="x")
    found = said(checks.guide_files())
    assert (found.verdict, found.value) == (Verdict.WARNING, 6)
    assert "k8s/production/ (disaster/recover-everything)" in found.summary
    for one in NEEDED:
        if one.used_by:
            commit(**{f"{one.path}a.tf" if one.path.endswith("/") else one.path: "x"})
    found = said(checks.guide_files())
    assert found.verdict is Verdict.OK
    assert "nothing here needs it: scripts/verify-env.sh, dns-failover.json, security/block" in found.summary


def test_the_lab_has_the_guide_as_old_as_the_real_one_is(lab):
    for check in (checks.guide_version(), checks.guide_resources("merged"), checks.guide_files()):
        assert evaluate(check, lab.target).verdict is Verdict.WARNING
    assert evaluate(checks.guide_age(), lab.target).verdict is Verdict.CRITICAL


def test_every_item_is_counted_once_and_what_no_cell_does_is_named(lab):
    reading = take(probes.carried_out, lab.target)
    assert sum(row["items"] for row in reading.rows) == len(catalogue.items()) == 410
    found = checks.guide_carried_out.judge(reading)
    done = {place.id for place in catalogue.places()}
    assert found.value == 410 - len(done)
    missing = {item for row in reading.rows for item in filter(None, row["missing"].split(", "))}
    assert missing == {*catalogue.items()} - done
    whole = replace(reading, rows=tuple({**row, "carried_out": row["items"], "missing": ""} for row in reading.rows))
    assert checks.guide_carried_out.judge(whole).verdict is Verdict.OK


def test_each_note_speaks_of_items_and_a_cell_astray_or_a_runbook_without_its_form_is_found(lab, tmp_path, monkeypatch):
    reading = take(probes.notes, lab.target)
    assert [row["item"] for row in reading.rows] == [note.item for note in NOTES]
    assert all(row["items"] >= 4 and not row["astray"] and not row["without_form"] for row in reading.rows)
    row = {**reading.rows[0], "nowhere": "", "astray": ""}
    well = Reading("guide-notes", "x", "lab", now(), 0.1, (row,))
    assert checks.guide_notes.judge(well).verdict is Verdict.OK
    astray = checks.guide_notes.judge(replace(well, rows=({**row, "astray": "DEP-VCL-01"},)))
    assert (astray.verdict, "elsewhere DEP-VCL-01" in astray.summary) == (Verdict.WARNING, True)
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "odd.ipynb").write_text('{"cells": [{"source": ["**When to use it:** never"]}]}')
    monkeypatch.setenv("OPS_NOTEBOOKS", str(tmp_path))
    assert take(probes.notes, lab.target).rows[1]["without_form"] == "odd"
    (tmp_path / "runbooks" / "odd.ipynb").unlink()
    assert take(probes.notes, lab.target).unknown
