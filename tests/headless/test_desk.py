"""A notebook that a person runs cell by cell, beside a desk: real kernels, real executors, the lab's own systems."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.errors import Refused, UsageError
from opslib.headless.desk import Desk, name_of
from opslib.runs.channel import Client
from tests.fronts import at_desk
from tests.scale import nightly
from tests.shelves import BOOK, shelf
from tests.waiting import until


@pytest.fixture
def place(tmp_path, lab, monkeypatch):
    """A shelf with one small runbook, an archive, and a short folder for sockets."""
    monkeypatch.setenv("OPS_NOTEBOOKS", str(shelf(tmp_path)))
    monkeypatch.setenv("OPS_ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    with tempfile.TemporaryDirectory(prefix="ops-d-") as folder:
        yield tmp_path / "archive", Path(folder) / "own"


def sealed(archive, count=1):
    """Return the folders of the runs, once so many are sealed, oldest first."""
    return until(lambda: sorted(path.parent for path in archive.glob("runs/*/MANIFEST.sha256"))[count - 1 :] or None)


def journal(folder):
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def through(front, *names):
    """Run cells of the book as they are; returns what the last one showed."""
    return [front.run(name, BOOK[name]) for name in names][-1]


def test_a_runbook_is_stepped_through_its_kernel_restarted_and_its_record_is_as_any_other(place, lab):
    archive, folder = place
    with at_desk(folder) as opened:
        front = opened("runbooks/take-backup")
        through(front, "parameters", "begin", "protections")
        asked = front.start("take-backup", BOOK["take-backup"])
        front.hears("needs no approval here")
        front.press("Apply")
        assert any("[applied]" in shown for shown in front.wait(asked)), front.shown[asked]
        # Nothing that can write, and no way to it, is in the notebook's process.
        described = lab.settings
        known = front.run("look", "import os; print(sorted(os.environ.items()))")[0]
        known += Path(f"/proc/{front.pid}/environ").read_bytes().decode()
        secrets = set(map(_reveal, described.secrets())) - set(map(_reveal, described.reading().secrets()))
        assert secrets
        assert not [secret for secret in secrets if secret in known]
        front.restart()
        through(front, "parameters", "begin", "protections")
        again = through(front, "take-backup")
        assert any("[applied]" in shown for shown in again), again
        front.run("source", "print('seen'); run.check(checks.backups.source)")
        assert "[OK]" in through(front, "finish")[-1]
        (run,) = sealed(archive)
    result = json.loads((run / "result.json").read_text())
    assert (result["state"], result["verdict"], result["steps"]) == ("finished", "OK", 1), result
    said = json.loads((run / "run.json").read_text())
    assert (said["how"], said["notebook"], said["parameters"]["hours"]) == ("interactive", "runbooks/take-backup", 5)
    events = [line["event"] for line in journal(run)]
    assert events.count("applied") == 1
    assert "kept" in events
    marked = {line["cell"]: line["marks"] for line in journal(run) if line.get("marks")}
    assert marked == {"look": ["edited"], "source": ["edited"]}
    cells = {cell["id"]: cell for cell in json.loads((run / "notebook.ipynb").read_text())["cells"]}
    assert "print('seen')" in cells["source"]["source"]
    assert [output["output_type"] for output in cells["source"]["outputs"]] == ["stream", "execute_result"]
    page = (run / "report.html").read_text()
    assert "Edited: this code is not the notebook" in page
    assert "edited: look, source" in page
    assert verify(archive).ok
    assert {"MANIFEST.sha256", "evidence", "plan.json", "report.html"} <= {path.name for path in run.iterdir()}


def _reveal(secret):
    return secret.reveal() if hasattr(secret, "reveal") else str(secret)


@nightly
def test_what_is_left_out_edited_out_of_order_or_not_finished_is_so_in_the_record(place):
    archive, folder = place
    with at_desk(folder) as opened:
        front = opened("runbooks/take-backup")
        front.run("parameters", BOOK["parameters"].replace("5", "7"))
        through(front, "begin", "source")
        asked = front.start("take-backup", BOOK["take-backup"])
        front.press("Skip", "there is one of today")
        assert any("[planned]" in shown for shown in front.wait(asked))
        # Other parameters: the run changed nothing, so that it is ended, and another one begins.
        through(front, "parameters", "begin")
        asked = front.start("take-backup", BOOK["take-backup"])
        front.press("Apply")
        front.wait(asked)
        # This one did change something; it goes on with its own parameters only.
        front.run("parameters", BOOK["parameters"].replace("5", "7"))
        refused = through(front, "begin")[-1]
        assert "has changed something" in refused, refused
        front.press("Undo")
        front.hears("UNDONE")
        # What cannot even be planned is told, and can be tried again; here the person ends the run.
        asked = front.start("source", "run.step(actions.backups.ProveBackup(backup='20200101T000000Z-none'))")
        front.press("Retry")
        front.press("End the run")
        assert "Refused: The run was ended here" in front.wait(asked)[-1]
        assert len(sealed(archive, 2)) == 1
    first, second = sealed(archive, 2)[-1], sealed(archive)[-1]
    first, second = sorted(path.parent for path in archive.glob("runs/*/MANIFEST.sha256"))
    told = {line["cell"]: line["marks"] for line in journal(first) if line.get("marks")}
    assert told == {"source": ["out of order"], "take-backup": ["out of order"]}
    assert [line["reason"] for line in journal(first) if line["event"] == "skipped"] == ["there is one of today"]
    said = [json.loads((run / "result.json").read_text()) for run in (first, second)]
    assert [(one["state"], one["verdict"]) for one in said] == [("interrupted", "UNKNOWN")] * 2
    assert "other parameters" in said[0]["reason"]
    assert "(in JupyterLab)" in said[1]["reason"]
    assert "undone" in [line["event"] for line in journal(second)]
    assert json.loads((first / "run.json").read_text())["parameters"]["hours"] == 7
    assert verify(archive).ok
    assert not verify(archive).open


def test_a_desk_takes_one_verb_one_environment_and_notebooks_of_ours_with_parameters_that_fit(place):
    desk = Desk("lab")
    asked = {"verb": "begin", "environment": "lab", "notebook": "/x/notebooks/runbooks/take-backup.ipynb", "values": {}}

    def refused(kind, match, **said):
        with pytest.raises(kind, match=match):
            desk.answer({**asked, **said}, lambda said: None)

    refused(UsageError, "no verb 'run'", verb="run")
    refused(Refused, "JupyterLab was started on lab", environment="production")
    for name in ("Untitled.ipynb", "/etc/passwd", "/x/notebooks/../../etc/passwd", ""):
        refused(UsageError, "There is no notebook", notebook=name)
    refused(UsageError, "hours: expected a whole number", values={"hours": 12})
    refused(UsageError, "hours: expected a whole number", values={"hours": "5; DROP TABLE"})
    archive, _ = place
    assert not archive.exists()
    desk.close()


def test_a_desks_run_has_sockets_for_this_user_alone_and_ends_with_the_desk(place):
    desk = Desk("lab")
    asked = {"verb": "begin", "environment": "lab", "notebook": "runbooks/take-backup", "values": {"minutes": 3}}
    said = desk.answer(asked, lambda said: None)
    line = Client(said["socket"])
    assert line.ask("hello", environment="lab")["by_hand"]
    assert desk.answer(asked, lambda said: None)["run"] == said["run"]
    line.close()
    path = Path(said["socket"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_uid == path.parent.stat().st_uid == os.getuid()
    desk.close()
    archive, _ = place
    (run,) = sealed(archive)
    assert json.loads((run / "result.json").read_text())["state"] == "interrupted"
    assert json.loads((run / "run.json").read_text())["parameters"] == {"environment": "lab", "hours": 5}
    assert not path.exists()


def test_a_notebooks_name_is_what_lies_below_the_folder_of_notebooks():
    assert name_of("/tmp/ops-run-x/kernel/notebooks/diagnostics/cache.ipynb") == "diagnostics/cache.ipynb"
    assert name_of("notebooks/start-here.ipynb") == "start-here.ipynb"
    assert name_of("interactive") == "interactive"
