"""What a run from cold that only looks does not import, in each of its processes: it would be waited for each time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.archive import keys
from tests.headless.test_sweep import DESCRIPTION, put

ROOT = Path(__file__).resolve().parents[2]

CLIENTS = {"boto3", "botocore", "dns", "duckdb", "httpx", "psycopg", "redis", "requests", "urllib3"}
NOTEBOOKS = {"ipykernel", "jupyter_client", "nbclient", "nbconvert", "nbformat", "papermill", "tornado", "zmq"}
RUNNER = CLIENTS | NOTEBOOKS | {
    "IPython",
    "asyncio",
    "cryptography.hazmat.primitives.ciphers",
    "difflib",
    "http.client",
    "ipywidgets",
    "jsonschema",
    "opslib.actions.known",
    "opslib.archive.anchor",
    "opslib.archive.review_document",
    "opslib.guide.catalogue",
    "opslib.headless.agreement",
    "opslib.headless.earlier",
    "opslib.probes.asked",
    "opslib.probes.backups_drill",
    "opslib.probes.backups_manifest",
    "pygments",
    "ssl",
    "webbrowser",
}  # fmt: skip
NOTEBOOK = CLIENTS | NOTEBOOKS | {
    "click",
    "cryptography",
    "detect_secrets",
    "dotenv",
    "http.client",
    "ipywidgets",
    "jedi",
    "jinja2",
    "mistune",
    "opslib.actions.base",
    "opslib.archive",
    "opslib.headless.runner",
    "opslib.runs.executor",
    "prompt_toolkit",
    "sqlite3",
}  # fmt: skip
ENDING = (
    "import atexit, os, sys\n"
    "atexit.register(lambda: open(os.environ['RUNNER_HAD'], 'w').write(' '.join(sys.modules)))\n"
    "from opslib.cli_start import main\nmain()"
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """What the runner and the notebook's process of one run had imported at their ends, by name."""
    folder = tmp_path_factory.mktemp("c")
    (folder / "lab").mkdir()
    description = "".join(f"{name}={value}\n" for name, value in DESCRIPTION.items())
    (folder / "lab" / "target.env").write_text(description)
    put(folder, "looks", "import sys\nrun.note(' '.join(sys.modules))")
    places = {"OPS_LAB": "lab", "OPS_NOTEBOOKS": "notebooks", "OPS_ARCHIVE": "archive", "XDG_RUNTIME_DIR": "none"}
    environment = dict(os.environ) | {name: str(folder / path) for name, path in places.items()}
    keys.create(folder / "key")  # at an archive's first run, which makes one
    environment |= {"RUNNER_HAD": str(folder / "runner"), "OPS_ARCHIVE_KEY": str(folder / "key")}
    words = [sys.executable, "-P", "-c", ENDING, "run", "diagnostics/looks", "--json"]
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    lines = (Path(json.loads(done.stdout)["report"]).parent / "journal.jsonl").read_text().splitlines()
    (note,) = (event["text"] for event in map(json.loads, lines) if event["event"] == "note")
    return {"runner": set((folder / "runner").read_text().split()), "notebook": set(note.split())}


def test_the_runner_imports_no_client_no_kernel_and_no_action(imported):
    assert {"opslib.headless.runner", "jinja2"} <= imported["runner"]  # it is its list that is looked at
    assert imported["runner"] & RUNNER == set()


def test_the_notebooks_process_imports_no_client_no_kernel_and_nothing_of_the_runner(imported):
    assert {"IPython", "opslib.runs.run"} <= imported["notebook"]
    assert imported["notebook"] & NOTEBOOK == set()


def test_what_is_named_as_not_imported_is_there_to_be_imported():
    """A name that no longer exists would be missed by nobody."""
    code = (
        "import importlib.util, sys\n"
        "from contextlib import suppress\n"
        "for name in sys.argv[1:]:\n"
        "  found = None\n"
        "  with suppress(ModuleNotFoundError): found = importlib.util.find_spec(name)\n"
        "  if found is None: print(name)\n"
    )
    words = [sys.executable, "-c", code, *sorted(RUNNER | NOTEBOOK)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_what_runs_are_forked_from_has_made_the_rules_of_a_description():
    """Each fork would make them again, in the runner and in the notebook's process."""
    code = (
        "from opslib import settings\n"
        "def made(): return [kind.__pydantic_complete__ for kind in (settings.Settings, settings.ReadSettings)]\n"
        "print(*made())\n"
        "from opslib.headless import sweep\n"
        "sweep.prepare()\n"
        "print(*made())\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False False", "True True"]
