"""Logs that an incident's run preserved, asked by the notebook; what AWS would cost is planned before it is asked."""

import json

from opslib.archive.verify import verify
from opslib.headless import runner


def test_logs_are_asked_by_the_notebook_and_sealed_without_a_secret(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    archive = tmp_path / "archive"
    asked = ("source=cloudwatch", "hours=1")
    planned = runner.run("reviews/log-forensics", asked, "lab", archive, mode="plan")
    plan = json.loads((archive / "runs" / planned["run"] / "plan.json").read_text())
    assert [step["plan"]["action"] if "plan" in step else step["action"] for step in plan["steps"]] == ["ask-logs"]
    assert "at most 5 GB" in json.dumps(plan)
    done = runner.run("reviews/log-forensics", asked, "lab", archive)
    folder = archive / "runs" / done["run"]
    # The lab's logs are young: nobody can tell what an hour usually has.
    assert (done["verdict"], done["steps"]) == ("UNKNOWN", 1)
    assert done["counts"]["CRITICAL"] == 0
    rows = [json.loads(line) for line in (folder / "evidence/ask-logs-files/access.jsonl").read_text().splitlines()]
    assert {row["address"] for row in rows} <= {f"198.51.100.{number}" for number in range(1, 6)}
    assert rows
    assert "Who accessed what, from which address?" in (folder / "report.html").read_text()
    assert done["run"] in verify(archive).sealed
