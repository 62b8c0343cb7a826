"""The guide's coverage as it is run each month: an old guide of another version, and what no cell carries out yet."""

from pathlib import Path

from opslib.archive.verify import verify
from opslib.guide import catalogue
from opslib.headless import runner
from tests.notebooks.recorded import verdicts


def test_it_says_what_is_old_what_is_gone_and_what_is_missing(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    result = runner.run("reviews/guide-coverage", (), "lab", tmp_path / "archive")
    assert (result["state"], result["exit_code"]) == ("finished", 2), result["reason"]
    folder = Path(result["report"]).parent
    whole = {place.id for place in catalogue.places()} == {*catalogue.items()}
    assert verdicts(folder) == {
        "guide-version": "WARNING",
        "guide-age": "CRITICAL",
        "guide-linked": "WARNING",
        "guide-merged": "WARNING",
        "guide-files": "WARNING",
        "guide-carried-out": "OK" if whole else "WARNING",
        "guide-notes": "OK",
    }
    assert "reviews/guide-coverage" in (folder / "report.html").read_text()
    assert verify(tmp_path / "archive").ok
