"""A development environment as people set it up: planned, made, gone on with, taken back; and no value anywhere."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.headless import resume
from opslib.headless.undo import undo
from opslib.lab.vendors import product
from opslib.systems import dev_server
from tests.headless.canaries import traces
from tests.notebooks.recorded import verdicts
from tests.scale import first, nightly
from tests.waiting import until
from tests.workspaces import developers_vault, needs_npm, tree

pytestmark = needs_npm
NAME = "runbooks/set-up-environment"
SHARES = True
CANARY = "cAnary7Kiwi9Qz-5Hd8Wq1Xv6Np-of-the-developers"
"""Holds what the canaries' own search looks for."""


@pytest.fixture
def there(house):
    """The developers' vault with canaries for all that is secret; what a failed test leaves is taken away."""
    with developers_vault(house.settings) as vault:
        vault.put(JWT_SECRET=CANARY, TOGETHER_API_KEY=f"tgp_v1_{CANARY}", OPENAI_API_KEY=f"sk-{CANARY}")
        yield house.settings.workspace
    for folder in (house.archive / "runs").glob("*"):
        dev_server.stop(folder.name)
    shutil.rmtree(house.settings.workspace, ignore_errors=True)


def journal(folder):
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def settled(folder):
    return [(line["step"], line["outcome"]) for line in journal(folder) if line["event"] == "settled"]


def sound(house):
    """Assert that the archive verifies and that no byte of it, and no argument of a process, holds a value."""
    assert verify(house.archive).ok
    read = {path: path.read_bytes() for path in house.archive.rglob("*") if path.is_file()}
    assert len(read) > 10
    assert {str(path): found for path, data in read.items() if (found := traces(data))} == {}


class Arguments:
    """All that ``ps`` shows of this machine's processes while a block runs."""

    def __enter__(self):
        code = (
            "import pathlib, sys, time\n"
            "seen, part = set(), pathlib.Path(sys.argv[1] + '.part')\n"
            "while True:\n"
            "    for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):\n"
            "        try: seen.add(path.read_bytes())\n"
            "        except OSError: pass\n"
            "    part.write_bytes(b'\\n'.join(seen))\n"
            "    part.replace(sys.argv[1])\n"
            "    time.sleep(0.02)\n"
        )
        self.file = Path(os.environ["OPS_LAB"]).parent / "arguments"
        self.process = subprocess.Popen([sys.executable, "-c", code, str(self.file)])
        until(lambda: self.file.exists())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.said = self.file.read_bytes()


def test_a_plan_names_the_commit_shows_no_value_and_changes_nothing(run, house, fingerprint, there):
    before = fingerprint()
    result, folder = run(NAME, mode="plan")
    assert (result["state"], result["verdict"]) == ("finished", "UNKNOWN"), result["reason"]
    assert fingerprint() == before
    assert not there.exists()
    steps = json.loads((folder / "plan.json").read_text())["steps"]
    assert [step["plan"]["effect"] for step in steps] == ["local"] * 4
    commit = product.git(Path(house.settings.repository.removeprefix("file://")), "rev-parse", "main").strip()
    assert steps[0]["plan"]["fingerprint"]["commit"] == commit
    sound(house)


def found_well(run):
    """Assert that who looks at the environment finds it as it was set up."""
    _, folder = run("diagnostics/environment")
    found = verdicts(folder)
    well = ("tools", "checkout", "variables", "privacy", "apart", "development")
    assert {found[f"environment-{name}"] for name in well} == {"OK"}
    assert found["environment-scripts"] == "WARNING"


