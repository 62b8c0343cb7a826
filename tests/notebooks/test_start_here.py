"""The map of the guide: every symptom and error code leads to a cell that is there, and to its newest report."""

import json
from pathlib import Path

from opslib.archive.verify import verify
from opslib.guide import catalogue
from opslib.headless import notebooks, runner
from opslib.places import notebooks_folder
from tests.notebooks.recorded import verdicts


def rows(folder):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return {line["reading"]["probe"]: line["reading"]["rows"] for line in lines if line["event"] == "reading"}


def cells(notebook):
    book = json.loads((notebooks_folder() / f"{notebook}.ipynb").read_text())
    return {cell["id"] for cell in book["cells"]}


def test_it_leads_from_symptoms_codes_and_sections_to_cells_and_to_what_came_out_of_them_last(
    lab, tmp_path, monkeypatch
):
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    archive = tmp_path / "archive"
    before = runner.run("diagnostics/agents", (), "lab", archive)
    result = runner.run("start-here", (), "lab", archive)
    assert result["state"] == "finished", result["reason"]
    folder = Path(result["report"]).parent
    assert set(verdicts(folder)) >= {"database-reachable", "cache-reachable"}
    said, place = rows(folder), {"notebook": "diagnostics/agents", "run": before["run"]}
    symptoms, codes = said["guide-symptoms"], said["guide-codes"]
    kinds = [item.kind for item in catalogue.items().values()]
    assert (len(symptoms), len(codes)) == (kinds.count("symptom"), kinds.count("error-code"))
    for row in (*symptoms, *codes):
        assert row["cell"] in cells(row["notebook"]["notebook"]), row
    (limited,) = (row for row in codes if row["code"] == "AGENT_002")
    assert (limited["means"], limited["the_guide_says"]) == ("rate limit exceeded", "wait or upgrade")
    assert limited["notebook"] == place
    assert limited["last_verdict"]
    (section,) = (row for row in said["guide-sections"] if row["section"] == "Troubleshooting")
    assert place in section["notebooks"]
    named = {one["notebook"] for row in said["guide-sections"] for one in row["notebooks"]}
    assert named <= {book.name for book in notebooks.everything()}
    assert [row["run"] for row in said["guide-newest"]] == [before["run"]]
    due = {row["item"]: row["due"] for row in said["guide-due"]}
    assert set(due.values()) <= {"yes", "no", "by hand: no notebook does it yet"}
    assert len(due) == 13
    assert f'href="../{before["run"]}/report.html"' in (folder / "report.html").read_text()
    assert verify(archive).ok
