"""Runs that make three marks and stop at a named place, until a fault has struck there.

``python -m tests.crash.marking`` is started once; it reads one JSON object a line and forks one child for each run.
The child opens a run as ``ops run`` does, with or without a kernel, plans one, applies an approved plan, or goes on
with a work that was broken off. At the place it says so, and waits for a line that says what to do to itself, or
``go``.
"""

import json
import os
import resource
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from opslib import settings
from opslib.archive.store import Archive
from opslib.errors import OpsError, Refused
from opslib.headless import agreement, notebooks, runner, shell_engine  # noqa: F401 - loaded before any run is forked
from opslib.headless.asked import Asked
from opslib.headless.resume import to_resume
from opslib.headless.session import Session
from opslib.headless.stop import Stop
from opslib.model import now
from opslib.runs import saved_plan
from opslib.runs.locks import Locks
from tests.crash.driver import outcome, tell, warm
from tests.crash.marks import MARKS
from tests.crash.points import Points, file_of

NOTEBOOK = "runbooks/try-things"
PLACES = ("before intent", "after intent", "during act", "after act", "after done", "sealing", "anchoring")
STRUCK = "act-2"
"""The step in which the first five places are."""

_IN_JOURNAL = {
    ("intent", "call"): PLACES[0],
    ("intent", "return"): PLACES[1],
    ("applied", "call"): PLACES[3],
    ("applied", "return"): PLACES[4],
}
_CALLED = {("store.py", "_seal"): "sealing", ("anchor.py", "publish"): "anchoring", ("session.py", "_close"): "closing"}
_NAMES = {"append", "halfway", *(name for _, name in _CALLED)}


class Places(Points):
    """Stops at the place ``where``, and at the run's closing and publishing that come after it."""

    def __init__(self, where, tell, hear, room):
        super().__init__(None, tell, room)
        self.where, self.hear = where, hear
        self.seen = set()
        self.session = None

    def __call__(self, frame, event, arg):
        if frame.f_code.co_name in _NAMES and event in ("call", "return") and (name := place(frame, event)):
            self.reach(name)
        super().__call__(frame, event, arg)

    def reach(self, name):
        # A head is published when a run begins, too.
        if name in self.seen or (name == "anchoring" and "sealing" not in self.seen):
            return
        self.seen.add(name)
        if name == self.where or (self.where in self.seen and name in ("closing", "anchoring")):
            self.tell({"place": name, "pid": os.getpid()})
            self.suffer(self.hear())

    def suffer(self, what):
        """Do to this process what it is told."""
        if what == "starve":
            self.starve()
        elif what == "lose the lease":
            self.tell({"struck": lost(self.session)})
        elif what == "EIO":
            self.fault = {"kind": what, "at": self.number + 1}
        elif what != "go":
            self.limit(what)

    def starve(self):
        """Fail to get memory, here: what the system refuses is raised in the place of the call."""
        before = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), before[1]))
        try:
            bytearray(64 * 1024 * 1024)
        except MemoryError:
            self.tell({"struck": "no memory"})
            raise
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)

    def at(self, name, call):
        """As for every run; tells that an error of the disk was raised."""
        there = self.fault
        try:
            super().at(name, call)
        finally:
            if there and self.fault is None:
                self.tell({"struck": there["kind"]})

    def limit(self, kind):
        """As for every run; tells that it is in force."""
        super().limit(kind)
        if kind and kind.startswith("ENOSPC"):
            # On tmpfs a file's last page has room of its own: that is taken away, too.
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.journal(), resource.RLIM_INFINITY))
        if kind:
            self.tell({"struck": kind})


def place(frame, event):
    """Return the name of the place that this call, or its return, is."""
    code = frame.f_code
    file = file_of(code)
    if (file, code.co_name) == ("journal.py", "append"):
        said = frame.f_locals
        return _IN_JOURNAL.get((said["event"], event)) if said["said"].get("step") == STRUCK else None
    if event == "return":
        return None
    if (file, code.co_name) == ("marks.py", "halfway"):
        return PLACES[2] if frame.f_locals["word"] == "two" else None
    return _CALLED.get((file, code.co_name))


