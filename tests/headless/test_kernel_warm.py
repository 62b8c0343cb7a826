"""A forked kernel is like a started one, knows nothing of the others, and ends with its runner as they do."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import papermill  # noqa: F401 - loads the engine by its entry point, as ops run does
import pytest

from opslib.headless import engine, kernel_warm, shell_engine
from opslib.headless.kernel_warm import Zygote, keep_warm
from tests.headless.paper import execute, recorded
from tests.waiting import living, until

ROOT = Path(__file__).resolve().parents[2]

LOOK = """
import gc, json, os, resource, signal, sys, threading
from pathlib import Path
ends = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGPIPE)
mine = ("JPY_PARENT_PID", "OPS_KERNEL", "JPY_SESSION_NAME")
print(json.dumps({
    "arguments": sys.argv[:1], "path": sys.path, "folder": os.getcwd(), "main": sys.modules["__main__"].__name__,
    "signals": [str(signal.getsignal(number)) for number in ends],
    "environment": {name: value for name, value in os.environ.items() if name not in mine},
    "handles": [os.readlink(f"/proc/self/fd/{number}").partition("[")[0] for number in (0, 1, 2)],
    "pipes": sum(os.readlink(one).startswith("pipe:") for one in Path("/proc/self/fd").iterdir() if one.is_symlink()),
    "leader": os.getsid(0) == os.getpid(), "parent": os.getppid() == int(os.environ["JPY_PARENT_PID"]),
    "core": resource.getrlimit(resource.RLIMIT_CORE), "user": [os.getuid(), os.getgid()],
    "threads": sorted(thread.name.rpartition("-")[0] for thread in threading.enumerate()),
    "itself": os.access("/proc/self/environ", os.R_OK), "safe": sys.flags.safe_path, "frozen": gc.get_freeze_count(),
}))
"""


def all_zygotes():
    return {pid for pid, line in children() if "kernel_zygote" in line and living(pid)}


@pytest.fixture
def zygotes():
    """A function that returns the living zygotes of this process, without those that were there before."""
    before = all_zygotes()
    return lambda: sorted(all_zygotes() - before)


def shown(folder):
    cells = recorded(folder)
    return ["".join(output.get("text", "")) for cell in cells for output in cell["outputs"]]


def made(folder, name, *sources):
    (folder / name).mkdir()
    execute(folder / name, *sources, way=engine)
    return shown(folder / name)


@pytest.fixture
def warm(zygote):
    """The zygote that all tests of this process share, running; tests that end theirs have one of their own."""
    assert zygote.start()
    with keep_warm(zygote):
        yield zygote


def test_a_forked_kernel_differs_in_nothing_that_a_notebook_sees(tmp_path, zygote):
    assert kernel_warm.kept() is None
    (started,) = made(tmp_path, "started", LOOK)
    with keep_warm(zygote):
        (forked,) = made(tmp_path, "forked", LOOK)
        assert all_zygotes()
    assert json.loads(forked) == json.loads(started)
    assert json.loads(forked)["parent"] is True


def test_it_is_forked_and_draws_other_random_numbers_than_its_sister(tmp_path, warm):
    source = (
        "import os, random, sys, uuid\n"
        "print(os.getpid(), random.random(), uuid.uuid4(), 'opslib.checks.llm' in sys.modules)"
    )
    one, other = (made(tmp_path, name, source)[0].split() for name in ("one", "other"))
    assert all(left != right for left, right in zip(one[:3], other[:3], strict=True))
    # Loaded, although the notebook imported nothing.
    assert (one[3], other[3]) == ("True", "True")


def test_what_is_kept_warm_inside_is_forked_from_the_zygote_around_it_and_leaves_it_running(warm, zygotes):
    with keep_warm():
        assert kernel_warm.kept() is warm
    assert kernel_warm.kept() is warm
    with keep_warm(Zygote()):
        assert kernel_warm.kept() is not warm
    assert zygotes() == []
    assert all_zygotes()


def test_what_one_kernel_was_given_is_nowhere_in_the_memory_of_the_next(tmp_path, warm, zygotes, monkeypatch):
    look = """
import re
from pathlib import Path
found = 0
with open("/proc/self/mem", "rb", 0) as memory:
    for line in Path("/proc/self/maps").read_text().splitlines():
        where, rights = line.split()[:2]
        if rights.startswith("rw") and "[v" not in line:
            begin, end = (int(part, 16) for part in where.split("-"))
            memory.seek(begin)
            found += len(re.findall(rb"only-for-the-firs[t]-kernel", memory.read(end - begin)))
print(found > 0)
"""
    home = os.environ["HOME"]
    monkeypatch.setenv("HOME", "only-for-the-first-kernel")
    assert made(tmp_path, "first", look) == ["True\n"]
    monkeypatch.setenv("HOME", home)
    assert made(tmp_path, "second", look) == ["False\n"]
    assert zygotes() == []


def test_a_zygote_that_was_killed_is_replaced(tmp_path, zygotes):
    with keep_warm():
        made(tmp_path, "before", "1")
        (zygote,) = zygotes()
        os.kill(zygote, signal.SIGKILL)
        until(lambda: not living(zygote))
        assert made(tmp_path, "meanwhile", "print(1)") == ["1\n"]
        assert made(tmp_path, "after", "print(2)") == ["2\n"]
        assert len(zygotes()) == 1


def test_a_kernel_with_another_python_path_is_started(zygotes):
    zygote = Zygote()
    try:
        assert zygote.ask(":", ["-f", "none"], {"PYTHONPATH": "/elsewhere"}, "/", 0) is None
        assert zygotes() == []
    finally:
        zygote.close()


def test_one_for_notebooks_that_only_look_has_imported_no_kernel_and_forks_none(tmp_path, zygotes):
    zygote = Zygote(looks=True)
    look = "import sys\nprint([name for name in ('ipykernel', 'debugpy', 'opslib.actions') if name in sys.modules])"
    try:
        assert zygote.ask(":", ["-f", "none"], {}, "/", 0) is None
        assert zygotes() == []
        with keep_warm(zygote):
            zygote.begin()
            (tmp_path / "cells").mkdir()
            execute(tmp_path / "cells", look, way=shell_engine)
            assert len(zygotes()) == 1
        assert shown(tmp_path / "cells") == ["[]\n"]
    finally:
        zygote.close()


SLEEP = "import os, time\nprint(os.getpid(), file=open({!r}, 'w'), flush=True)\ntime.sleep(600)"
RUNNER = """
import sys
from pathlib import Path
import papermill
from opslib.headless.kernel_warm import keep_warm
from opslib.headless import engine
from tests.headless.paper import execute
with keep_warm():
    execute(Path(sys.argv[1]), sys.argv[2], way=engine)
