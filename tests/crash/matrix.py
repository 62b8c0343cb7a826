"""One cell of the fault matrix: a run of its own on systems that tests may break, and how all looks afterwards."""

import json
import os
import re
import secrets
import select
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from opslib.archive import record
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.headless import earlier
from opslib.places import ROOT
from opslib.redaction import CacheUrl, DatabaseUrl
from opslib.runs.steps import State
from tests.caches import server
from tests.clusters import Cluster
from tests.crash.bench import describe, environment, variables
from tests.crash.marking import PLACES, STRUCK
from tests.crash.marks import TABLE, Service
from tests.headless import bench
from tests.waiting import until

GUARD = 300.0
"""Seconds within which a run must say something: one that does not hangs."""

WORDS = ("one", "two", "three")
ACTIONS = {"table": "mark-table", "cache": "mark-cache", "store": "mark-store", "web": "mark-web"}
WRITER, PASSWORD = "marks_writer", "of-a-writer-17"
ENDS = {"finished": "ok", "failed": "f", "refused": "r", "interrupted": "i"}
STANDS = {State.NOT_DONE: "-", State.IN_DOUBT: "?", State.APPLIED: "+", State.VERIFIED: "+"}


class Systems:
    """What all cells share: servers that may be killed, a service, the lab's object store, two files that bend libc."""

    def __init__(self, lab, folder, cluster, valkey):
        self.lab, self.folder, self.cluster, self.valkey = lab, folder, cluster, valkey
        self.service = Service()
        self.clock, self.names = folder / "clock", folder / "names"
        self.ports = {
            "table": cluster.port,
            "cache": valkey.port,
            "store": urlsplit(lab.settings.aws_endpoint_url).port,
            "web": self.service.port,
        }
        prepare(cluster)
        self.calm()

    def calm(self):
        """Let clock and names be right."""
        self.clock.write_text("0")
        self.names.write_text("")


def prepare(cluster):
    """Give the server the table and the role of the marks."""
    with cluster.session() as session:
        session.execute(TABLE)
        session.execute(f"CREATE ROLE {WRITER} LOGIN PASSWORD '{PASSWORD}'")
        session.execute(f"GRANT ALL ON marks TO {WRITER}")
        session.execute(f"GRANT pg_signal_backend TO {WRITER}")


@contextmanager
def systems(lab, folder):
    """Start the servers and hand them out."""
    with Cluster(folder, "marked") as cluster, server("--appendonly", "yes", "--appendfsync", "always") as valkey:
        made = Systems(lab, folder, cluster.create(), valkey)
        try:
            yield made
        finally:
            made.service.close()


class Runner:
    """The process that forks runs (:mod:`tests.crash.marking`); its clock and its look-up of names can be bent."""

    def __init__(self, systems):
        environ = {**os.environ, "SHIFT_FILE": str(systems.clock), "NAMES_FILE": str(systems.names)}
        environ |= {"LD_PRELOAD": str(bent(systems.folder)), "OPS_LAB": str(systems.lab.folder)}
        command = [sys.executable, "-m", "tests.crash.marking"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._rest = b""

    def run(self, asked, strike=None):
        """Do one run; ``strike`` is called with each place it stops at. Returns what the process told, merged."""
        told = {"shown": "", "struck": "", "ended": "", "reason": "", "opened": ""}
        self._send(json.dumps(asked))
        while "code" not in told:
            said = self._hear(told)
            told |= said
            if "place" in said and (word := self._struck(strike, told)):
                self._send(word)
        return told

    def _struck(self, strike, told):
        try:
            return strike(told["place"], told["pid"])
        except BaseException:
            # Nobody would ever tell it to go on, and the next run is to find the line free.
            os.kill(told["pid"], signal.SIGKILL)
            while "code" not in self._hear(told):
                pass
            raise

    def close(self):
        """End it."""
        self._process.stdin.close()
        self._process.wait(60)

    def _send(self, line):
        self._process.stdin.write(line.encode() + b"\n")

    def _hear(self, told):
        while b"\n" not in self._rest:
            if not select.select([self._process.stdout], [], [], GUARD)[0]:
                self._process.kill()
                pytest.fail(f"the run hangs; it told {told}")
            piece = os.read(self._process.stdout.fileno(), 65536)
            assert piece, f"the process that forks runs is gone; it told {told}"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)