def lost(session):
    """Wait until the run's lease is lost, and return what is said of it."""
    while True:
        try:
            session._locks.check()
        except Refused as refused:
            return refused.message
        time.sleep(0.02)


class Marking(Session):
    """A run whose executor knows the steps that make marks."""

    def _work(self):
        return replace(super()._work(), actions=MARKS)


def main():
    """Answer until standard input ends."""
    warm()
    while line := heard(0):
        child = os.fork()
        if child == 0:
            control, answers = os.dup(0), os.dup(1)
            quiet = os.open(os.devnull, os.O_RDWR)
            os.dup2(quiet, 0)
            os.dup2(quiet, 1)
            try:
                carry_out(json.loads(line), partial(tell, answers), partial(heard, control))
            finally:
                os._exit(0)
        tell(1, {"pid": child})
        _, status = os.waitpid(child, 0)
        tell(1, {"code": os.waitstatus_to_exitcode(status)})


def heard(handle):
    """Return the next line; byte by byte, for who comes after reads from the same pipe."""
    data = b""
    while not data.endswith(b"\n"):
        if not (byte := os.read(handle, 1)):
            return ""
        data += byte
    return data.decode().strip()


def carry_out(asked, tell, hear):
    """Do one run in this process; ``tell`` hears what became of it."""
    os.environ.update(asked["environment"])
    places = Places(asked.get("at"), tell, hear, Path(asked["archive"]).parent)
    try:
        store = Archive(Path(asked["archive"]))
        doing = prepared(asked, store)
        if asked.get("at"):
            places.start()
        locks = Locks(doing.settings, doing.run, ttl=asked.get("ttl", 60.0))
        if asked.get("kernel"):
            tell(through_a_kernel(doing, store, places, locks, tell))
        else:
            session = places.session = Marking(doing, store, locks=locks, progress=partial(progress, tell))
            tell(outcome(session, steps(asked["marks"]), tell))
    except OpsError as error:
        tell({"ended": type(error).__name__, "reason": f"{error.message} {error.next_step}"})
    except BaseException as error:
        tell({"ended": type(error).__name__, "reason": str(error)})
    finally:
        places.stop()


def progress(tell, text):
    """Tell what a person would be shown, where it is about the archive's heads."""
    if text.startswith("NOT PUBLISHED"):
        tell({"shown": text})


def through_a_kernel(doing, store, places, locks, tell):
    """Do as ``ops run`` does."""
    with Stop() as stop:
        session = places.session = Marking(doing, store, locks=locks, progress=partial(progress, tell))
        tell({"opened": session.id})
        state, exit_code, reason = runner._execute(session, stop)
        session.close(state, exit_code, reason)
    return {"ended": state, "reason": reason}


def steps(marks):
    """Return the steps in their order: (cell, action, parameters)."""
    words = ("one", "two", "three")
    return [
        (f"act-{number}", action, lambda done, word=word: {"word": word})
        for number, (action, word) in enumerate(zip(marks, words, strict=True), 1)
    ]


def prepared(asked, store):
    """Return what to ask for."""
    if asked["do"] == "resume":
        return to_resume(store, asked["work"])
    target = settings.load(asked.get("target", "lab"))
    doing = Asked(notebooks.find(NOTEBOOK), {"environment": target.environment}, target, run=asked["work"])
    if asked["do"] != "apply":
        return replace(doing, mode=asked["do"])
    folder = store.folder / "runs" / asked["work"]
    data = (folder / "plan.json").read_bytes()
    saved = saved_plan.parse(data)
    agreed = agreement._agreed(saved, data, [store.folder / "approvals" / saved.run], target, now())
    links = {"applies": saved_plan.sha256(data)}
    return replace(doing, run=f"{saved.run}-apply", links=links, agreed=agreed)


if __name__ == "__main__":
    main()
