"""Kernels and processes: when JupyterLab has its first result, and what memory runs side by side take."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
from jupyter_client.manager import AsyncKernelManager

from benchmarks import servers
from benchmarks.measuring import BIN, NotMeasured, Place, Ratio, Spent, ratio
from opslib.headless import provisioner

FIRST = "import boto3, httpx, ipywidgets, psycopg, redis\nfrom opslib import begin, checks\nchecks.database\nprint(1)"
"""The first cell of somebody who investigates."""
AT_ONCE = 10
MB = 1024 * 1024


def first_result(place: Place) -> list[Ratio]:
    """From asking for a kernel to the first cell's result: forked, and as stock JupyterLab starts one."""
    if not provisioner.stand_by():
        raise NotMeasured("there is nothing to fork from on this system")
    try:
        found = place.alternating(
            {name: lambda name=name: asyncio.run(_first(name)) for name in ("opslib", "local-provisioner")}  # type: ignore[misc]
        )
    finally:
        provisioner.STANDBY.close()
        provisioner.ZYGOTE.close()
    ours, stock = found["opslib"], found["local-provisioner"]
    own = ratio("first result through jupyter_client to the stock kernel's", 1 / 10, ours, stock, "forked to started")
    return [own, *servers.first_result(place, FIRST)]


async def _first(name: str) -> Spent:
    with tempfile.TemporaryDirectory() as folder:
        manager = AsyncKernelManager(transport="ipc", connection_file=f"{folder}/kernel.json")
        manager.kernel_spec.metadata["kernel_provisioner"] = {"provisioner_name": name}
        await asyncio.sleep(servers.APART)
        began = time.perf_counter()
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=120)
        reply = await client.execute_interactive(FIRST, timeout=120, output_hook=lambda said: None)
        took = time.perf_counter() - began
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise NotMeasured(f"the first cell failed: {reply['content'].get('evalue')}")
    return Spent(took, 0.0)


FORK = """
import gc, json, os, resource, statistics, sys, time
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
from opslib.headless import kernel_zygote
gc.disable()
kernel_zygote.warm()
gc.freeze()
gc.enable()
kernel_zygote.collapse()
took, cpu = [], []
def spent():
  below = resource.getrusage(resource.RUSAGE_CHILDREN)
  return time.process_time() + below.ru_utime + below.ru_stime
for _ in range(int(sys.argv[1])):
  time.sleep(0.02)
  before, began = spent(), time.perf_counter()
  if (pid := os.fork()) == 0:
    os._exit(0)
  os.waitpid(pid, 0)
  took.append(time.perf_counter() - began)
  cpu.append(spent() - before)
print(json.dumps([statistics.median(took), statistics.median(cpu)]))
"""
"""A process as notebooks' processes are forked from forks one that does nothing, and takes leave of it."""


def empty_fork(place: Place) -> Spent:
    """Return what a fork of a process with everything imported takes, with its end; what no warm run can be below."""
    command = [str(BIN / "python"), "-c", FORK, str(10 * place.rounds)]
    done = subprocess.run(command, env=place.environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise NotMeasured(done.stderr.strip().rpartition("\n")[2][:160])
    return Spent(*json.loads(done.stdout))


def memory(place: Place) -> list[Ratio]:
    """Ten runs side by side that have come to a cell of theirs and stay there, each with its processes."""
    for number in range(AT_ONCE):
        place.notebook(f"stays-{number}", ["from pathlib import Path", "import time\ntime.sleep(600)"])
    command = [BIN / "ops", "run", "--all", "diagnostics", "--at-once", AT_ONCE]
    with subprocess.Popen(
        list(map(str, command)), env=place.environment, cwd=place.folder, stdout=-3, stderr=-3
    ) as process:
        try:
            _staying(place, process)
            return _taken(psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait(120)


def _staying(place: Place, process: subprocess.Popen[bytes]) -> None:
    """Wait until all of them are in the cell that stays."""
    end = time.monotonic() + 300
    while sum(_begun(path) >= 4 for path in (place.folder / "archive" / "runs").glob("*stays*")) < AT_ONCE:
        if process.poll() is not None or time.monotonic() > end:
            raise NotMeasured("ten runs at once did not come to their cells")
        time.sleep(0.5)
    time.sleep(2)


def _begun(run: Path) -> int:
    with suppress(OSError):
        return (run / "journal.jsonl").read_text().count('"cell-started"')
    return 0


def _taken(root: psutil.Process) -> list[Ratio]:
    # What is forked still shows its parent's command line: the zygote is the one that this process started.
    shared = {root.pid} | {one.pid for one in root.children() if "kernel_zygote" in " ".join(one.cmdline())}
    whole = apart = 0
    for one in (root, *root.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            said = one.memory_full_info()
            whole += said.pss
            apart += 0 if one.pid in shared else said.uss
    one_more = apart / AT_ONCE / MB
    return [
        Ratio("private memory of one more run, in MB", one_more, 30, "USS of its processes"),
        Ratio(f"{AT_ONCE} runs at once, in MB", whole / MB, 500, "PSS of all, with what they are forked from"),
    ]
