"""A run that is forked from the process that stands by is the one that would have been started, and ends as it does."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from opslib import warm_asking
from opslib.archive.verify import verify
from tests.headless.test_sweep import DESCRIPTION, ROOT, put
from tests.scale import nightly
from tests.waiting import living, until

OPS = [sys.executable, "-P", "-c", "from opslib.cli_start import main; main()"]
ABOVE = """import os
from pathlib import Path
above, pid = [], os.getpid()
while pid > 1:
    above.append(pid)
    pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
run.note(" ".join(map(str, above)))"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The environment of who types: a folder for the socket, a description that leads nowhere, an archive."""
    folder = tmp_path_factory.mktemp("w")
    (folder / "lab").mkdir()
    (folder / "lab" / "target.env").write_text("".join(f"{name}={value}\n" for name, value in DESCRIPTION.items()))
    own = {"OPS_LAB": "lab", "OPS_NOTEBOOKS": "notebooks", "OPS_ARCHIVE": "archive", "XDG_RUNTIME_DIR": "."}
    return dict(os.environ) | {name: str(folder / path) for name, path in own.items()} | {"HIDDEN_FROM_IT": "hunter2-h"}


@pytest.fixture(scope="module")
def standing(place):
    """The process that stands by."""
    with subprocess.Popen([*OPS, "warm"], env=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: door(place) or process.poll() is not None, seconds=180)
        assert process.poll() is None
        yield process
        process.terminate()
        ended(process)


def door(place):
    folder = Path(place["XDG_RUNTIME_DIR"]) / f"opslib-warm-{os.getuid()}"
    return next((path for path in folder.glob("[0-9a-f]" * 8) if path.is_socket()), None)


def folder_of(place):
    return Path(place["OPS_ARCHIVE"]).parent


def ended(asker):
    """Return its exit code; one that does not end fails its test, and is gone by then."""
    try:
        return asker.wait(60)
    finally:
        asker.kill()


def runs_of(standing):
    found = []
    for one in psutil.Process(standing.pid).children():
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            found += [one] if "opslib.cli_standing" in one.cmdline() else []
    return found


def run(name, place, *more, **said):
    words = [*OPS, "run", f"diagnostics/{name}", "--json", *more]
    return subprocess.run(words, env=place, cwd=ROOT, capture_output=True, text=True, check=False, **said)


def above(done):
    lines = (Path(json.loads(done.stdout)["report"]).parent / "journal.jsonl").read_text().splitlines()
    (note,) = (line["text"] for line in map(json.loads, lines) if line["event"] == "note")
    return list(map(int, note.split()))


def asked(done):
    said = json.loads((Path(json.loads(done.stdout)["report"]).parent / "run.json").read_text())
    return {name: value for name, value in said.items() if name not in ("run", "work", "started_at")}


def test_a_run_is_forked_and_is_recorded_as_one_that_was_started(place, standing):
    put(folder_of(place), "above", ABOVE, "import sys\nprint(sys.argv, os.getcwd(), flush=True)")
    forked, started = run("above", place), run("above", place | {"XDG_RUNTIME_DIR": "/nowhere"})
    assert forked.returncode == started.returncode == 3, forked.stderr
    # The notebook's process, its guardian, the process that it is forked from, and who stands by.
    assert above(forked).index(standing.pid) == 3
    assert standing.pid not in above(started)
    assert asked(forked) == asked(started)
    assert verify(Path(place["OPS_ARCHIVE"])).ok
    assert set(json.loads(forked.stdout)) == set(json.loads(started.stdout))


def test_wrong_usage_is_told_as_without_it(place, standing):
    done = run("none-such", place)
    assert done.returncode == 64
    assert json.loads(done.stdout)["exit_code"] == 64
    assert "none-such" in done.stderr


def test_what_an_import_would_have_read_otherwise_is_started(place, standing):
    put(folder_of(place), "above", ABOVE)
    assert standing.pid not in above(run("above", place | {"PYTHONHASHSEED": "1"}))


def test_a_notebook_gets_no_run_from_it(place, standing):
    words = [*OPS, "run", "diagnostics/above", "--json"]
    inner = f"import subprocess\nsubprocess.run({words!r}, env=asking, check=False)"
    put(folder_of(place), "above", ABOVE)
    put(folder_of(place), "asking", f"asking = {dict(place)!r}", inner)
    before = set(Path(place["OPS_ARCHIVE"], "runs").glob("*-above-*"))
    run("asking", place)
    (inside,) = set(Path(place["OPS_ARCHIVE"], "runs").glob("*-above-*")) - before
    lines = map(json.loads, (inside / "journal.jsonl").read_text().splitlines())
    (note,) = (line["text"] for line in lines if line["event"] == "note")
    # It is below the notebook that asked, as it would be without who stands by.
    assert list(map(int, note.split())).index(standing.pid) > 3


