"""The kernel's process: it dies with its runner, takes all that it started along, and can't outstay its limits."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import papermill  # noqa: F401 - loads the engine by its entry point, as ops run does
import pytest
from nbclient.exceptions import DeadKernelError

from opslib.headless import engine, kernel_outputs, shell_engine
from opslib.headless.kernel_outputs import MOST, Meter
from opslib.redaction import Redactor, Secret
from tests.headless import bench
from tests.headless.paper import SECRET, execute, recorded
from tests.scale import NIGHTLY, count
from tests.waiting import living, until

ROOT = Path(__file__).resolve().parents[2]
DEAD = (DeadKernelError, shell_engine.DeadKernelError)
FAILED = (engine.CellFailed, shell_engine.CellFailed)


@pytest.fixture(params=[shell_engine, engine][: 2 if NIGHTLY else 1], ids=["shell", "kernel"][: 2 if NIGHTLY else 1])
def way(request):
    """The way in which a notebook is executed: the one of each run, and at night papermill's with a kernel."""
    return request.param


RUNNER = """
import importlib, sys
from pathlib import Path
from tests.headless.paper import execute
if sys.argv[2].endswith(".engine"):
    import papermill  # loads the engine by its entry point
way = importlib.import_module(sys.argv[2])
execute(Path(sys.argv[1]), Path(sys.argv[1], "cell.py").read_text(), way=way)
"""
TICKER = """
import os, subprocess, sys, time
ticks = '''
import os, sys, time
if len(sys.argv) > 2:
    os.setsid()
    if os.fork():
        os._exit(0)
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while True:
    os.write(file, b"%d %d\\\\n" % (os.getpid(), time.monotonic_ns()))
    time.sleep(0.01)
'''
# One that has left the group and the session, and has nothing of the run in its environment.
subprocess.Popen([sys.executable, "-S", "-c", ticks, FOLDER + "/away", "away"], env={})
sys.argv = ["", FOLDER + "/kernel"]
exec(ticks)
"""


def test_the_kernel_and_all_that_it_started_die_with_a_killed_runner(tmp_path, way):
    for number in range(count(1, 20)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "cell.py").write_text(f"FOLDER = {str(folder)!r}\n{TICKER}")
        runner = subprocess.Popen(
            [sys.executable, "-c", RUNNER, str(folder), way.__name__], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        files = [folder / "kernel", folder / "away"]
        until(lambda files=files: all(file.exists() and file.stat().st_size > 200 for file in files))
        killed = time.monotonic_ns()
        runner.kill()
        runner.wait()
        for file in files:
            pid = int(file.read_text().split()[0])
            until(lambda pid=pid: not living(pid), 10)
            last = int(file.read_text().split()[-1])
            # The goal is 20 ms; a busy machine may be late to run whoever kills.
            assert last - killed < 1_000_000_000


def test_no_process_that_the_notebook_started_is_left_when_its_run_has_ended(tmp_path, way):
    pids = tmp_path / "pids"
    away = tmp_path / "away.py"
    away.write_text(
        "import os, sys, time\nos.setsid()\nif os.fork(): os._exit(0)\n"
        "open(sys.argv[1], 'a').write(f'{os.getpid()} ')\ntime.sleep(600)"
    )
    start = (
        f"import pathlib, subprocess, sys, time\ncommand = [sys.executable, '-S', {str(away)!r}, {str(pids)!r}]\n"
        "for _ in range(5): subprocess.Popen(command, env={})\n"
        "while len(pathlib.Path(command[-1]).read_text().split()) < 5: time.sleep(0.01)"
    )
    (tmp_path / "pids").touch()
    execute(tmp_path, start, way=way)
    assert [pid for pid in map(int, pids.read_text().split()) if living(pid)] == []


def test_a_notebook_that_kills_its_guardian_has_no_kernel_any_more_and_leaves_nothing(tmp_path, way):
    pids = tmp_path / "pids"
    with pytest.raises(DEAD):
        execute(
            tmp_path,
            "import os, subprocess, time\nchild = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
            f"open({str(pids)!r}, 'w').write(f'{{child.pid}} {{os.getpid()}}')\n"
            "os.kill(os.getppid(), 9)\ntime.sleep(60)",
            way=way,
        )
    assert [pid for pid in map(int, pids.read_text().split()) if living(pid)] == []


ENDS = [
    ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "act-1 \\(by SIGKILL\\)"),
    ("import os\nos._exit(0)", "act-1 \\(exit code 0\\)"),
    ("import os\nos.closerange(3, 200)", "act-1 \\((by SIGABRT|exit code 1)\\)"),
    ("import ctypes\nctypes.string_at(0)", "act-1 \\(by SIGSEGV\\)"),
    ("import os, threading\nthreading.Timer(0.2, lambda: os._exit(3)).start()", "act-2 \\(exit code 3\\)"),
]


@pytest.mark.parametrize(("source", "said"), ENDS[: count(3, len(ENDS))])
def test_a_kernel_that_ended_is_told_with_the_cell_and_how(tmp_path, source, said, way):
    with pytest.raises(DEAD, match=f"the kernel ended in cell {said}"):
        execute(tmp_path, source, "import time\ntime.sleep(60)", way=way)
    done = [cell for cell in recorded(tmp_path) if cell["metadata"]["papermill"]["status"] == "completed"]
    assert [cell["id"] for cell in done] == (["act-1"] if "act-2" in said else [])


RUNAWAYS = [
    "import time\ntime.sleep(600)",
    "import time\ntry: time.sleep(600)\nexcept BaseException: pass",
    "while True: print('x' * 1000)",
    "sum(range(10**12))",
    "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
]


