from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest

from opslib.lab.processes import LabError, Trace, await_ready, find, free_port, launch, listens, stop, strays
from tests.waiting import living, until

LISTENER = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
STUBBORN = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "os.fork(); print('ready', flush=True); time.sleep(600)"
)


def test_a_server_is_ready_when_it_listens_itself_and_not_when_another_does(tmp_path: Path) -> None:
    taken: set[int] = set()
    port = free_port(taken)
    assert taken == {port}
    with socket.create_server(("127.0.0.1", port)):
        idle = launch([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "idle.log", folder=tmp_path)
        assert not listens(idle, port)
        stop(idle)
    server = launch([sys.executable, "-c", LISTENER, str(port)], tmp_path / "server.log", folder=tmp_path)
    await_ready(server, lambda: listens(server, port), "server", tmp_path / "server.log")
    assert listens(server, port)
    stop(server)
    assert find(server) is None


def test_a_process_that_nobody_wrote_down_is_found_by_its_command_and_its_place(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LISTENER, str(free_port(set()))]
    own, others = tmp_path / "own", tmp_path / "others"
    for folder in (own, others):
        folder.mkdir()
    server = launch(command, tmp_path / "server.log", folder=own)
    try:
        until(lambda: [trace.pid for trace in strays(command, own)] == [server.pid])
        assert strays(command, others) == []
        assert strays([*command, "more"], own) == []
    finally:
        stop(server)
    assert strays(command, own) == []


def test_a_server_that_ends_at_once_is_reported_with_what_it_said(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    server = launch([sys.executable, "-c", "raise SystemExit('no room left')"], log, folder=tmp_path)
    with pytest.raises(LabError, match=r"(?s)thing ended before it was ready.*no room left"):
        await_ready(server, lambda: False, "thing", log)


def test_a_process_that_ignores_the_polite_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    log = tmp_path / "stubborn.log"
    trace = launch([sys.executable, "-c", STUBBORN], log, folder=tmp_path)
    await_ready(trace, lambda: log.read_text().count("ready") == 2, "stubborn", log)
    process = find(trace)
    assert process is not None
    family = [process, *process.children()]
    assert len(family) == 2
    stop(trace, signal.SIGTERM, seconds=0.2)
    assert [p for p in family if living(p)] == []


def test_a_process_is_recognised_by_id_and_start_time_together() -> None:
    me = psutil.Process()
    assert find(Trace(me.pid, me.create_time())) == me
    assert find(Trace(me.pid, me.create_time() - 60)) is None
    assert find(None) is None


def test_a_process_that_took_over_an_old_process_id_is_never_signalled() -> None:
    me = psutil.Process()
    stop(Trace(me.pid, me.create_time() - 60), signal.SIGKILL)
    assert me.is_running()  # else this test would not have come so far


def test_a_server_inherits_no_credential_from_its_starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:secret-of-production@db.example/x")
    log = tmp_path / "environment.log"
    trace = launch(
        [sys.executable, "-c", "import os, time; print(sorted(os.environ), 'end', flush=True); time.sleep(600)"],
        log, folder=tmp_path, variables={"GIVEN": "yes"},
    )  # fmt: skip
    await_ready(trace, lambda: "end" in log.read_text(), "printer", log)
    stop(trace)
    assert "'GIVEN'" in log.read_text()
    assert "DATABASE_URL" not in log.read_text()