def bent(folder):
    """Return a library that bends clock and names as two files say."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = folder / "bent.so"
    sources = [ROOT / "tests/runs/shifted_time.c", ROOT / "tests/crash/no_names.c"]
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, *sources, "-ldl"], check=True)
    return library


class Cell:
    """One fault at one place of one run."""

    def __init__(self, systems, runner, folder, fault, at):
        self.systems, self.runner, self.folder, self.fault, self.at = systems, runner, folder, fault, at
        self.number = PLACES.index(at)
        self.work = f"20261123T130614Z-runbooks-try-things-{secrets.token_hex(3)}"
        self.cluster, self.ports, self.struck, self.ttl = systems.cluster, dict(systems.ports), False, 60.0
        self.host = self.target = ""
        fault.arrange(self)
        self.archive = self.folder / "archive"
        self.settings = self._described()
        if not self.target:
            describe(self.settings, self.folder / "lab")
        asks = (f"run._line.ask('step', action='{ACTIONS[mark]}', parameters={{'word': '{word}'}})"
                for mark, word in zip(fault.marks, WORDS, strict=True))  # fmt: skip
        bench.notebook(self.folder / "notebooks", *asks)
        self.environment = {
            **(variables(self.settings) if self.target else {}),
            "OPS_LAB": str(self.folder / "lab"),
            "OPS_LOCKS": str(systems.folder / "locks"),
            "OPS_NOTEBOOKS": str(self.folder / "notebooks"),
            "OPS_ARCHIVE": str(self.archive),
            "MARK_SECONDS": str(fault.seconds),
        }

    def _described(self):
        host = self.host or "127.0.0.1"
        database = DatabaseUrl(f"postgresql://{WRITER}:{PASSWORD}@127.0.0.1:{self.ports['table']}/postgres")
        cache = CacheUrl(f"redis://127.0.0.1:{self.ports['cache']}/0")
        return self.systems.lab.settings.model_copy(
            update={
                "database_url": database,
                "read_database_url": database,
                "cache_url": cache,
                "read_cache_url": cache,
                "aws_endpoint_url": f"http://{host}:{self.ports['store']}",
                "application_url": f"http://{host}:{self.ports['web']}",
                "server_metrics_url": None,
                **self.fault.described(self),
            }
        )

    @property
    def first(self):
        """The id of the run that is struck."""
        return f"{self.work}-apply" if self.target else self.work

    def ask(self, do, **more):
        """Return what the forking process is asked for."""
        marks = [ACTIONS[mark] for mark in self.fault.marks]
        asked = {"do": do, "work": self.work, "archive": str(self.archive), "environment": self.environment}
        return {**asked, "marks": marks, "ttl": self.ttl, "target": self.target or "lab", **more}

    def strike(self, place, pid):
        """Bring the fault about, or take it back where the run has come past what it was meant for."""
        if place == self.at:
            self.struck = True
            return self.fault.strike(self, pid)
        if self.fault.passing:
            self.fault.heal(self)
        return "go"

    def count(self):
        """Return how often each mark is there, by looks that no fault disturbs."""
        return {word: self._counted(mark, word) for mark, word in zip(self.fault.marks, WORDS, strict=True)}

    def _counted(self, mark, word):
        if mark == "table":
            with self.cluster.session() as session:
                asked = "SELECT count(*) AS n FROM marks WHERE work = %s AND word = %s"
                return session.execute(asked, [self.work, word]).fetchone()["n"]
        if mark == "cache":
            with redis.Redis(port=self.systems.valkey.port, socket_timeout=20) as client:
                return int(client.get(f"mark:{self.work}:{word}") or 0)
        if mark == "store":
            store = self.systems.lab.writing.backup_store
            return len(store.versions(f"marks/{self.work}/{word}"))
        return self.systems.service.published.get(f"{self.work}/{word}", 0)

    def journal(self):
        """Return the text of the struck run's journal so far."""
        with suppress(OSError):
            return (self.archive / "runs" / self.first / "journal.jsonl").read_text()
        return ""

    def earlier(self):
        """Return the work as its next run will find it; closes what the struck run left open."""
        with environment(self.environment):
            return earlier.find(Archive(self.archive), self.work)


