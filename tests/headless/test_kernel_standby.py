"""The kernel that stands by is like one that is forked when a notebook is opened, and is never in the way of one."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from opslib.headless import provisioner
from opslib.headless.kernel_standby import Standby
from tests.headless.test_provisioner import LOOK, SECONDS, Kernel
from tests.waiting import living, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere kernels are started")


@pytest.fixture(scope="module", autouse=True)
def zygote():
    yield
    provisioner.ZYGOTE.close()


@pytest.fixture
def folder():
    # Not tmp_path: a socket's path has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ops-") as short:
        yield Path(short)


@pytest.fixture
def environment(folder):
    return {**os.environ, "IPYTHONDIR": str(folder / "ipython")}


@pytest.fixture
def standby(folder, environment):
    """The provisioner's own, with a kernel that is complete."""
    provisioner.STANDBY.keep(environment, folder)
    complete()
    yield provisioner.STANDBY
    provisioner.STANDBY.close()


def complete():
    return until(lambda: provisioner.STANDBY._standing and provisioner.STANDBY._standing.ready())


def process():
    """The kernel that stands by: its guardian's child."""
    (kernel,) = psutil.Process(provisioner.STANDBY._standing.process.pid).children()
    return kernel.pid


def sockets(folder):
    return [path for path in folder.iterdir() if path.is_socket()]


SEEN = """
import gc, ipykernel, json, os, resource, signal, sys, threading
ends = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGPIPE)
shell = get_ipython()
def all_handles():
    for number in os.listdir("/proc/self/fd"):
        if os.path.islink(f"/proc/self/fd/{number}"):
            where = os.readlink(f"/proc/self/fd/{number}").partition("[")[0]
            # IPython's history is written by a thread of its own, now or in a moment, and then its folder is flushed.
            if not where.endswith(("-journal", "profile_default")):
                yield where
print(json.dumps({
    "arguments": sys.argv, "path": sys.path, "folder": os.getcwd(), "main": sys.modules["__main__"].__name__,
    "connection": ipykernel.get_connection_file(), "parts": [type(one).__name__ for one in shell.configurables],
    "environment": {name: value for name, value in os.environ.items() if name != "JPY_PARENT_PID"},
    "names": sorted(name for name in globals()), "hidden": sorted(shell.user_ns_hidden), "session": __session__,
    "folders": [str(one) for one in _dh], "began in": shell.starting_dir, "count": shell.execution_count,
    "started by the user": started, "signals": [str(signal.getsignal(number)) for number in ends],
    "handles": [os.readlink(f"/proc/self/fd/{number}").partition("[")[0] for number in (0, 1, 2)],
    "all handles": sorted(all_handles()), "standard": sys.__stdout__.fileno(),
    "parent": os.getppid() == int(os.environ["JPY_PARENT_PID"]), "leader": os.getsid(0) == os.getpid(),
    "threads": sorted(thread.name.rpartition("-")[0] for thread in threading.enumerate()),
    "core": resource.getrlimit(resource.RLIMIT_CORE), "frozen": gc.get_freeze_count(),
}))
"""


def test_a_notebook_sees_no_difference_to_one_that_was_forked_for_it(folder, environment, standby):
    started = folder / "ipython" / "profile_default" / "startup"
    started.mkdir(parents=True, exist_ok=True)
    (started / "mine.py").write_text("import os\nstarted = [os.getcwd(), os.environ['JPY_SESSION_NAME']]")
    place = folder / "notebooks"
    place.mkdir()
    said = {"env": {**environment, "JPY_SESSION_NAME": "notebooks/one.ipynb"}, "cwd": str(place)}
    stood = process()

    async def seen():
        kernel = Kernel(folder)
        await kernel.start(**said)
        found = json.loads(await kernel.printed(SEEN)), json.loads(await kernel.printed(LOOK))[0]
        await kernel.end()
        return found

    taken, pid = asyncio.run(seen())
    standby.close()
    forked, other = asyncio.run(seen())
    assert (pid == stood, other == stood) == (True, False)
    assert taken == forked
    assert taken["started by the user"] == [str(place), "notebooks/one.ipynb"]
    assert sockets(folder) == []


def test_it_is_interrupted_restarted_and_ended_as_others(folder, environment, standby):
    stood = process()

    async def all_of_it():
        kernel = Kernel(folder)
        await kernel.start(env=environment)
        pid, warm, _ = json.loads(await kernel.printed(LOOK))
        assert (pid, warm) == (stood, True)
        shown = asyncio.Event()
        long = asyncio.create_task(kernel.said("import time\nmine = 1\nprint('now')\ntime.sleep(600)", shown))
        await asyncio.wait_for(shown.wait(), SECONDS)
        await kernel.manager.interrupt_kernel()
        assert (await long)[-1][1]["ename"] == "KeyboardInterrupt"
        addresses = kernel.manager.get_connection_info()
        await kernel.manager.restart_kernel(now=True)
        await kernel.client.wait_for_ready(timeout=SECONDS)
        # Whoever is connected stays so: what stands by has other addresses.
        assert kernel.manager.get_connection_info() == addresses
        again, warm, mine = json.loads(await kernel.printed(LOOK))
        assert (again != pid, warm, mine) == (True, True, False)
        assert not living(pid)
        await kernel.end()
        assert not living(again)

    asyncio.run(all_of_it())


