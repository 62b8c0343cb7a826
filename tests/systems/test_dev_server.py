"""A development server: started once, known again by what it is, ended with all that it started, and nothing else."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opslib.errors import StepFailed
from opslib.lab import development
from opslib.lab.processes import free_port
from opslib.systems import dev_server, npm
from tests.waiting import until
from tests.workspaces import needs_npm, quiet

pytestmark = [
    needs_npm,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are told apart by /proc"),
]
WORK = f"20261128T130614Z-runbooks-set-up-environment-{os.getpid():06x}"


@pytest.fixture
def folder(tmp_path):
    for name, data in development.FILES.items():
        (tmp_path / "c" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "c" / name).write_bytes(data)
    npm.install(tmp_path / "c", tmp_path / "cache")
    yield tmp_path / "c"
    dev_server.stop(WORK)


@pytest.fixture
def port():
    return free_port(set())


def start(folder, port):
    return dev_server.start(folder, folder.parent / "home", port, WORK, quiet)


def rewrite(folder, text):
    (folder / "scripts/dev.mjs").write_text(text)


def test_it_answers_outlives_who_started_it_and_is_found_again(folder, port):
    code = (
        "from pathlib import Path; from opslib.systems import dev_server\n"
        f"dev_server.start(Path({str(folder)!r}), Path({str(folder.parent / 'home')!r}), {port}, {WORK!r}, print)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=90)
    found = dev_server.find(WORK)
    listening = dev_server.listener(port)
    assert found is not None
    assert listening is not None
    assert (dev_server.belongs(listening[0], WORK), listening[1]) == (True, True)
    assert dev_server.stop(WORK) >= 2
    assert (dev_server.find(WORK), dev_server.listener(port)) == (None, None)


def test_it_gets_nothing_of_this_processes_environment(folder, port, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "cAnary7Kiwi9Qz")
    server = start(folder, port)
    for pid in [server.pid, dev_server.listener(port)[0]]:
        assert b"cAnary7Kiwi9Qz" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert f"{(folder.parent / 'home/server.log').stat().st_mode:o}" == "100600"


@pytest.mark.parametrize(
    ("text", "said"), [("process.exit(3)", "before it answered"), ("throw 1", "before it answered")]
)
def test_one_that_ends_at_once_is_told_and_leaves_nothing(folder, port, text, said):
    rewrite(folder, text)
    with pytest.raises(StepFailed, match=said) as told:
        start(folder, port)
    assert "server.log" in told.value.next_step
    assert dev_server.find(WORK) is None


def test_a_port_of_somebody_else_is_not_taken_for_its_own(folder, port):
    with socket.create_server(("127.0.0.1", port)):
        assert dev_server.listener(port) == (os.getpid(), True)
        assert not dev_server.belongs(os.getpid(), WORK)
        with pytest.raises(StepFailed):
            start(folder, port)
    assert dev_server.find(WORK) is None


def test_one_that_listens_to_other_machines_is_seen(folder, port):
    rewrite(folder, (folder / "scripts/dev.mjs").read_text().replace(', said("host")', ', "0.0.0.0"'))
    start(folder, port)
    assert dev_server.listener(port)[1] is False


def test_what_ignores_the_first_signal_and_left_its_group_is_ended_too(folder, port):
    stubborn = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);"
    more = (
        f'import {{ spawn }} from "node:child_process";\nspawn("node", ["-e", `{stubborn}`], {{ detached: true }});\n'
    )
    rewrite(folder, more + (folder / "scripts/dev.mjs").read_text() + stubborn)
    start(folder, port)
    assert dev_server.stop(WORK, 0.5) >= 3
    assert dev_server.find(WORK) is None


def test_a_number_that_is_another_ones_by_now_is_not_signalled():
    other = subprocess.Popen(["sleep", "60"])
    try:
        dev_server._signal([dev_server.Server(other.pid, 1)], signal.SIGKILL)
        time.sleep(0.1)
        assert other.poll() is None
        assert not dev_server.belongs(other.pid, WORK)
        assert dev_server.stop(WORK) == 0
    finally:
        other.kill()
        other.wait()


def test_the_first_process_may_be_gone_and_the_rest_is_still_found(folder, port):
    server = start(folder, port)
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: dev_server.find(WORK) not in (server, None))
    dev_server.stop(WORK)
    assert dev_server.listener(port) is None


def test_what_has_lost_its_environment_while_it_ends_still_counts_as_running():
    """As between a process's memory and its files, which the system takes away one after the other."""
    code = (
        "import os, signal, sys, time\n"
        "again = [sys.executable, '-c', 'import time; time.sleep(1)']\n"
        "signal.signal(signal.SIGTERM, lambda *_: os.execve(sys.executable, again, {}))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    one = subprocess.Popen([sys.executable, "-c", code], env={dev_server.MARK: WORK}, stdout=subprocess.PIPE)
    try:
        assert one.stdout.readline() == b"ready\n"
        assert dev_server.stop(WORK) == 1
        # Ended: a zombie at most, where nobody has waited for it.
        status = Path(f"/proc/{one.pid}/status")
        assert not status.exists() or "Z (zombie)" in status.read_text()
    finally:
        one.kill()
        one.wait()
