"""A worker that hangs is ended, and what it had is done by another; one whose run takes its time is left alone."""

import os
import signal

import pytest

from opslib import files
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.headless import queue_asking
from opslib.redaction import DatabaseUrl
from opslib.systems.queue_ledger import Ledger
from tests import queue_server
from tests.headless import bench
from tests.scale import nightly
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("warm")

NAME = "runbooks/try-things"


@pytest.fixture
def place(tmp_path, lab, server, monkeypatch):
    places = {"OPS_LAB": lab.folder, "OPS_NOTEBOOKS": tmp_path / "notebooks", "OPS_QUEUE_URL": server.url}
    for name, value in places.items():
        monkeypatch.setenv(name, str(value))
    with server.session() as session:
        queue_server.wipe(session)
    queue_asking.install(tmp_path / "archive")
    return tmp_path


def ask(server, folder, *sources):
    bench.notebook(folder / "notebooks", *sources, queue_server.CHECK)
    with Ledger(DatabaseUrl(server.url)) as ledger:
        return queue_asking.ask(ledger, NAME, (), "lab", key="key/1").run


def work(server, folder, **more):
    """Let a worker do what there is; returns its exit code and what it said."""
    log = folder / "worker.log"
    child = queue_server.fork_worker(server.url, folder / "archive", log, until_empty=True, **more)
    try:
        _, status = until(lambda: (found := os.waitpid(child, os.WNOHANG))[0] and found, 300, log.read_text)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    return os.waitstatus_to_exitcode(status), log.read_text()


def row(server):
    with Ledger(DatabaseUrl(server.url)) as ledger:
        return ledger.look("key/1")


def test_a_worker_that_hangs_is_ended_and_another_one_does_what_it_had(place, server):
    run = ask(server, place)
    # Who waits for a lock on a shared folder waits for as long as its server likes.
    with files.locked(place / "archive" / ".lock"):
        code, said = work(server, place, hangs=3.0)
    assert (code, row(server).state) == (1, "taken"), said
    assert "Timeout" in said
    code, said = work(server, place)
    assert (code, row(server).state, row(server).verdict) == (0, "ended", "OK"), said
    assert Archive(place / "archive").ids() == [run]
    assert verify(place / "archive").ok


@nightly
def test_a_worker_whose_run_takes_longer_than_a_worker_may_hang_is_left_alone(place, server):
    run = ask(server, place, "import time\ntime.sleep(75)")
    code, said = work(server, place, hangs=60.0)
    assert (code, row(server).state, row(server).verdict, row(server).run) == (0, "ended", "OK", run), said