def test_it_knows_nothing_of_what_was_in_the_environment_that_it_was_started_in(place, standing):
    for process in (psutil.Process(standing.pid), *psutil.Process(standing.pid).children()):
        try:
            said = Path(f"/proc/{process.pid}/environ").read_bytes()
        except PermissionError:
            continue  # it hides itself from its own user, too; its zygote does not
        assert b"hunter2" not in said
        assert b"OPS_" not in said.replace(b"OPS_KERNEL=", b"")


@pytest.mark.parametrize(("number", "gone"), [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGKILL, True)])
def test_a_run_whose_asker_is_stopped_or_killed_is_stopped_and_sealed(place, standing, number, gone):
    there = folder_of(place) / f"there-{number}"
    put(folder_of(place), "long", f"open({str(there)!r}, 'w').close()", "import time\ntime.sleep(600)")
    with subprocess.Popen([*OPS, "run", "diagnostics/long"], env=place, cwd=ROOT, stdout=subprocess.DEVNULL) as asker:
        until(there.exists)
        asker.send_signal(number)
        code = ended(asker)
    assert code == (-number if gone else 5)
    newest = max(Path(place["OPS_ARCHIVE"], "runs").glob("*-long-*"), key=lambda path: path.stat().st_ctime)
    until(lambda: (newest / "MANIFEST.sha256").exists())
    assert json.loads((newest / "result.json").read_text())["state"] == "interrupted"
    until(lambda: not runs_of(standing))


@pytest.mark.parametrize("where", [".", "/nowhere"])
def test_a_run_in_the_background_of_a_script_is_not_stopped_by_ctrl_c_there(place, standing, where):
    there = folder_of(place) / f"behind-{len(where)}"
    put(folder_of(place), "behind", f"open({str(there)!r}, 'w').close()", "import time\ntime.sleep(600)")
    words = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *OPS, "run", "diagnostics/behind"]
    own = place | ({} if where == "." else {"XDG_RUNTIME_DIR": where})
    with subprocess.Popen(words, env=own, cwd=ROOT, stdout=subprocess.DEVNULL) as asker:
        until(there.exists)
        asker.send_signal(signal.SIGINT)
        asker.send_signal(signal.SIGTERM)
        assert ended(asker) == 5
    newest = max(Path(place["OPS_ARCHIVE"], "runs").glob("*-behind-*"), key=lambda path: path.stat().st_ctime)
    assert "SIGTERM" in (newest / "journal.jsonl").read_text()


def test_who_only_knocks_holds_nobody_up(place, standing):
    put(folder_of(place), "above", ABOVE)
    with ExitStack() as stack:
        many = [stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) for _ in range(70)]
        for knocking in many:
            knocking.connect(str(door(place)))
        assert standing.pid in above(run("above", place))
        many[-1].send(warm_asking.ASK)
        assert [many[0].recv(1), many[-1].recv(1)] == [b"", b""]


def test_one_that_is_killed_takes_its_runs_with_it_and_they_are_sealed(place):
    there = folder_of(place) / "last"
    put(folder_of(place), "long", f"open({str(there)!r}, 'w').close()", "import time\ntime.sleep(600)")
    own = place | {"XDG_RUNTIME_DIR": str(folder_of(place) / "other")}
    Path(own["XDG_RUNTIME_DIR"]).mkdir()
    with subprocess.Popen([*OPS, "warm"], env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: door(own), seconds=180)
        with subprocess.Popen([*OPS, "run", "diagnostics/long"], env=own, cwd=ROOT, stderr=subprocess.PIPE) as asker:
            until(there.exists)
            below = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            assert ended(asker) == warm_asking.LOST
            assert b"ops archive list" in asker.stderr.read()
    until(lambda: not any(map(living, below)))
    newest = max(Path(place["OPS_ARCHIVE"], "runs").glob("*-long-*"), key=lambda path: path.stat().st_ctime)
    assert json.loads((newest / "result.json").read_text())["state"] == "interrupted"


@nightly
def test_changed_code_is_imported_anew_before_another_run(place, standing):
    put(folder_of(place), "above", ABOVE)
    os.utime(ROOT / "uv.lock")
    assert standing.pid not in above(run("above", place))
    until(lambda: door(place), seconds=180)
    assert standing.pid in above(run("above", place))
