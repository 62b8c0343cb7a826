"""Whatever becomes of its kernel, a run ends in a stated state that says where, and never as a success."""

import json

import pytest

from opslib.archive.verify import verify
from tests.descriptions import description
from tests.headless import bench
from tests.scale import NIGHTLY, count

pytestmark = [] if NIGHTLY else [pytest.mark.usefixtures("warm")]
"""By day kernels are forked, at night started; how a started one ends is in test_kernel.py."""

HOWS = {
    "killed": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "left": "import os\nos._exit(0)",
    "asked to leave": "import sys\nsys.exit(0)",
    "another program": "import os\nos.execvp('true', ['true'])",
    "segmentation fault": "import ctypes\nctypes.string_at(0)",
    "terminated": "import os, signal\nsignal.signal(15, signal.SIG_DFL)\nos.kill(os.getpid(), signal.SIGTERM)",
    "its group killed": "import os, signal\nos.killpg(0, signal.SIGKILL)",
    "its guardian killed": "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)",
    "out of memory": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\nx = bytearray(2**31)",
    "out of files": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\nopen('/dev/null')",
    "deaf": "import os\nos.closerange(3, 200)",
    "aborted": "import os\nos.abort()",
    "quit": "import os, signal, time\nos.kill(os.getpid(), signal.SIGQUIT)\ntime.sleep(60)",
    "ended by a library": "import ctypes\nctypes.CDLL(None)._exit(0)",
    "killed by a child": (
        "import os, subprocess, sys, time\ncode = f'import os; os.kill({os.getpid()}, 9)'\n"
        "subprocess.run([sys.executable, '-S', '-c', code])\ntime.sleep(60)"
    ),
}
WHERES = {
    "in its first cell": lambda how: [how],
    "in its last cell": lambda how: ["run.note('so far')", f"run.finish()\n{how}"],
    "after its finish": lambda how: ["run.finish()", how],
    "between two cells": lambda how: [_later(how, 0.0), "import time\ntime.sleep(60)"],
    "in a thread": lambda how: [_later(how, 0.2) + "\nimport time\ntime.sleep(60)"],
}
CASES = [(how, where) for where in WHERES for how in HOWS]
# In a thread an exception ends nothing but the thread, and no signal can be set.
ONLY = {"asked to leave", "out of memory", "out of files", "terminated"}
CASES = [(how, where) for how, where in CASES if how not in ONLY or where in list(WHERES)[:3]]


def _later(how, seconds):
    return f"import threading\nthreading.Timer({seconds}, lambda: exec({how!r}, {{}})).start()"


@pytest.mark.parametrize(("how", "where"), CASES[:: count(11, 1)])
def test_a_kernel_that_is_gone_makes_no_success(tmp_path, how, where):
    sources = WHERES[where](HOWS[how])
    result, folder = bench.run(tmp_path, description(), *sources)
    assert (result["state"], result["exit_code"], result["verdict"]) == ("failed", 5, "UNKNOWN"), result["reason"]
    assert "act-" in result["reason"] or "finish" in result["reason"]
    cells = json.loads((folder / "notebook.ipynb").read_text())["cells"]
    ended = {line["cell"]: line["status"] for line in bench.events(folder) if line["event"] == "cell-finished"}
    assert "error" in ended.values()
    assert not [c["id"] for c in cells if c["metadata"].get("papermill", {}).get("status") == "completed"
                and ended.get(c["id"]) == "error" and how != "asked to leave"]  # fmt: skip
    assert verify(tmp_path / "archive").ok


def test_a_step_whose_kernel_dies_comes_to_its_stated_end(tmp_path, lab):
    die = (
        "import os\ndef die(said): os.kill(os.getpid(), 9)\n"
        "run._line.ask('step', progress=die, cell='act-1', action='take-backup', parameters={'label': 'orphan'})"
    )
    result, folder = bench.run(tmp_path, lab.settings, die)
    assert (result["state"], result["exit_code"]) == ("failed", 5)
    assert "the kernel ended in cell act-1 (by SIGKILL)" in result["reason"]
    seen = [line["event"] for line in bench.events(folder) if "step" in line]
    assert seen == ["planned", "intent", "applied", "verified"]


def test_a_step_that_waited_for_its_turn_is_not_begun_when_its_kernel_has_died(tmp_path, lab):
    # Pipelined on one line, and on lines of their own: only the first was begun.
    die = """
import json, os, socket
def line(label):
    said = {"verb": "step", "action": "take-backup", "parameters": {"label": label}}
    return json.dumps(said).encode() + b"\\n"
lines = [socket.socket(socket.AF_UNIX) for _ in range(3)]
for one in lines:
    one.connect(os.environ["OPS_RUN_SOCKET"])
lines[0].sendall(line("first") + line("piped"))
lines[0].recv(1)
for one in lines[1:]:
    one.sendall(line("other"))
os.kill(os.getpid(), 9)
"""
    result, folder = bench.run(tmp_path, lab.settings, die)
    assert result["state"] == "failed"
    planned = [line["plan"]["parameters"]["label"] for line in bench.events(folder) if line["event"] == "planned"]
    assert planned == ["first"]


def test_a_run_that_takes_longer_than_its_limit_ends_and_says_so(tmp_path):
    limited = description(OPS_RUN_MINUTES="0.03")
    result, _ = bench.run(
        tmp_path, limited, "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    )
    assert result["state"] in ("interrupted", "failed")
    assert result["exit_code"] == 5
    assert "limit of 1.8 s" in result["reason"]
