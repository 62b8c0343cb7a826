"""Notebooks as another user of the operating system: what they cannot reach then. Needs root, as CI has it."""

import json
import os
import pwd
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from dotenv import dotenv_values

from opslib.archive.verify import verify
from opslib.errors import SettingsError, StepFailed
from opslib.headless import jupyter, kernel_user
from opslib.runs.attaching import DESK
from opslib.runs.channel import Client
from tests.descriptions import description
from tests.headless import bench
from tests.scale import NIGHTLY, nightly

USER = "nobody"
BUILD = "tests/actions/test_frontend_build.py::test_a_build_runs_as_the_other_user_and_sees_nothing_of_the_executor"
"""What else needs that user, where any user may run this Python run by its own file."""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def other():
    """The account, where notebooks can run as it."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a notebook as another user")
    try:
        return kernel_user.account(USER)
    except SettingsError as error:
        pytest.skip(f"not possible on this machine: {error}")


def closed_folder():
    """Return the folder, and the one in it, that keep other users from this Python; None when they may run it."""
    here = Path(sys.executable).resolve()
    for folder in list(here.parents)[::-1]:
        if not folder.stat().st_mode & 0o001:
            return folder, folder / here.relative_to(folder).parts[0]
    return None


IN_A_NAMESPACE = """
set -e
mount --make-rprivate /
mkdir "$3/kept"
mount --bind "$2" "$3/kept"
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$2"
mount --bind "$3/kept" "$2"
shift 3
exec "$@"
"""
"""A folder that is closed to others is covered by an open one, with the one folder of it that Python lies in."""


@pytest.mark.skipif(closed_folder() is None, reason="any user may run this Python: the tests below do it all")
def test_where_python_lies_in_a_closed_folder_these_tests_pass_with_that_folder_opened(tmp_path, lab):
    if os.geteuid() != 0:
        pytest.skip("only root can start a notebook as another user")
    closed, kept = closed_folder()
    script = ["sh", "-c", IN_A_NAMESPACE, "sh", str(closed), str(kept), str(tmp_path)]
    tests = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", __file__, BUILD]
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives nobody mounts of their own")
    shared = os.environ | {"OPSLIB_TESTS_LAB": str(lab.folder)}
    done = subprocess.run(
        ["unshare", "-m", *script, *tests], cwd=ROOT, env=shared, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert re.search(rf"\d+ passed, {1 if NIGHTLY else 2} skipped", done.stdout), done.stdout


@pytest.fixture
def place():
    """A folder that anybody may pass through: what lies in it is kept by its own mode, not by this one."""
    with tempfile.TemporaryDirectory(prefix="ops-place-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


TRIES = """
import ctypes, json, os, pathlib
private = pathlib.Path(os.environ["OPS_RUN_SOCKET"]).parent
def attach():
    if ctypes.CDLL(None, use_errno=True).ptrace(16, RUNNER, 0, 0):
        raise OSError(ctypes.get_errno(), "ptrace")
tries = {
    "the runner's environment": lambda: open(f"/proc/{RUNNER}/environ", "rb").read(),
    "the runner's memory": lambda: open(f"/proc/{RUNNER}/mem", "rb"),
    "the runner's files": lambda: os.listdir(f"/proc/{RUNNER}/fd"),
    "the guardian's environment": lambda: open(f"/proc/{os.getppid()}/environ", "rb").read(),
    "tracing the runner": attach,
    "stopping the runner": lambda: os.kill(RUNNER, 19),
    "killing the guardian": lambda: os.kill(os.getppid(), 9),
    "the archive": lambda: os.listdir(PLACE + "/archive"),
    "the journal": lambda: open(JOURNAL_OF(), "ab"),
    "the target's description": lambda: open(PLACE + "/.env.production").read(),
    "what lies in the private folder": lambda: os.listdir(private),
    "a file in the private folder": lambda: open(private / "planted", "w"),
    "another socket in its place": lambda: os.unlink(private / "run"),
    "root": lambda: os.setuid(0),
}
def JOURNAL_OF():
    return f"{PLACE}/archive/runs/{run.id}/journal.jsonl"
said = {}
for name, attempt in tries.items():
    try:
        said[name] = f"REACHED {attempt()!r}"
    except OSError as error:
        said[name] = type(error).__name__
