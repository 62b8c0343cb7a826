"""Whole runs, with their kernels, killed from outside; two at once; and what can happen to a step from outside."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from opslib.archive.store import Archive
from opslib.archive.verify import verify
from tests.crash.bench import Case, working
from tests.headless import bench
from tests.scale import count, nightly

STEPS = (
    "from opslib import actions\ntaken = run.step(actions.backups.TakeBackup())",
    "run.step(actions.backups.ProveBackup(backup=taken['backup']))",
    "run.step(actions.backups.ApplyRetention())",
)


@pytest.fixture
def case(base, tmp_path):
    """A place for the three steps of a back-up, with a notebook of them and nothing else."""
    with working(Case(base, "back-up", tmp_path)) as made:
        bench.notebook(tmp_path / "notebooks", *STEPS)
        made.environment = {**made.environment, "OPS_NOTEBOOKS": str(tmp_path / "notebooks")}
        made.environment["OPS_ARCHIVE"] = str(made.archive)
        yield made


def ops(case, *arguments, **how):
    command = [sys.executable, "-m", "opslib.cli", *arguments]
    return subprocess.Popen(command, env={**os.environ, **case.environment}, stderr=subprocess.DEVNULL, **how)


def start(case):
    return ops(case, "run", "runbooks/try-things", "--environment", "lab", stdout=subprocess.DEVNULL)


def journals(case):
    return sorted(case.archive.glob("runs/*/journal.jsonl"))


def kernels(runner):
    """Return the processes below the runner that execute a kernel."""
    below, found = {runner}, []
    for path in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with suppress(OSError, IndexError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in below:
                below.add(int(path.name))
                command = (path / "cmdline").read_bytes()
                found += [int(path.name)] if b"shell_process" in command and b"kernel_guardian" not in command else []
    return found


def strike(case, who, lines):
    """Start a run and kill the ones named when its journal has so many lines; returns when the runner is gone."""
    running = start(case)
    while running.poll() is None:
        if any(path.read_bytes().count(b"\n") >= lines for path in journals(case)):
            pids = {"runner": [running.pid], "kernel": kernels(running.pid)}
            for pid in [*pids["kernel"], *pids["runner"]] if who == "both" else pids[who]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    running.wait(120)


@nightly
@pytest.mark.parametrize("number", range(count(1, 20)))
def test_a_whole_run_that_was_killed_is_gone_on_with_to_the_same_end(case, undisturbed, number):
    chance = random.Random(number)
    who = ("both", "runner", "kernel")[number % 3]
    strike(case, who, chance.randint(5, 27))
    (path,) = journals(case)
    case.work = path.parent.name
    for _ in range(3):
        if case.state() == undisturbed["back-up"][0] and Archive(case.archive).runs()[-1].state == "finished":
            break
        ops(case, "resume", case.work, stdout=subprocess.DEVNULL).wait(120)
    assert case.faults([], undisturbed["back-up"][0]) == []
    applied = [said for path in journals(case) for said in lines(path) if ended(said)]
    assert sorted(said["step"] for said in applied) == ["act-1", "act-2", "act-3"]
    states = [run.state for run in Archive(case.archive).runs()]
    assert set(states) <= {"finished", "interrupted", "failed"}
    assert states.count("finished") == 1


def lines(path):
    return [json.loads(raw) for raw in path.read_bytes().split(b"\n")[:-1]]


def ended(said):
    return said["event"] == "applied" or (said["event"] == "settled" and said["outcome"] == "done")


@nightly
def test_of_two_runs_at_once_one_does_it_and_the_other_is_refused(base, case):
    bench.notebook(case.folder / "notebooks", f"from opslib import actions\n{STEPS[2]}", "import time\ntime.sleep(6)")
    both = [start(case) for _ in range(2)]
    assert sorted(one.wait(120) for one in both) == [0, 4]
    assert case.state()["objects"] == ["age-1.dump", "age-1.manifest.json", "age-1.proof.json"]
    applied = [said for path in journals(case) for said in lines(path) if said["event"] == "applied"]
    assert len(applied) == 1
    assert verify(case.archive).ok


@nightly
def test_a_database_that_is_lost_in_the_middle_of_a_step_leaves_it_not_done_and_the_run_can_go_on(
    case, undisturbed, base
):
    running = start(case)
    lost = 0
    while running.poll() is None:
        if lost < 3:
            with base.lab.admin("postgres") as session:
                ended = session.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'opslib:2%'"
                    " AND query LIKE 'COPY%' OR application_name = 'opslib' AND pid <> pg_backend_pid()"
                ).fetchall()
            lost += len(ended)
        time.sleep(0.005)
    (path,) = journals(case)
    case.work = path.parent.name
    assert lost
    for _ in range(3):
        if Archive(case.archive).runs()[-1].state == "finished":
            break
        ops(case, "resume", case.work, stdout=subprocess.DEVNULL).wait(120)
    assert case.faults([], undisturbed["back-up"][0]) == []
