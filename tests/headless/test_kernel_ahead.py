"""The process that is started before its run is known becomes what would have been started, or nothing at all."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from opslib import warm_ahead
from opslib.headless import kernel_ahead_process, shell_engine
from opslib.headless.kernel_ahead import Ahead, ahead
from opslib.headless.kernel_warm import keep_warm
from tests.headless.paper import execute
from tests.headless.test_kernel_warm import LOOK
from tests.headless.test_sweep import DESCRIPTION, ROOT, put
from tests.waiting import living, until

OPS = [sys.executable, "-P", "-c", "from opslib.cli_start import main; main()"]
PLAIN = [sys.executable, "-P", "-c", "from opslib.cli import main; main()"]


@pytest.fixture
def begun(monkeypatch):
    """A process that was started as ``ops`` starts it, by a process whose environment holds a credential."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner:hunter2-hunter2@127.0.0.1:1/valuecanvas")
    warm_ahead.begin(["run", "diagnostics/none-such"])
    pid, line = warm_ahead.begun
    yield pid
    if warm_ahead.begun is not None:
        warm_ahead.begun = None
        line.close()
        os.waitpid(pid, 0)


def shown(folder, *sources):
    folder.mkdir()
    _, cells = execute(folder, *sources, way=shell_engine)
    return ["".join(output.get("text", "")) for cell in cells for output in cell["outputs"]]


def test_it_becomes_what_would_have_been_started(tmp_path, begun, monkeypatch):
    with ahead():
        (became,) = shown(tmp_path / "became", LOOK + "\nprint(os.getppid())")
    (started,) = shown(tmp_path / "started", LOOK + "\nprint(os.getppid())")
    (became, parent), (started, _) = became.splitlines(), started.splitlines()
    assert json.loads(became) == json.loads(started)
    assert int(parent) == begun
    assert not living(begun)


def test_it_holds_nothing_of_a_target(begun):
    environment = Path(f"/proc/{begun}/environ").read_bytes()
    names = {entry.partition(b"=")[0].decode() for entry in environment.split(b"\0") if entry}
    assert names <= {*warm_ahead.PLAIN, warm_ahead.MARK, warm_ahead.PLUGINS, "PYTHONSAFEPATH"}
    assert b"hunter2" not in environment


def test_it_ends_when_nobody_asks_for_it(begun):
    warm_ahead.begun[1].close()
    warm_ahead.begun = None
    assert os.waitstatus_to_exitcode(os.waitpid(begun, 0)[1]) == 0


def test_one_that_is_gone_is_replaced_by_one_that_is_started(tmp_path, begun):
    os.kill(begun, signal.SIGKILL)
    with ahead():
        assert shown(tmp_path / "a", "import os\nprint(os.getppid())") != [f"{begun}\n"]


def test_it_serves_one_process_only(tmp_path, begun):
    with ahead():
        first, second = (shown(tmp_path / name, "import os\nprint(os.getppid())") for name in "ab")
    assert first == [f"{begun}\n"]
    assert second != first


def test_no_kernel_comes_of_it(begun):
    pid, line = warm_ahead.begun
    warm_ahead.begun = None
    zygote = Ahead(pid, socket.socket(fileno=line.detach()))
    with keep_warm(zygote):
        assert zygote.ask(":", ["-f", "none-such"], {}, "/", 0) is None
    zygote.close()
    assert not living(pid)


@pytest.mark.parametrize("more", [["--kernel"], ["--all", "diagnostics"], ["--help"]])
def test_none_is_started_where_none_is_needed(more):
    warm_ahead.begin(["run", *more])
    assert warm_ahead.begun is None


def test_only_what_is_on_the_list_is_imported_ahead(tmp_path):
    path = tmp_path / "a.ipynb"
    text = [
        "import httpx\n",
        "import antigravity\n",
        "from psycopg import sql\n",
        "checks.database.slow; checks.evil.x",
    ]
    cells = [{"cell_type": "code", "source": text}, {"cell_type": "markdown", "source": "import boto3"}]
    path.write_text(json.dumps({"cells": cells}))
    assert kernel_ahead_process.named(str(path)) == ["httpx", "psycopg", "opslib.checks.database"]
    assert kernel_ahead_process.named("none-such") == []


def test_a_run_that_was_begun_ahead_is_recorded_as_any_other(tmp_path):
    (tmp_path / "lab").mkdir()
    description = "".join(f"{name}={value}\n" for name, value in DESCRIPTION.items())
    (tmp_path / "lab" / "target.env").write_text(description)
    folders = {"OPS_LAB": "lab", "OPS_NOTEBOOKS": "notebooks", "OPS_ARCHIVE": "archive", "XDG_RUNTIME_DIR": "none"}
    environment = dict(os.environ) | {name: str(tmp_path / path) for name, path in folders.items()}
    put(
        tmp_path,
        "parent",
        "import os\nfrom pathlib import Path",
        "run.note(Path(f'/proc/{os.getppid()}/cmdline').read_text())",
    )
    told = []
    for command in (OPS, PLAIN):
        words = [*command, "run", "diagnostics/parent", "--json"]
        done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 3, done.stderr
        told.append(journal(done))
    (first, note), (second, other) = told
    assert "kernel_ahead_process" in note
    assert "kernel_guardian" in other
    assert first == second


def journal(done):
    """Return the run's events with their cells, and its note."""
    lines = (Path(json.loads(done.stdout)["report"]).parent / "journal.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    (note,) = (event["text"] for event in events if event["event"] == "note")
    return [(event["event"], event.get("cell"), event.get("status")) for event in events], note


def test_a_refused_run_leaves_no_process(tmp_path):
    environment = dict(os.environ) | {"OPS_NOTEBOOKS": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    marked = f"{tmp_path}/diagnostics/none-such.ipynb"
    words = [*OPS, "run", "diagnostics/none-such"]
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 64
    until(lambda: not [path for path in Path("/proc").glob("[0-9]*/cmdline") if holds(path, marked)])


def holds(path, word):
    try:
        return word in path.read_text()
    except OSError:
        return False