run.note(json.dumps({"uid": os.getuid(), "groups": os.getgroups(), "home": os.environ["HOME"], "said": said}))
"""


def test_a_notebook_of_another_user_runs_and_reaches_nothing_of_the_executors(place, other):
    (place / ".env.production").write_text("DATABASE_URL=postgresql://owner:hunter2-hunter2@db/valuecanvas\n")
    (place / ".env.production").chmod(0o600)
    source = f"RUNNER, PLACE = {os.getpid()}, {str(place)!r}\n{TRIES}"
    result, folder = bench.run(place, description(OPS_KERNEL_USER=USER), source)
    assert result["state"] == "finished", result["reason"]
    (note,) = [json.loads(line["text"]) for line in bench.events(folder) if line["event"] == "note"]
    assert (note["uid"], note["groups"]) == (other.uid, [])
    assert {name: word for name, word in note["said"].items() if word != "PermissionError"} == {}
    assert len(note["said"]) == 14
    assert not Path(note["home"]).exists()
    assert verify(place / "archive").ok


def test_the_kernel_of_another_user_dies_with_what_it_started(place, other):
    pids = place / "pids"
    pids.touch()
    os.chown(pids, other.uid, other.gid)
    source = (
        "import os, signal, subprocess\nchild = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        f"open({str(pids)!r}, 'w').write(f'{{child.pid}} {{os.getpid()}}')\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    result, _ = bench.run(place, description(OPS_KERNEL_USER=USER), source)
    assert "the kernel ended in cell act-1 (by SIGKILL)" in result["reason"]
    assert [pid for pid in pids.read_text().split() if Path(f"/proc/{pid}").exists()] == []


def test_a_readable_archive_or_description_starts_nothing(place, other):
    (place / ".env.production").touch(mode=0o644)
    with pytest.raises(SettingsError, match=r"can read .*\.env\.production"):
        kernel_user.account(USER, place / ".env.production", place / "none-such")
    (place / ".env.production").chmod(0o600)
    assert kernel_user.account(USER, place / ".env.production") == other


def test_a_process_without_the_right_to_switch_is_refused_before_anything_starts(place, other):
    code = f"from opslib.headless import kernel_user\nkernel_user.account({pwd.getpwuid(1).pw_name!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        user=other.uid,
        group=other.gid,
        extra_groups=[],
        cwd="/",
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "may not start notebooks as" in done.stderr
    assert "CAP_SETUID" in done.stderr


@pytest.mark.parametrize("name", ["none-such-user", pwd.getpwuid(os.getuid()).pw_name, "root"])
def test_a_user_that_would_keep_nothing_apart_is_refused(tmp_path, name):
    with pytest.raises(SettingsError, match=r"no user|kept apart"):
        bench.run(tmp_path, description(OPS_KERNEL_USER=name), "1")
    assert not (tmp_path / "archive" / "runs").exists()


def test_a_process_of_the_same_user_cannot_look_into_one_that_hides(other):
    hidden = (
        "import sys, time\nfrom opslib.headless.kernel_leash import hide\n"
        "if len(sys.argv) > 1: hide()\nprint('there', flush=True)\ntime.sleep(60)"
    )
    as_other = {"user": other.uid, "group": other.gid, "extra_groups": [], "cwd": "/", "text": True}
    seen = []
    for arguments in ([], ["hide"]):
        command = [sys.executable, "-c", hidden, *arguments]
        environment = {"PYTHONPATH": str(ROOT), "CANARY": "in-the-environment"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, **as_other) as process:
            assert process.stdout.readline() == "there\n"
            look = ["cat", f"/proc/{process.pid}/environ"]
            seen.append(subprocess.run(look, capture_output=True, check=False, **as_other).stdout)
            process.kill()
    assert "in-the-environment" in seen[0]
    assert seen[1] == ""


AT_THE_DESK = """
import json, os
from pathlib import Path
from opslib.runs.attaching import DESK, attach
from opslib.runs.channel import Client
path, variables = attach("staging")
known = Client(path).ask("hello", environment="staging")["by_hand"]
said = {}
for place in json.loads(os.environ["PLACES"]):
    try:
        said[place] = str(os.listdir(place) if os.path.isdir(place) else len(open(place, "rb").read()))
    except OSError as error:
        said[place] = type(error).__name__
print(json.dumps({"uid": os.getuid(), "known": known, "said": said, "writes": "DATABASE_URL" in variables}))
"""


@nightly
def test_jupyterlab_and_its_notebooks_are_the_other_user_and_a_desk_hears_nobody_else(place, other, lab, monkeypatch):
    described = dotenv_values(lab.folder / "target.env")
    described |= {"OPS_KERNEL_USER": USER, "OPS_ENVIRONMENT": "staging", "OPS_ARCHIVE": f"{place}/archive"}
    for name, value in described.items():
        monkeypatch.setenv(name, value or "")
    (place / "archive").mkdir(mode=0o700)
    with jupyter.serving("staging", port=18900) as running:
        process = psutil.Process(running.process.pid)
        assert process.uids().real == other.uid
        own = process.environ()
        assert {name for name in own if name in described} == set()
        private = Path(own[DESK]).parent
        places = [f"/proc/{os.getpid()}/environ", f"{place}/archive", str(private)]
        asking = {DESK: own[DESK], "PYTHONPATH": str(ROOT), "PLACES": json.dumps(places)}
        asking["JPY_SESSION_NAME"] = str(running.home / "notebooks" / "start-here.ipynb")
        command = [sys.executable, "-P", "-c", AT_THE_DESK]
        as_other = {"user": other.uid, "group": other.gid, "extra_groups": [], "cwd": "/"}
        done = subprocess.run(command, env=asking, capture_output=True, text=True, check=False, **as_other)
        said = json.loads(done.stdout or done.stderr)
        assert (said["uid"], said["known"], said["writes"]) == (other.uid, True, False)
        assert said["said"] == dict.fromkeys(places, "PermissionError")
        stranger = Client(own[DESK])  # root, and not the user that the desk is for
        with pytest.raises((StepFailed, OSError)):
            stranger.ask("begin", environment="staging", notebook="start-here")
    assert not private.exists()
    assert verify(place / "archive").ok
