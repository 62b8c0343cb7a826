"""Who is confined gets no run from a process that stands by: what is handed down has to be alike, and seen."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.headless import warm_asker
from opslib.warm_ahead import MARK

SLEEP = "import time\nprint('there', flush=True)\ntime.sleep(600)"
ABOVE = f"""
import subprocess, sys, time
below = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], env={{}}, stdout=subprocess.DEVNULL)
print(below.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def asking():
    """A function that starts a process, waits until it is there, and returns it."""
    started = []

    def start(code=SLEEP, before="", **said):
        process = subprocess.Popen(
            [sys.executable, "-c", f"{before}\n{code}"], stdout=subprocess.PIPE, text=True, **said
        )  # fmt: skip
        started.append(process)
        said = process.stdout.readline()
        assert said
        return int(said) if said.strip().isdigit() else process.pid

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def beside(pid):
    """What a process that is not above ``pid`` answers, as the one that stands by is not."""
    code = f"from opslib.headless import warm_asker\nprint(warm_asker.refused({pid}))"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()  # fmt: skip


def test_who_has_what_this_process_has_gets_a_run(asking):
    assert beside(asking()) == ""


def test_a_notebooks_process_and_whatever_is_below_it_get_none(asking):
    marked = dict(os.environ) | {MARK: "/tmp/ops-run-x"}
    assert beside(asking(env=marked)) == "it is of a notebook"
    below = asking(ABOVE, env=marked)
    assert MARK.encode() not in Path(f"/proc/{below}/environ").read_bytes()
    assert beside(below) == "it is of a notebook"
    os.kill(below, signal.SIGKILL)


def test_what_stands_by_gives_nothing_to_its_own_runs(asking):
    assert warm_asker.refused(asking()) == "it is of a run of this process"


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("import os; os.nice(1)", "another priority"),
        ("import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (64, 64))", "limits is not alike"),
        ("import ctypes; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)", "NoNewPrivs are not alike"),
        ("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})", "Cpus_allowed are not alike"),
    ],
)
def test_who_has_less_gets_none(asking, before, why):
    if len(os.sched_getaffinity(0)) == 1 and "affinity" in before:
        pytest.skip("one core")
    assert beside(asking(before=before)) == why


def test_who_is_gone_gets_none():
    gone = subprocess.Popen([sys.executable, "-c", "0"])
    gone.wait()
    assert beside(gone.pid).startswith("cannot be seen")


def test_what_was_read_at_the_start_is_told_from_the_rest():
    said = {"PYTHONHASHSEED": "1", "LC_ALL": "C", "PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "LANGUAGE": "de"}
    assert sorted(warm_asker.at_import(said)) == ["LANGUAGE", "LC_ALL", "PYTHONHASHSEED"]
