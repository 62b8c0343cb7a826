"""A notebook's process is asked for before its run is registered, and ends with a run that comes to nothing."""

import socket

import psutil
import pytest

from opslib import settings
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import ArchiveError, ExitCode
from opslib.headless.asked import Asked
from opslib.headless.kernel_warm import keep_warm
from opslib.headless.session import Session
from opslib.headless.shell_begun import Process
from tests.headless import bench


@pytest.fixture(params=[False, True], ids=["started", "forked"])
def opened(request, tmp_path, monkeypatch, lab):
    """Return what opens a session; it takes a list, for the process and whether the run was there when it was begun."""
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    asked = Asked(bench.notebook(tmp_path / "notebooks", "1 + 1"), {"environment": "lab"}, settings.load("lab"))

    def begin(session, seen):
        seen += [Process(session), (tmp_path / "archive" / "runs").is_dir()]
        return seen[0]

    def opening(seen, begin=begin):
        return Session(asked, Archive(tmp_path / "archive"), begin=lambda session: begin(session, seen))

    if not request.param:
        yield opening
        return
    with keep_warm():
        yield opening


def test_it_is_asked_for_before_anything_is_written_and_ends_with_a_run_without_cells(opened, tmp_path):
    seen = []
    session = opened(seen)
    process, written = seen
    assert not written
    assert (tmp_path / "archive" / "runs" / session.id / "run.json").is_file()
    line = process.line()
    line.settimeout(60)
    guardian = psutil.Process(process.leash.process.pid)
    assert line.recv(1, socket.MSG_PEEK)  # it is there, and nobody has asked it for a cell
    below = guardian.children(recursive=True)
    assert below
    assert session.close("interrupted", ExitCode.FAILED, "nobody wants it")["state"] == "interrupted"
    assert process.leash.process.poll() is not None
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in below)
    assert not session.private.exists()
    assert verify(tmp_path / "archive").ok


def test_nothing_is_left_of_it_where_the_run_cannot_be_registered(opened, tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "runs").write_text("no folder")
    seen = []
    with pytest.raises(ArchiveError):
        opened(seen)
    assert seen[0].leash.process.poll() is not None


def test_where_it_cannot_be_asked_for_the_run_is_registered_all_the_same(opened, tmp_path):
    def begin(session, seen):
        raise BlockingIOError("no process more")

    session = opened([], begin)
    assert session.begun is None
    assert (tmp_path / "archive" / "runs" / session.id / "run.json").is_file()
    assert session.close("failed", ExitCode.FAILED, "no process more")["state"] == "failed"
    assert verify(tmp_path / "archive").ok