def passable(folder):
    """Let the servers' account pass to the folder."""
    for one in (folder, *folder.parents[:2]):
        with suppress(PermissionError):
            one.chmod(one.stat().st_mode | 0o711)
    return folder


def word_of(cell, told):
    """Return how the struck run ended, as the table writes it."""
    steps = cell.earlier().steps
    state = text(record.load(cell.archive / "runs" / cell.first).result, "state")
    if state != "finished":
        found = steps.get(STRUCK)
        return ENDS[state] + (STANDS[found.state] if found else "-")
    entries = (one for one in Archive(cell.archive).log.newest_first() if one.run == cell.first)
    if next(one for one in entries if one.event == "close").state == "interrupted":
        return "cl"
    return "un" if told["shown"] else "ok"


def text(said, name):
    return str(said.get(name) or "")


def untruths(cell):
    """Yield what the record of the struck run says that is not so."""
    work, there = cell.earlier(), cell.count()
    folder = cell.archive / "runs" / cell.first
    said, page = record.load(folder), plain((folder / "report.html").read_text()).lower()
    for number, word in enumerate(WORDS, 1):
        step = work.steps.get(f"act-{number}")
        stands = step.state if step else State.NOT_DONE
        if there[word] != {State.NOT_DONE: 0, State.APPLIED: 1, State.VERIFIED: 1}.get(stands, there[word]):
            yield f"act-{number} is said to be {stands}, its mark is there {there[word]} times"
    yield from _of_result(said, list(there.values()) == [1, 1, 1])
    if f"state {said.state}" not in page:
        yield f"the report does not say {said.state}"
    if said.state != "finished" and STRUCK not in page:
        yield "the report does not say where"
    if any(step.status == "in doubt" for step in record.steps(said)) and "in doubt" not in page:
        yield "the report does not say what is in doubt"


def _of_result(said, whole):
    state, verdict, code = text(said.result, "state"), text(said.result, "verdict"), said.result.get("exit_code")
    # Where a process went between its journal's last line and its result, the journal counts, and the result says so.
    if said.state != state and f"closed with state {said.state}" not in text(said.result, "reason"):
        yield f"the journal says {said.state}, the result {state}"
    if ((state, verdict, code) == ("finished", "OK", 0)) != (state == "finished" or verdict == "OK" or code == 0):
        yield f"the result is {state}, {verdict}, {code}"
    if "finished" in (state, said.state) and not whole:
        yield f"{state}, and not all marks are there"
    if said.faults:
        yield f"the record has faults: {said.faults}"


def plain(page):
    """Return a page's text."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def doubles(cell):
    """Yield marks that are there more than once."""
    yield from (f"{word} is there {n} times" for word, n in cell.count().items() if n > 1)


def go_on(cell):
    """Resume until the work has finished or says why not; yields what is wrong."""
    for number in range(3):
        told = cell.runner.run(cell.ask("resume"))
        yield from doubles(cell)
        if cell.fault.refuses(cell, number, told):
            continue
        if told["ended"] != "finished" and cell.fault.refusal(cell) not in told["reason"]:
            yield f"going on ended {told['ended']}: {told['reason']}"
        break
    expected = cell.fault.end(cell)
    if list(cell.count().values()) != expected:
        yield f"in the end there are the marks {cell.count()}"
    if expected == [1, 1, 1] and any(step.state is not State.VERIFIED for step in cell.earlier().steps.values()):
        yield f"in the end not all is verified: {cell.earlier().steps}"
    archive = Archive(cell.archive)
    if archive.log.open_runs() or not verify(cell.archive).ok:
        yield f"the archive: open {archive.log.open_runs()}, {verify(cell.archive)}"


def ready(valkey):
    """Start the killed server again and wait for it."""
    valkey.start()
    until(valkey.listens)


def pending(pid):
    """Tell whether a signal waits to be delivered."""
    status = Path(f"/proc/{pid}/status").read_text()
    return any(int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd")))
