"""Runs by a queue beside the same runs by plain processes: ``python -m benchmarks.workers --runs 1000``.

Both use as many processes, the same notebook, warm kernels and an archive each. Parts: ``plain``, ``queue``;
``killed``, in which workers are killed by SIGKILL midway (a new one comes for each, as a service manager would see to);
``database``, where the queue's is restarted as well; ``side`` by side, half of the processes each, at the same moment.
Each ratio is to the plain parts of the same call, so put one before and one after where the machine has other work.
``cpu_seconds`` are those of all processes but the database's, and but what a killed worker had left running.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import mean

import psycopg

from opslib.archive.verify import verify
from opslib.errors import OpsError
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
    since, before = time.monotonic(), used()
    assert [one.wait() for one in begin_plain(here, runs, processes)] == [0] * processes
    assert sealed(here.folder / "plain") == runs
    return {"seconds": round(time.monotonic() - since, 1), "cpu_seconds": round(used() - before, 1)}


def used():
    """Return the processor's seconds that processes which ended have used."""
    said = resource.getrusage(resource.RUSAGE_CHILDREN)
    return said.ru_utime + said.ru_stime


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
    return {**done, "side_ratio": round(done["plain"] / max(done["queue"], 1), 3)}


def by_queue(here, runs, processes, kills, restart):
    """Run it by workers, some of them killed midway; returns seconds and what was recorded."""
    asked, since, before, look = ask(here, runs), time.monotonic(), used(), Look(here)
    workers = [worker(here) for _ in range(processes)]
    marks = [runs * (number + 1) // (kills + 1) for number in range(kills)]
    while any(one.poll() is None for one in workers):
        time.sleep(1)
        done = look.over()
        if marks and done >= marks[0]:
            marks.pop(0)
            alive = [one for one in workers if one.poll() is None]
            alive[0].send_signal(signal.SIGKILL)
            workers.append(worker(here))
        if restart and done >= runs // 2:
            restart = False
            here.server.down()
            time.sleep(3)
            here.server.up()
    seconds = time.monotonic() - since
    codes = Counter(one.returncode for one in workers)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used() - before, 1),
        "asking_seconds": round(asked, 1),
        "exit_codes": dict(codes),
        **recorded(here),
    }


def worker(here):
    """Start a worker as it is by default."""
    return here.worker("--silent-seconds", "30", "--until-empty")


class Look:
    """Counts the runs that are over by a session that stays: to open one each time would be work beside the work."""

    def __init__(self, here):
        self.here, self.session, self.last = here, None, 0

    def over(self):
        """Return how many runs are over, as far as is known while the database is away."""
        try:
            self.session = self.session or self.here.server.session()
            said = self.session.execute("SELECT count(*) AS n FROM opslib_queue.asked WHERE state = 'ended'").fetchone()
            self.last = said["n"]
        except (OpsError, psycopg.Error):
            self.session = None
        return self.last


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


PARTS = {"queue": (0, False), "killed": (None, False), "database": (None, True)}


def main():
    """Measure and print one JSON object per part."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=200)
    asked.add_argument("--plain-runs", type=int, default=0, help="of each plain part; unset: as many")
    asked.add_argument("--processes", type=int, default=4)
    asked.add_argument("--kills", type=int, default=2)
    asked.add_argument("--parts", nargs="+", default=["plain", "queue", "killed", "database", "plain"])
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
    """Measure each part, in an archive of its own; then hold a run's time in each against the plain ones."""
    each = {}
    for number, part in enumerate(given.parts):
        (folder / str(number)).mkdir()
        here = queue_server.Here(folder / str(number), lab, server)
        here.notebook(queue_server.CHECK)
        runs = (given.plain_runs or given.runs) if part == "plain" else given.runs
        found = measured(here, part, runs, given)
        load = [round(one, 1) for one in os.getloadavg()]
        print(json.dumps({"part": part, "runs": runs, **found, "load": load}), flush=True)
        if "seconds" in found:
            each.setdefault(part, []).append((found["seconds"] / runs, found["cpu_seconds"] / runs))
    base = each.pop("plain", [])
    for part, figures in each.items() if base else ():
        clock, cpu = (mean(one[way] for one in figures) / mean(one[way] for one in base) for way in (0, 1))
        print(json.dumps({"part": part, "ratio": round(clock, 3), "cpu_ratio": round(cpu, 3)}), flush=True)


def measured(here, part, runs, given):
    """Measure one part."""
    if part == "plain":
        return plain(here, runs, given.processes)
    if part == "side":
        return side_by_side(here, runs, given.processes // 2)
    kills, restart = PARTS[part]
    return by_queue(here, runs, given.processes, given.kills if kills is None else kills, restart)


if __name__ == "__main__":
    main()
