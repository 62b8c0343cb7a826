"""JupyterLab's kernels from a process with everything imported: interrupted, restarted, debugged, ended as others."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest
from jupyter_client.manager import AsyncKernelManager
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from opslib.headless import jupyter, provisioner
from opslib.headless.kernel_warm import Forked
from tests.waiting import living, until

SECONDS = 120
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere kernels are started")


@pytest.fixture(scope="module", autouse=True)
def zygote():
    yield provisioner.ZYGOTE
    provisioner.ZYGOTE.close()


class Kernel:
    """A kernel as JupyterLab's server has it, and what a page would ask of it."""

    def __init__(self, folder):
        self.manager = AsyncKernelManager(transport="ipc", connection_file=str(folder / "kernel.json"))
        self.manager.kernel_spec.metadata["kernel_provisioner"] = {"provisioner_name": "opslib"}

    async def start(self, **more):
        await self.manager.start_kernel(**more)
        self.client = self.manager.client()
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=SECONDS)

    async def said(self, code, shown=None):
        """Execute ``code`` and return its messages, the reply's content last; ``shown`` is set by the first of them."""
        found = []

        def take(said):
            found.append((said["msg_type"], said["content"]))
            if shown and said["msg_type"] == "stream":
                shown.set()

        reply = await self.client.execute_interactive(code, timeout=SECONDS, output_hook=take)
        return [*found, ("reply", reply["content"])]

    async def printed(self, code):
        return "".join(content["text"] for kind, content in await self.said(code) if kind == "stream")

    async def debug(self, command, **arguments):
        asked = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
        message = self.client.session.msg("debug_request", asked)
        self.client.control_channel.send(message)
        while True:
            reply = await self.client.control_channel.get_msg(timeout=SECONDS)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return reply["content"]

    async def end(self):
        self.client.stop_channels()
        await self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(tmp_path):
    return Kernel(tmp_path)


LOOK = "import json, os, sys\nprint(json.dumps([os.getpid(), 'opslib.checks.llm' in sys.modules, 'mine' in globals()]))"


def test_a_forked_kernel_is_interrupted_restarted_and_ended(kernel):
    async def all_of_it():
        await kernel.start()
        assert isinstance(kernel.manager.provisioner.process, Forked)
        pid, warm, mine = json.loads(await kernel.printed(LOOK))
        assert (warm, mine) == (True, False)
        shown = asyncio.Event()
        long = asyncio.create_task(kernel.said("import time\nmine = 1\nprint('now')\ntime.sleep(600)", shown))
        await asyncio.wait_for(shown.wait(), SECONDS)
        await kernel.manager.interrupt_kernel()
        found = await long
        assert found[-1][1]["ename"] == "KeyboardInterrupt"
        assert json.loads(await kernel.printed(LOOK)) == [pid, True, True]

        await kernel.manager.restart_kernel(now=True)
        await kernel.client.wait_for_ready(timeout=SECONDS)
        again, warm, mine = json.loads(await kernel.printed(LOOK))
        assert (again != pid, warm, mine) == (True, True, False)
        assert not living(pid)
        await kernel.end()
        assert not living(again)

    asyncio.run(all_of_it())


def test_widgets_and_the_debugger_work_in_it(kernel):
    async def all_of_it():
        await kernel.start()
        found = await kernel.said("import ipywidgets\nbutton = ipywidgets.Button(description='Approve')\nbutton")
        opened = [content["data"]["state"] for kind, content in found if kind == "comm_open"]
        assert "Approve" in [state.get("description") for state in opened]
        assert (await kernel.debug("debugInfo"))["body"]["isStarted"] is False
        said = await kernel.debug("initialize", clientID="test", adapterID="", pathFormat="path", linesStartAt1=True)
        assert said["success"] is True
        assert (await kernel.debug("debugInfo"))["body"]["isStarted"] is True
        await kernel.end()

    asyncio.run(all_of_it())


def test_one_that_cannot_be_forked_is_started(kernel, tmp_path):
    async def all_of_it():
        await kernel.start(env={**os.environ, "PYTHONPATH": str(tmp_path)})
        assert isinstance(kernel.manager.provisioner.process, subprocess.Popen)
        pid, warm, _ = json.loads(await kernel.printed(LOOK))
        assert warm is False
        await kernel.end()
        assert not living(pid)

    asyncio.run(all_of_it())


SERVER = """
import asyncio, json, sys
from pathlib import Path
from tests.headless.test_provisioner import LOOK, Kernel

async def serve():
    kernel = Kernel(Path(sys.argv[1]))
    await kernel.start()
    print(json.loads(await kernel.printed(LOOK))[0], kernel.manager.provisioner.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(serve())
"""


def test_it_ends_with_its_server_however_that_ends(tmp_path):
    command = [sys.executable, "-c", SERVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        pids = [int(word) for word in server.stdout.readline().split()]
        assert [living(pid) for pid in pids] == [True, True]
        server.send_signal(signal.SIGKILL)
    until(lambda: not any(living(pid) for pid in pids))


async def answered(page):
    """Return how a cell ended that a page has executed, and its number."""
    socket = await websocket_connect(page)
    header = {"msg_id": "asked", "msg_type": "execute_request", "username": "", "session": "page", "version": "5.3"}
    content = {"code": "1", "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    asked = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    await socket.write_message(json.dumps(asked))
    while True:
        said = json.loads(await asyncio.wait_for(socket.read_message(), SECONDS))
        if said["msg_type"] == "execute_reply":
            socket.close()
            return said["content"]["status"], said["content"]["execution_count"]


def test_jupyterlab_as_ops_starts_it_forks_its_kernels_and_leaves_none_behind(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    monkeypatch.setenv("OPS_ARCHIVE", str(tmp_path / "archive"))
    with jupyter.serving("lab", port=18950) as running:
        address = urlsplit(running.url)
        token = {"Authorization": f"token {parse_qs(address.query)['token'][0]}"}
        kernels = f"http://{address.netloc}/api/kernels"
        started = httpx.post(kernels, headers=token, json={"name": "python3"}, timeout=SECONDS)
        assert started.status_code == 201
        line = f"ws{kernels.removeprefix('http')}/{started.json()['id']}/channels"
        for number in (1, 2):
            # As a page that is opened, and one that is loaded again.
            assert asyncio.run(answered(HTTPRequest(line, headers=token))) == ("ok", number)
        below = psutil.Process(running.process.pid).children(recursive=True)
        forked = [one for one in below if "kernel_zygote" in " ".join(one.cmdline())]
        # What it is forked from, its guardian, and the kernel itself, and those two of one that stands by; nothing was
        # started beside them.
        assert len(forked) in (3, 5, 7)
        assert not any("ipykernel_launcher" in " ".join(one.cmdline()) for one in below)
    # What they were forked from ends by itself, as the line to its server has.
    until(lambda: not any(living(one) for one in forked))
