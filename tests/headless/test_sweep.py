"""Many notebooks at once: each a run of its own, the worst decides, and nothing goes on when the sweep is gone."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.errors import UsageError
from opslib.headless import sweep
from tests import typed
from tests.headless import bench
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = {
    "OPS_ENVIRONMENT": "lab",
    "OPS_READ_DATABASE_URL": "postgresql://reader:reader-password@127.0.0.1:1/valuecanvas",
    "DATABASE_URL": "postgresql://owner:hunter2-hunter2@127.0.0.1:1/valuecanvas",
    "OPS_SCRATCH_DATABASE_URL": "postgresql://owner:hunter2-hunter2@127.0.0.1:1/postgres",
    "OPS_READ_REDIS_URL": "redis://127.0.0.1:1/0",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "S3_BUCKET_NAME": "valuecanvas-backups",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "writer-of-nothing",
    "AWS_SECRET_ACCESS_KEY": "secret-of-nothing",
    "OPS_READ_AWS_ACCESS_KEY_ID": "reader-of-nothing",
    "OPS_READ_AWS_SECRET_ACCESS_KEY": "secret-of-reader",
}
CHECK = """
from opslib.model import Check, Judgement, Probe, Verdict
check = Check("cache.words", "Words", Probe("cache.words", "Words", lambda t: [{"n": 1}]),
              lambda r: Judgement(Verdict.%s, "counted"), "Count again.")