def test_widgets_and_the_debugger_work_in_it(folder, environment, standby):
    stood = process()

    async def all_of_it():
        kernel = Kernel(folder)
        await kernel.start(env=environment)
        assert json.loads(await kernel.printed(LOOK))[0] == stood
        found = await kernel.said("import ipywidgets\nbutton = ipywidgets.Button(description='Approve')\nbutton")
        opened = [content["data"]["state"] for kind, content in found if kind == "comm_open"]
        assert "Approve" in [state.get("description") for state in opened]
        said = await kernel.debug("initialize", clientID="test", adapterID="", pathFormat="path", linesStartAt1=True)
        assert said["success"] is True
        assert (await kernel.debug("debugInfo"))["body"]["isStarted"] is True
        await kernel.end()

    asyncio.run(all_of_it())


def test_one_of_another_environment_is_not_taken_and_the_next_stands_by_for_that(folder, environment, standby):
    stood = process()
    other = {**environment, "MINE": "1"}

    async def taken():
        kernel = Kernel(folder)
        await kernel.start(env=other)
        pid = json.loads(await kernel.printed(LOOK))[0]
        assert await kernel.printed("import os\nprint(os.environ['MINE'])") == "1\n"
        await kernel.end()
        return pid

    assert asyncio.run(taken()) != stood
    assert not living(stood)
    complete()
    stood = process()
    assert asyncio.run(taken()) == stood


def test_two_notebooks_at_once_get_two_kernels(folder, environment, standby):
    stood = process()

    async def both():
        one, other = Kernel(folder), Kernel(folder / "other")
        (folder / "other").mkdir()
        await asyncio.gather(one.start(env=environment), other.start(env=environment))
        pids = [json.loads(await kernel.printed(LOOK))[0] for kernel in (one, other)]
        await asyncio.gather(one.end(), other.end())
        return pids

    pids = asyncio.run(both())
    assert stood in pids
    assert pids[0] != pids[1]


@pytest.mark.parametrize("how", ["stopped", "killed", "configured"])
def test_where_it_cannot_be_taken_one_is_forked(folder, environment, standby, how):
    stood = process()
    if how == "configured":
        # IPython reads it when a kernel is made, and it may ask for anything.
        (folder / "ipython" / "profile_default" / "ipython_config.py").write_text("c = get_config()\n")
    else:
        os.kill(stood, signal.SIGSTOP if how == "stopped" else signal.SIGKILL)

    async def all_of_it():
        kernel = Kernel(folder)
        await kernel.start(env=environment)
        pid, warm, _ = json.loads(await kernel.printed(LOOK))
        assert (pid != stood, warm) == (True, True)
        await kernel.end()

    asyncio.run(all_of_it())
    assert not living(stood)
    standby.close()
    assert sockets(folder) == []


def test_where_ipython_is_configured_none_stands_by(folder, environment):
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.json").write_text("{}")
    standby = Standby(provisioner.ZYGOTE)
    try:
        standby.keep(environment, folder)
        until(lambda: standby._standing.process.poll() is not None)
        assert standby.reserve() is None
        # And no other is made for nothing.
        standby.keep(environment, folder)
        assert standby.reserve() is None
        assert sockets(folder) == []
    finally:
        standby.close()


def test_a_folder_whose_sockets_would_have_too_long_a_path_has_none(folder, environment):
    long = folder / ("x" * 60)
    long.mkdir()
    standby = Standby(provisioner.ZYGOTE)
    standby.keep(environment, long)
    assert standby.reserve() is None
    assert list(long.iterdir()) == []
    standby.close()


SERVER = """
import os, sys, time
from pathlib import Path
from opslib.headless import provisioner
from tests.headless.test_kernel_standby import complete, process
provisioner.STANDBY.keep(os.environ, Path(sys.argv[1]))
complete()
print(process(), provisioner.STANDBY._standing.process.pid, flush=True)
time.sleep(600)
"""


def test_it_ends_with_its_server_however_that_ends(folder):
    command = [sys.executable, "-c", SERVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        pids = [int(word) for word in server.stdout.readline().split()]
        assert [living(pid) for pid in pids] == [True, True]
        server.send_signal(signal.SIGKILL)
    until(lambda: not any(living(pid) for pid in pids))