def test_it_is_set_up_taken_back_and_no_value_is_in_any_byte_or_argument(run, house, there):
    with Arguments() as arguments:
        result, _ = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert b"npm" in arguments.said
    assert traces(arguments.said) == set()
    assert CANARY in (there / ".env.local").read_text()
    assert product.git(there, "status", "--porcelain") == ""
    assert dev_server.find(result["run"]) is not None
    found_well(run)
    # Work that was done since keeps the undo from removing it.
    (there / "thesis.txt").write_text("mine")
    taken = undo(result["run"], house.archive)
    assert taken["exit_code"] == 4
    assert "first 'thesis.txt'" in taken["reason"]
    assert (there / "thesis.txt").read_text() == "mine"
    (there / "thesis.txt").unlink()
    taken = undo(result["run"], house.archive)
    assert taken["exit_code"] == 0, taken["reason"]
    assert dev_server.find(result["run"]) is None
    assert not there.exists()
    sound(house)


@nightly
def test_a_local_supabase_that_is_not_there_is_no_green(run, house, there):
    result, _ = run(NAME, "supabase=local")
    assert (result["state"], result["verdict"]) == ("finished", "UNKNOWN")
    assert "No local Supabase answers" in result["reason"]
    assert undo(result["run"], house.archive)["exit_code"] == 0


def test_somebodys_checkout_with_work_in_it_is_refused_and_stays_whole(run, house, there):
    product.git(Path("/"), "clone", "--quiet", house.settings.repository, str(there))
    (there / "package.json").write_text('{"mine": true}')
    (there / "notes.txt").write_text("mine")
    before = tree(there)
    result, _ = run(NAME)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "changed files, first 'package.json'" in result["reason"]
    assert tree(there) == before
    shutil.rmtree(there)


FAILURES = {
    "install": {"package.json": b'{"scripts": {"dev": "true"}, "dependencies": {"@valuecanvas/brand": "file:none"}}'},
    "dev-server": {"scripts/dev.mjs": b"process.exit(1)\n"},
}


@nightly
@pytest.mark.parametrize("step", first(1, "dev-server", "install"))
def test_a_step_that_fails_leaves_what_was_done_and_is_gone_on_with_or_taken_back(run, house, there, step):
    repository = Path(house.settings.repository.removeprefix("file://"))
    kept = {name: (repository / name).read_bytes() for name in FAILURES[step] if (repository / name).exists()}
    product.commit(repository, FAILURES[step])
    try:
        result, folder = run(NAME)
        assert result["exit_code"] in (4, 5), result["reason"]
        assert [step for step, outcome in settled(folder) if outcome != "not done"] == []
        again = resume.resume(result["run"], house.archive)
        assert again["exit_code"] in (4, 5)
        assert undo(again["run"], house.archive)["exit_code"] == 0
        assert not there.exists()
    finally:
        product.commit(repository, kept)


KILLED = """
import os, sys, threading, time
from pathlib import Path
from opslib.headless import runner
def end():
    while not Path(sys.argv[2]).exists():
        time.sleep(0.001)
    os.kill(os.getpid(), 9)
threading.Thread(target=end, daemon=True).start()
runner.run("runbooks/set-up-environment", (), "lab", Path(sys.argv[1]))
"""


@nightly
@pytest.mark.parametrize(
    "mark", first(1, ".env.local", ".git/opslib/server.json", "node_modules", ".git/opslib/development")
)
def test_a_run_that_is_killed_is_gone_on_with_and_starts_nothing_twice(house, there, mark):
    before = set((house.archive / "runs").iterdir()) if (house.archive / "runs").is_dir() else set()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(house.archive), str(there / mark)], capture_output=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    (folder,) = set((house.archive / "runs").iterdir()) - before
    again = resume.resume(folder.name, house.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    assert len(sessions(folder.name)) == 1
    assert undo(again["run"], house.archive)["exit_code"] == 0
    assert not there.exists()
    assert sessions(folder.name) == set()
    sound(house)


def sessions(work):
    marked = f"{dev_server.MARK}={work}".encode()
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marked in path.read_bytes().split(b"\0"):
                found.add(os.getsid(int(path.parent.name)))
        except OSError:
            continue
    return found