@pytest.mark.parametrize("source", RUNAWAYS[: count(3, len(RUNAWAYS))])
def test_a_cell_that_takes_longer_than_its_limit_is_interrupted_or_killed(tmp_path, source, way):
    with pytest.raises(TimeoutError, match="cell act-1 took longer than its limit of 1 s"):
        execute(tmp_path, source, "1", seconds=1, way=way)
    assert next(cell["metadata"]["papermill"]["status"] for cell in recorded(tmp_path)) == "failed"


def test_a_kernel_that_has_no_heartbeat_any_more_is_given_up(tmp_path, way):
    with pytest.raises(TimeoutError, match="did not answer for 1 s in cell act-1"):
        execute(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", silent=1, way=way)


def test_a_kernel_that_became_another_program_is_given_up(tmp_path, way):
    with pytest.raises(TimeoutError, match=r"the kernel closed its line, .*, in cell act-1"):
        execute(tmp_path, "import os\nos.execvp('sleep', ['sleep', '600'])", way=way)


def test_a_cell_that_computes_without_letting_anything_else_run_has_a_heartbeat(tmp_path, way):
    _, cells = execute(tmp_path, "sum(range(5 * 10**7)), 1", silent=1.2, way=way)
    assert "".join(cells[0]["outputs"][0]["data"]["text/plain"]) == "(1249999975000000, 1)"


def test_memory_that_a_cell_may_not_have_fails_the_cell(tmp_path, way):
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\nx = bytearray(2**31)"
    with pytest.raises(FAILED, match="MemoryError"):
        execute(tmp_path, limit, way=way)


def test_more_output_than_is_kept_is_cut_and_the_record_says_how_much(tmp_path, way):
    _, cells = execute(tmp_path, "for _ in range(40_000): print('x' * 100)", "print('small')", way=way)
    text = "".join("".join(output["text"]) for output in cells[0]["outputs"])
    assert MOST / 2 < len(text) < MOST + 1000
    assert "bytes of this cell's output were cut: at most 2000000 are kept" in text
    assert "".join(cells[1]["outputs"][0]["text"]) == "small\n"


def test_one_message_that_would_fill_the_runner_ends_the_kernel(tmp_path, way):
    with pytest.raises(TimeoutError, match="sent more than 67108864 bytes at once, in cell act-1"):
        execute(tmp_path, "print('x' * 80_000_000)", way=way)


def stream(text):
    return {"header": {"msg_type": "stream"}, "content": {"name": "stdout", "text": text}}


def test_a_cut_leaves_no_half_of_a_secret():
    meter, texts = Meter(), ["x" * (MOST - 2000), SECRET[:9], SECRET[9:] + "x" * 2000]
    outputs = [{"output_type": "stream", "name": "stdout", "text": text} for text in texts if meter.takes(stream(text))]
    assert len(outputs) == 2
    (kept, cut) = kernel_outputs.kept(outputs, meter, Redactor([Secret(SECRET)]))
    assert SECRET[:4] not in kept["text"]
    assert f"{len(SECRET) - 9 + 2064} bytes" in cut["text"]


def test_a_display_that_is_updated_often_counts_once():
    meter = Meter()
    shown = {"data": {"text/plain": "x" * 1000}, "transient": {"display_id": "a"}}
    assert meter.takes({"header": {"msg_type": "display_data"}, "content": shown})
    update = {"header": {"msg_type": "update_display_data"}, "content": shown}
    assert all(meter.takes(update) for _ in range(5000))
    assert meter.cut == 0


def test_outputs_that_were_cleared_make_room():
    meter = Meter()
    assert meter.takes(stream("x" * 1_500_000))
    assert meter.takes({"header": {"msg_type": "clear_output"}, "content": {"wait": False}})
    assert meter.takes(stream("x" * 1_500_000))


def test_a_signal_to_the_guardian_ends_the_kernel_too(tmp_path, way):
    with pytest.raises(DEAD):
        execute(
            tmp_path,
            f"import os, signal, time\nos.kill(os.getppid(), {int(signal.SIGTERM)})\ntime.sleep(60)",
            way=way,
        )


def test_a_notebook_that_papermill_runs_without_us_seals_its_own_run(tmp_path, lab):
    environment = dict(os.environ, OPS_LAB=str(lab.folder), OPS_ARCHIVE=str(tmp_path / "archive"))
    environment["JPY_SESSION_NAME"] = "notebooks/diagnostics/cache.ipynb"
    bench.notebook(tmp_path, "run.note('by hand')")
    command = [sys.executable, "-m", "papermill", "--engine", "opslib", "--no-progress-bar"]
    path = tmp_path / "runbooks" / "try-things.ipynb"
    done = subprocess.run(
        [*command, str(path), str(tmp_path / "out.ipynb")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = until(lambda: [path.parent for path in (tmp_path / "archive").glob("runs/*/MANIFEST.sha256")])
    assert json.loads((folder / "result.json").read_text())["state"] == "finished"


def test_a_kernel_imports_nothing_from_the_folder_in_which_the_command_was_started(tmp_path, monkeypatch, lab):
    folder = tmp_path / "downloads"
    folder.mkdir()
    for name in ("ipykernel_launcher", "ipykernel", "opslib", "planted"):
        (folder / f"{name}.py").write_text("import pathlib\npathlib.Path('ran').touch()\nraise SystemExit\n")
    monkeypatch.chdir(folder)
    source = "import importlib.util\nassert importlib.util.find_spec('planted') is None"
    result, _ = bench.run(tmp_path, lab.settings, source)
    assert result["state"] == "finished", result["reason"]
    assert not (folder / "ran").exists()