"""


def test_zygote_and_kernel_die_with_a_killed_runner(tmp_path):
    source = SLEEP.format(f"{tmp_path}/pid")
    command = [sys.executable, "-c", RUNNER, str(tmp_path), source]
    runner = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    kernel = until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    ((zygote, _),) = children(runner.pid)
    # The guardian of this kernel, and one that stands by with its own.
    own = pair(zygote)
    below = [zygote, *own, *until(lambda: pair(zygote, own))]
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    until(lambda: not [pid for pid in (int(kernel), *below) if living(pid)])


@pytest.fixture
def alone():
    """A zygote of this test's own, and a function that waits for the pair that stands by, not for the given one."""
    zygote = Zygote()
    assert zygote.start()
    pid = zygote._process.pid
    yield zygote, lambda known=(): until(lambda: pair(pid, known))
    zygote.close()


def pair(zygote, known=()):
    """Return the numbers of a guardian below a zygote, not the known one, and of its kernel, where both are there."""
    for guardian, _ in children(zygote):
        for kernel, _ in children(guardian):
            if guardian not in known and living(guardian) and living(kernel):
                return guardian, kernel
    return None


def asked(zygote, leash):
    """Return the guardian of a kernel that is asked for."""
    environment = {name: os.environ[name] for name in kernel_warm.PLAIN if name in os.environ}
    return zygote.taken(zygote.ask(":", ["-f", "none-such"], environment, "/", leash))


def test_a_pair_stands_by_and_is_who_is_asked_and_another_does_then(alone, leash):
    zygote, standing = alone
    first = standing()
    assert asked(zygote, leash).pid == first[0]
    second = standing(first)
    assert asked(zygote, leash).pid == second[0]


@pytest.mark.parametrize("which", [0, 1])
def test_where_one_of_the_pair_is_gone_another_is_forked_for_the_request(alone, leash, which):
    zygote, standing = alone
    pids = standing()
    os.kill(pids[which], signal.SIGKILL)
    # Without the one the other ends too: neither is left to somebody.
    until(lambda: not any(map(living, pids)))
    guardian = asked(zygote, leash)
    assert guardian is not None
    assert guardian.pid not in pids


def test_who_stands_by_ends_with_its_zygote(alone):
    zygote, standing = alone
    pids = standing()
    zygote._process.kill()
    zygote._process.wait()
    until(lambda: not any(map(living, pids)))


def test_who_stands_by_has_nothing_of_who_was_asked_before(tmp_path, alone, monkeypatch):
    zygote, standing = alone
    monkeypatch.setenv("HOME", "only-for-the-first-kernel")
    first = standing()
    with keep_warm(zygote):
        assert made(tmp_path, "first", "import os\nprint(os.environ['HOME'], os.getppid())") == [
            f"only-for-the-first-kernel {first[0]}\n"
        ]
    for pid in standing(first):
        assert not holds(pid, b"only-for-the-first-kernel")
        # Its own ends of lines, what a signal wakes, and what a zygote has: no file of a run, no leash.
        assert {kind for kind in handles(pid) if kind not in ("/dev/null", "socket", "pipe")} == set()


def holds(pid, words):
    """Return whether the memory that a process may write holds these words."""
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            where, rights = line.split()[:2]
            if rights.startswith("rw") and "[v" not in line:
                begin, end = (int(part, 16) for part in where.split("-"))
                memory.seek(begin)
                if words in memory.read(end - begin):
                    return True
    return False


def handles(pid):
    """Return of what kind a process's handles are."""
    return [str(one.readlink()).partition(":")[0] for one in Path(f"/proc/{pid}/fd").iterdir()]


@pytest.fixture
def leash():
    """The end of a leash that is held until the test is over."""
    end, held = os.pipe()
    yield end
    os.close(held)
    os.close(end)


def children(parent=None):
    """Return number and command line of each child of a process, of this one by default."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_bytes().rpartition(b")")[2].split()[1]) == (parent or os.getpid()):
                found.append((int(path.parent.name), (path.parent / "cmdline").read_text()))
        except OSError:
            continue
    return found


def test_a_guardian_says_how_it_ended_and_may_be_waited_for(warm):
    leash, held = os.pipe()
    environment = {name: os.environ[name] for name in kernel_warm.PLAIN if name in os.environ}
    guardian = warm.taken(warm.ask(":", ["-f", "none-such"], environment, "/", leash))
    assert guardian is not None
    assert guardian.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        guardian.wait(0.01)
    os.close(held)
    os.close(leash)
    assert guardian.wait(30) == 128 + signal.SIGKILL
    guardian.send_signal(signal.SIGTERM)
    assert guardian.poll() == 128 + signal.SIGKILL
