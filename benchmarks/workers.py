"""Runs by a queue beside the same runs by plain processes: ``python -m benchmarks.workers --runs 1000``.

Both use as many processes, the same notebook, warm kernels and an archive each. The queue's part is done again with
workers killed by SIGKILL midway (a new one comes for each, as a service manager would see to) and with its database
restarted. Every figure is a ratio to the plain processes of the same call; "side by side" is the one to believe where
the machine has other work: half of the processes each, at the same moment.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from opslib.archive.verify import verify
from opslib.headless import queue_asking
from opslib.lab.supervisor import Lab
from opslib.redaction import DatabaseUrl
from opslib.systems.queue_ledger import Ledger
from tests import queue_server

PLAIN = """import sys
from pathlib import Path
from opslib.headless import runner
from opslib.headless.kernel_warm import keep_warm
with keep_warm():
    for _ in range(int(sys.argv[1])):
        runner.run(sys.argv[2], (), "lab", Path(sys.argv[3]))
"""
NAME = "runbooks/try-things"


def plain(here, runs, processes):
    """Run the notebook by plain processes; returns seconds."""
    since = time.monotonic()
    assert [one.wait() for one in begin_plain(here, runs, processes)] == [0] * processes
    assert sealed(here.folder / "plain") == runs
    return time.monotonic() - since


def begin_plain(here, runs, processes):
    """Start plain processes that share so many runs."""
    shares = [runs // processes + (number < runs % processes) for number in range(processes)]
    command = [sys.executable, "-c", PLAIN]
    where = [NAME, str(here.folder / "plain")]
    return [subprocess.Popen([*command, str(share), *where], env=here.environment) for share in shares]


def sealed(archive):
    """Return how many runs of an archive are sealed."""
    return len(list((archive / "runs").glob("*/MANIFEST.sha256")))


def side_by_side(here, runs, processes):
    """Run both at the same moment, until one is done: on a machine that others use as well, both have what is left."""
    ask(here, runs)
    began = begin_plain(here, runs, processes)
    workers = [here.worker("--until-empty") for _ in range(processes)]
    while all(one.poll() is None for one in (*began, *workers)):
        time.sleep(0.2)
    done = {"plain": sealed(here.folder / "plain"), "queue": sealed(here.archive)}
    for one in (*began, *workers):
        one.terminate()
        one.wait()
    return {**done, "ratio": round(done["plain"] / max(done["queue"], 1), 3)}


def by_queue(here, runs, processes, kills, restart):
    """Run it by workers, some of them killed midway; returns seconds and what was recorded."""
    asked, since = ask(here, runs), time.monotonic()
    workers = [here.worker("--until-empty") for _ in range(processes)]
    marks = [runs * (number + 1) // (kills + 1) for number in range(kills)]
    while any(one.poll() is None for one in workers):
        time.sleep(0.5)
        done = over(here)
        if marks and done >= marks[0]:
            marks.pop(0)
            alive = [one for one in workers if one.poll() is None]
            alive[0].send_signal(signal.SIGKILL)
            workers.append(here.worker("--until-empty"))
        if restart and done >= runs // 2:
            restart = False
            here.server.down()
            time.sleep(3)
            here.server.up()
    seconds = time.monotonic() - since
    codes = Counter(one.returncode for one in workers)
    return {
        "seconds": round(seconds, 1),
        "asking_seconds": round(asked, 1),
        "exit_codes": dict(codes),
        **recorded(here),
    }


def over(here):
    """Return how many runs are over; none while the database is away."""
    try:
        return sum(row["state"] == "ended" for row in here.rows())
    except Exception:
        return 0


def ask(here, runs):
    """Install an empty queue and ask for so many runs; returns seconds."""
    install(here)
    since = time.monotonic()
    with Ledger(DatabaseUrl(here.server.url)) as ledger:
        for number in range(runs):
            queue_asking.ask(ledger, NAME, (), "lab", key=f"bench/{number}")
    return time.monotonic() - since


def install(here):
    """Install an empty queue for this archive."""
    os.environ |= {
        name: here.environment[name] for name in ("OPS_ARCHIVE", "OPS_LAB", "OPS_NOTEBOOKS", "OPS_QUEUE_URL")
    }
    here.empty()
    queue_asking.install(here.archive)


def recorded(here):
    """Hold the ledger against the archive: each key finished once, and what was broken off named by what followed."""
    rows, runs = here.rows(), here.runs()
    finished = Counter(asked["queue"]["key"] for asked, result in runs.values() if result["state"] == "finished")
    broken = [asked["run"] for asked, result in runs.values() if result["state"] != "finished"]
    followed = {asked["queue"].get("instead_of") for asked, _ in runs.values()}
    return {
        "asked": len(rows),
        "recorded_once": sum(count == 1 for count in finished.values()),
        "lost": len(rows) - len(finished),
        "twice": sum(count > 1 for count in finished.values()),
        "broken_off": len(broken),
        "broken_off_and_not_followed": len(set(broken) - followed),
        "archive_verifies": verify(here.archive).ok,
    }


def main():
    """Measure and print one JSON object per part."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=200)
    asked.add_argument("--processes", type=int, default=4)
    asked.add_argument("--kills", type=int, default=2)
    asked.add_argument("--only-side-by-side", action="store_true")
    given = asked.parse_args()
    os.environ |= {"LAB_STANDBY": "0", "LAB_LOAD_PER_SECOND": "0"}
    with tempfile.TemporaryDirectory(prefix="workers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        lab = Lab(folder / "lab")
        try:
            lab.up(1000)
            with queue_server.server(folder / "queue") as server:
                measure(folder, lab.folder, server, given)
        finally:
            lab.down()


def measure(folder, lab, server, given):
    """Measure each part; a part's archive is its own."""
    (folder / "0").mkdir()
    here = queue_server.Here(folder / "0", lab, server)
    here.notebook(queue_server.CHECK)
    found = side_by_side(here, given.runs, given.processes // 2)
    print(json.dumps({"part": "side by side", "runs": given.runs, **found}), flush=True)
    if given.only_side_by_side:
        return
    shutil.rmtree(here.folder / "plain")
    seconds = plain(here, given.runs, given.processes)
    print(json.dumps({"part": "plain", "runs": given.runs, "seconds": round(seconds, 1)}), flush=True)
    parts = (("queue", 0, False), ("queue, killed", given.kills, False), ("queue, killed, database", given.kills, True))
    for number, (part, kills, restart) in enumerate(parts, 1):
        (folder / str(number)).mkdir()
        one = queue_server.Here(folder / str(number), lab, server)
        one.notebook(queue_server.CHECK)
        found = by_queue(one, given.runs, given.processes, kills, restart)
        print(json.dumps({"part": part, **found, "ratio": round(found["seconds"] / seconds, 3)}), flush=True)


if __name__ == "__main__":
    main()
