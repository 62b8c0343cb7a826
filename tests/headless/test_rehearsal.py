"""What is run before a process serves makes its forks fast, and is in none of them."""

import json
import os
import subprocess
import sys

import pytest

from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.cli import main
from opslib.headless import rehearsal, runner

SHELL = """
import builtins, json, linecache, os, sys, warnings
from opslib.headless import shell_process
shell_process.prepare()

def state():
    return {
        "builtins": sorted(vars(builtins)),
        "lines": sorted(linecache.cache),
        "main": id(sys.modules["__main__"]),
        "hooks": [id(sys.displayhook), id(sys.excepthook), id(sys.stdout)],
        "filters": len(warnings.filters),
        "path": list(sys.path),
        "environment": dict(os.environ),
        "threads": sorted(os.listdir("/proc/self/task")),
        "handles": sorted(os.listdir("/proc/self/fd")),
    }

before = state()
shell_process.rehearse()
after = state()
shell = shell_process._ready[0]
print(json.dumps({
    "changed": [name for name in before if before[name] != after[name]],
    "number": shell.execution_count,
    "names": [name for name in ("said", "json", "_", "__") if name in shell.user_ns and shell.user_ns[name] != ""],
    "lines": shell.user_ns["In"],
}))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that the rehearsal may use, and an environment that leads to a description that nobody may read."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "target.env").write_text("no description\n")
    monkeypatch.setenv("OPS_LAB", str(tmp_path / "lab"))
    monkeypatch.setenv("OPS_NOTEBOOKS", str(tmp_path / "none"))
    monkeypatch.setenv("OPS_ARCHIVE_KEY", str(tmp_path / "none"))
    return tmp_path


def test_it_is_a_whole_run_of_its_own_notebook_on_a_target_of_its_own(folder):
    own = folder / "own"
    own.mkdir()
    rehearsal._rehearsed(own, main)
    runs = Archive(own / "archive", own / "key").runs()
    assert [(one.notebook, one.verdict, one.state) for one in runs] == [
        (rehearsal.NAME, "OK", "finished")
    ] * rehearsal.TIMES
    assert verify(own / "archive").ok


def test_it_leaves_nothing_behind(folder, monkeypatch):
    temporary = folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr(sys, "argv", ["ops", "run", "diagnostics/own"])
    before = dict(os.environ)
    said = []
    rehearsal.rehearse(lambda: said.append(list(sys.argv)))
    assert said == [["ops", "run", "--json"]] * rehearsal.TIMES
    assert dict(os.environ) == before
    assert sys.argv == ["ops", "run", "diagnostics/own"]
    assert not list(temporary.iterdir())


def test_what_fails_in_it_costs_time_only(folder):
    def broken():
        raise OSError("no room")

    before = dict(os.environ)
    rehearsal.rehearse(broken)
    assert dict(os.environ) == before


def test_a_signal_that_comes_meanwhile_is_for_the_process(folder):
    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rehearsal.rehearse(stopped)


def test_a_run_after_it_has_its_own_secrets_hidden_and_no_other_ones(folder):
    """The rehearsal's description is known to no later run."""
    own = folder / "own"
    own.mkdir()
    rehearsal._rehearsed(own, main)
    made_up = [line.partition("=")[2] for line in (own / "target.env").read_text().splitlines() if "AWS_SECRET" in line]
    described = rehearsal.settings.load("lab", root=folder, lab=own / "target.env")
    assert runner.Redactor(described.secrets()).text(made_up[0]) != made_up[0]
    assert runner.Redactor().text(made_up[0]) == made_up[0]


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked there")
def test_cells_that_were_executed_before_a_fork_are_in_no_shell():
    done = subprocess.run([sys.executable, "-P", "-c", SHELL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"changed": [], "number": 1, "names": [], "lines": [""]}
