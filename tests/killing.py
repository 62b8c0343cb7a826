"""A run from the command line that is killed in its middle, and what ``ps`` showed of it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from opslib.archive.store import Archive


def killed(name, given, archive, came):
    """Start a run on the lab, kill it once ``came()`` is so; returns its id, and all command lines seen meanwhile."""
    known = {run.run for run in Archive(archive).runs()}
    command = [sys.executable, "-m", "opslib.cli", "run", name, "--environment", "lab"]
    command += [word for pair in given for word in ("-p", pair)]
    variables, seen = {**os.environ, "OPS_ARCHIVE": str(archive)}, set()
    running = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not came():
        assert running.poll() is None, "it ended before it was killed"
        seen |= arguments()
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(60)
    (run,) = {path.name for path in (archive / "runs").iterdir()} - known
    return run, seen


def arguments():
    """Return the command lines of all processes, as ps shows them to everybody."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return found