run.check(check)
import os
run.note(f"{os.getppid()} {os.getpid()}")
"""


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder with a notebook for each of three verdicts, and a description that leads nowhere."""
    (tmp_path / "lab").mkdir()
    lines = [f"{name}={value}\n" for name, value in DESCRIPTION.items()]
    (tmp_path / "lab" / "target.env").write_text("".join(lines))
    for name, folder in (("OPS_LAB", "lab"), ("OPS_NOTEBOOKS", "notebooks"), ("OPS_ARCHIVE", "archive")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    for name, verdict in (("good", "OK"), ("poor", "WARNING"), ("bad", "CRITICAL")):
        put(tmp_path, name, CHECK % verdict)
    return tmp_path


def put(shelf, name, *sources):
    made = bench.notebook(shelf / "notebooks", *sources).path
    to = shelf / "notebooks" / "diagnostics" / f"{name}.ipynb"
    to.parent.mkdir(exist_ok=True)
    made.rename(to)


def ops(*words):
    return [sys.executable, "-m", "opslib.cli", "run", *words]


def test_each_notebook_of_a_folder_is_a_run_of_its_own_and_the_worst_decides(shelf):
    done = subprocess.run(ops("--all", "diagnostics", "--json"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    runs = json.loads(done.stdout)["runs"]
    assert [(one["notebook"], one["verdict"]) for one in runs] == [
        ("diagnostics/bad", "CRITICAL"),
        ("diagnostics/good", "OK"),
        ("diagnostics/poor", "WARNING"),
    ]
    assert verify(shelf / "archive").ok
    notes = {line["text"] for one in runs for line in bench.events(Path(one["report"]).parent) if "text" in line}
    assert len(notes) == 3


def test_a_sweep_that_is_killed_leaves_no_run_going_and_each_is_sealed(shelf):
    put(shelf, "good", f"open({str(shelf / 'there')!r}, 'w').close()", "import time\ntime.sleep(600)")
    started = subprocess.Popen(ops("--all", "diagnostics", "--at-once", "3"), cwd=ROOT, stdout=subprocess.DEVNULL)
    until(lambda: (shelf / "there").exists())
    started.send_signal(signal.SIGKILL)
    started.wait()
    folders = list((shelf / "archive" / "runs").iterdir())
    until(lambda: all((folder / "MANIFEST.sha256").exists() for folder in folders))
    states = {json.loads((folder / "result.json").read_text())["state"] for folder in folders}
    assert "interrupted" in states
    assert verify(shelf / "archive").ok


def test_what_cannot_be_run_at_once_is_refused_before_anything_starts(shelf):
    with pytest.raises(UsageError, match="no notebooks"):
        sweep.chosen("none-such")
    with pytest.raises(UsageError, match="0 runs at once"):
        sweep.sweep([], "lab", shelf / "archive", 0)
    put(shelf, "changing", "run.step(None)")
    with pytest.raises(UsageError, match="diagnostics/changing"):
        sweep.chosen("diagnostics")
    assert not (shelf / "archive").exists()


ONE_CORE = """
import os, sys
from pathlib import Path
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from opslib import places
from opslib.headless import sweep
class Told(sweep.Idle):
    def cores(self):
        return float(sys.argv[1])
names = ["diagnostics/good", "diagnostics/poor"]
sweep._side_by_side(names, "lab", places.archive_folder(), None, lambda result: None, Told())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="cores are looked at on Linux alone")
@pytest.mark.parametrize(("idle", "side_by_side"), [("0.9", True), ("0.1", False)])
def test_one_run_more_than_there_are_cores_begins_where_a_core_has_nothing_to_do(shelf, idle, side_by_side):
    there = shelf / "there"
    there.mkdir()
    waits = f"""
import os, time
from pathlib import Path
Path({str(there)!r}, str(os.getpid())).touch()
while len(list(Path({str(there)!r}).iterdir())) < {1 + side_by_side}:
    time.sleep(0.05)
time.sleep({1.2 * (not side_by_side)})
"""
    for name in ("good", "poor"):
        put(shelf, name, waits)
    subprocess.run([sys.executable, "-c", ONE_CORE, idle], cwd=ROOT, check=True)
    told = [json.loads(path.read_text()) for path in (shelf / "archive" / "runs").glob("*/result.json")]
    first, second = sorted(told, key=lambda one: one["started_at"])
    assert {first["state"], second["state"]} == {"finished"}
    assert (second["started_at"] < first["finished_at"]) is side_by_side


@pytest.mark.skipif(sys.platform != "linux", reason="cores are looked at on Linux alone")
def test_idle_cores_are_counted_from_what_the_system_says_of_those_of_this_process(tmp_path):
    own = min(os.sched_getaffinity(0))
    stat, ticks = tmp_path / "stat", os.sysconf("SC_CLK_TCK")
    stat.write_text(f"cpu  0 0 0 9 9\ncpu{own} 5 0 5 100 100 7\ncpu9999 0 0 0 0 0\nctxt 1\n")
    idle = sweep.Idle(stat)
    assert idle.cores() == 0
    stat.write_text(f"cpu  0 0 0 9 9\ncpu{own} 5 0 5 100 {100 + 1000 * ticks} 7\ncpu9999 0 0 0 {9 * ticks} 0\nctxt 1\n")
    assert idle.cores() > 0
    assert idle.cores() == 0


def test_a_folder_with_what_is_no_notebook_runs_none(shelf):
    (one, *_) = sweep.chosen("diagnostics")
    one.path.write_text("{}")
    assert typed.ops("run", "--all", "diagnostics", environment=os.environ).returncode == 64
    assert not (shelf / "archive").exists()


def test_the_worst_code_is_by_what_the_words_mean():
    assert sweep.worst([{"exit_code": code} for code in (0, 3, 1)]) == 3
    assert sweep.worst([{"exit_code": code} for code in (3, 2)]) == 2
    assert sweep.worst([{"exit_code": code} for code in (2, 64, 5)]) == 64


def test_what_took_longest_begins_first_and_what_nobody_knows_before_it(shelf):
    names = ["diagnostics/short", "diagnostics/long", "diagnostics/new"]
    for run, name, environment, seconds in (
        ("20261101T000001Z-diagnostics-long-aaaaaa", "diagnostics/long", "lab", 1.0),
        ("20261101T000002Z-diagnostics-long-bbbbbb", "diagnostics/long", "lab", 60.0),
        ("20261101T000003Z-diagnostics-short-cccccc", "diagnostics/short", "lab", 2.0),
        ("20261101T000004Z-diagnostics-short-dddddd", "diagnostics/short", "staging", 600.0),
    ):
        folder = shelf / "archive" / "runs" / run
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"run": run, "notebook": name, "environment": environment}))
        (folder / "result.json").write_text(json.dumps({"seconds": seconds, "state": "finished", "verdict": "OK"}))
    archive = shelf / "archive"
    assert sweep.longest_first(names, "lab", archive) == ["diagnostics/new", "diagnostics/long", "diagnostics/short"]
    assert sweep.longest_first(names, "lab", shelf / "nothing") == names
    surveys = {"diagnostics/new": 2, "diagnostics/long": 1}
    assert sweep.longest_first(names, "lab", archive, surveys)[1:] == ["diagnostics/long", "diagnostics/short"]
    unknown = sweep.longest_first(names, "lab", shelf / "nothing", surveys)
    assert unknown == ["diagnostics/new", "diagnostics/long", "diagnostics/short"]
    assert sweep.longest_first(names, "staging", archive)[-1] == "diagnostics/short"
