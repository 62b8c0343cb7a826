"""A notebook that a person runs: its process opens a run of its own, which is sealed when the process ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from opslib.archive.verify import verify
from tests.waiting import living, until

ROOT = Path(__file__).resolve().parents[2]
BEGIN = "from opslib import begin, checks\nrun = begin('lab')\n"


@pytest.fixture
def archive(tmp_path, lab):
    return tmp_path / "archive"


def start(archive, lab, code, session="notebooks/diagnostics/cache.ipynb", **more):
    environment = dict(os.environ, OPS_ARCHIVE=str(archive), OPS_LAB=str(lab.folder), JPY_SESSION_NAME=session, **more)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(archive):
    """Return the only run's result, once its folder is sealed."""
    (folder,) = until(lambda: [path.parent for path in archive.glob("runs/*/MANIFEST.sha256")])
    return json.loads((folder / "result.json").read_text()), folder


def test_a_run_from_begin_to_finish_is_the_same_kind_of_entry_as_a_headless_one(archive, lab):
    process = start(archive, lab, BEGIN + "print(run.check(checks.cache.reachable).verdict)\nrun.finish()")
    said, trouble = process.communicate(timeout=60)
    assert said.strip() == "OK", trouble
    result, folder = ended(archive)
    assert (result["state"], result["verdict"]) == ("finished", "OK")
    asked = json.loads((folder / "run.json").read_text())
    assert (asked["how"], asked["notebook"]) == ("interactive", "diagnostics/cache")
    assert {"report.html", "notebook.ipynb", "journal.jsonl"} <= {path.name for path in folder.iterdir()}
    until(lambda: verify(archive).ok and not verify(archive).open)


def test_a_killed_notebook_process_ends_its_run_as_interrupted_and_leaves_no_process(archive, lab):
    process = start(archive, lab, BEGIN + "import time\nprint('begun', flush=True)\ntime.sleep(60)")
    assert process.stdout.readline().strip() == "begun"
    executors = psutil.Process(process.pid).children(recursive=True)
    assert executors
    process.send_signal(signal.SIGKILL)
    process.communicate()
    result, _ = ended(archive)
    assert (result["state"], result["verdict"]) == ("interrupted", "UNKNOWN")
    until(lambda: not [p for p in executors if living(p)])


def test_what_stands_in_the_way_is_said_in_the_notebook(archive, lab):
    process = start(archive, lab, "from opslib import begin\nbegin('staging')")
    _, trouble = process.communicate(timeout=60)
    assert "SettingsError" in trouble
    assert "OPS_READ_DATABASE_URL: missing" in trouble
    assert not archive.exists()


def test_a_notebook_whose_file_went_meanwhile_is_sealed_as_it_was_when_the_run_began(archive, lab, tmp_path):
    shelf = tmp_path / "notebooks" / "diagnostics"
    shelf.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "diagnostics" / "cache.ipynb", shelf)
    code = BEGIN + f"import pathlib\npathlib.Path({str(shelf / 'cache.ipynb')!r}).unlink()\nrun.finish()"
    process = start(archive, lab, code, OPS_NOTEBOOKS=str(shelf.parent))
    _, trouble = process.communicate(timeout=60)
    result, folder = ended(archive)
    assert (result["state"], result["verdict"]) == ("finished", "UNKNOWN"), trouble
    kept = json.loads((folder / "notebook.ipynb").read_text())["cells"]
    assert [cell["id"] for cell in kept if cell["id"] != "injected-parameters"] == [
        cell["id"] for cell in json.loads((ROOT / "notebooks/diagnostics/cache.ipynb").read_text())["cells"]
    ]


def test_nothing_that_lies_beside_a_notebook_is_imported_where_the_writing_credentials_are(archive, lab, tmp_path):
    for name in ("pydantic", "opslib", "dotenv", "json"):
        (tmp_path / f"{name}.py").write_text("import os, pathlib\npathlib.Path('ran').touch()\nos._exit(3)\n")
    # The notebook's own process is the person's; it takes its modules from elsewhere here.
    code = f"import os; from opslib import begin; os.chdir({str(tmp_path)!r}); run = begin('lab'); run.finish()"
    process = start(archive, lab, code)
    _, trouble = process.communicate(timeout=60)
    assert process.returncode == 0, trouble
    assert not (tmp_path / "ran").exists()
    assert ended(archive)[0]["state"] == "finished"


def test_a_notebook_whose_desk_is_gone_is_told_so_and_starts_nothing_of_its_own(archive, lab, tmp_path):
    process = start(archive, lab, BEGIN, OPS_DESK=str(tmp_path / "gone"))
    _, trouble = process.communicate(timeout=60)
    assert "The desk beside JupyterLab is gone" in trouble
    assert not archive.exists()
