"""A first result as the page of JupyterLab has it: from asking a running server for a kernel to the cell's answer.

Through jupyter_client alone (:mod:`benchmarks.kernels`) its ``wait_for_ready`` adds 0.2 s of silence to both sides,
which no page waits for.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
from tornado.websocket import websocket_connect

from benchmarks.measuring import BIN, NotMeasured, Place, Ratio, Spent, ratio
from opslib.headless import jupyter, kernel_warm

TOKEN = uuid.uuid4().hex
SECONDS = 120.0
APART = 2.0
"""Seconds between two notebooks that somebody opens, for both sides: ours has the next kernel made meanwhile."""
OURS, STOCK = "forked", "started"


def first_result(place: Place, code: str) -> list[Ratio]:
    """From a page's request for a kernel to the result of its first cell: our server to a stock one."""
    with ExitStack() as stack:
        addresses = {name: stack.enter_context(_serving(place, name)) for name in (OURS, STOCK)}
        found = place.alternating(
            {name: lambda name=name: asyncio.run(_first(addresses[name], code)) for name in addresses}  # type: ignore[misc]
        )
    return [ratio("first result of a server's page to the stock one's", 1 / 10, found[OURS], found[STOCK], "page")]


@contextmanager
def _serving(place: Place, name: str) -> Iterator[str]:
    """Have a server in the block, ours or as it comes; gives its address."""
    with tempfile.TemporaryDirectory(prefix="ops-") as home:
        config = {
            "ServerApp": {"ip": "127.0.0.1", "port": 0, "open_browser": False, "allow_root": True, "root_dir": home},
            "IdentityProvider": {"token": TOKEN},
            "KernelManager": {"transport": "ipc"},
        }
        if name == OURS:
            config["ServerApp"]["jpserver_extensions"] = {jupyter.PROVISIONER: True}
            config["ServerApp"]["kernel_websocket_connection_class"] = jupyter.LINE
            config["KernelProvisionerFactory"] = {"default_provisioner_name": "opslib"}
        (Path(home) / "jupyter_server_config.json").write_text(json.dumps(config))
        own = {"JUPYTER_CONFIG_DIR": home, "JUPYTER_RUNTIME_DIR": home, "IPYTHONDIR": f"{home}/ipython"}
        plain = {key: value for key, value in place.environment.items() if key in kernel_warm.PLAIN}
        command = [str(BIN / "python"), "-P", "-m", "jupyter_server"]
        with subprocess.Popen(command, cwd=home, env=plain | own, stdout=-3, stderr=-3) as process:
            try:
                yield _address(process, Path(home))
            finally:
                process.terminate()
                process.wait(60)


def _address(process: subprocess.Popen[bytes], home: Path) -> str:
    end = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError, ValueError, KeyError, httpx.HTTPError):
            port = json.loads((home / f"jpserver-{process.pid}.json").read_bytes())["port"]
            httpx.get(f"http://127.0.0.1:{port}/api?token={TOKEN}").raise_for_status()
            return f"127.0.0.1:{port}"
        time.sleep(0.1)
    raise NotMeasured("a Jupyter server did not start")


async def _first(address: str, code: str) -> Spent:
    async with httpx.AsyncClient(headers={"Authorization": f"token {TOKEN}"}, timeout=SECONDS) as client:
        await asyncio.sleep(APART)
        began = time.perf_counter()
        kernel = (await client.post(f"http://{address}/api/kernels", json={"name": "python3"})).json()["id"]
        socket = await websocket_connect(f"ws://{address}/api/kernels/{kernel}/channels?token={TOKEN}")
        asked = uuid.uuid4().hex
        header = {"msg_id": asked, "msg_type": "execute_request", "username": "", "session": asked, "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        said = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        await socket.write_message(json.dumps(said))
        status = await asyncio.wait_for(_answered(socket, asked), SECONDS)
        took = time.perf_counter() - began
        socket.close()
        await client.delete(f"http://{address}/api/kernels/{kernel}")
    if status != "ok":
        raise NotMeasured("the first cell failed")
    return Spent(took, 0.0)


async def _answered(socket: object, asked: str) -> str:
    while True:
        said = json.loads(await socket.read_message())  # type: ignore[attr-defined]
        if said["header"]["msg_type"] == "execute_reply" and said["parent_header"].get("msg_id") == asked:
            return str(said["content"]["status"])
