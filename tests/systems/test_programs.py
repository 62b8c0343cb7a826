import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from opslib.errors import OpsError, Refused, StepFailed, Unreachable, UsageError
from opslib.redaction import DatabaseUrl
from opslib.systems import programs
from tests.waiting import until

PASSWORD = "a:pass\\word'with %s signs"
URL = DatabaseUrl("postgresql://someone:a%3Apass%5Cword%27with%20%25s%20signs@127.0.0.1:9/nowhere")


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Return a function that writes a program of our own in the place of a PostgreSQL program."""

    def write(name: str, body: str) -> None:
        file = tmp_path / name
        file.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{name} (PostgreSQL) 18.6"; exit; fi\n{body}\n')
        file.chmod(0o755)
        monkeypatch.setenv("OPS_PG_BIN", str(tmp_path))

    return write


def dump(url=URL, arguments=(), seconds=20.0, version="18.1"):
    with programs.stream("pg_dump", url, arguments, server_version=version, seconds=seconds) as pieces:
        return b"".join(pieces)


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def wait_for(file: Path) -> str:
    until = time.monotonic() + 20
    while not (file.exists() and file.read_text().strip()):
        assert time.monotonic() < until, f"{file.name} did not come"
        time.sleep(0.01)
    return file.read_text().strip()


def test_a_real_dump_streams_to_its_end(lab):
    data = dump(lab.settings.database_url, ["--format=custom", "--schema-only"], version="18")
    assert data.startswith(b"PGDMP")


def test_the_password_is_in_no_process_argument_or_environment_while_a_program_runs(lab):
    url = lab.settings.database_url
    password = url.parts()[-1].encode()
    seen: list[str] = []
    with lab.admin() as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE public.cases IN ACCESS EXCLUSIVE MODE")
        errors: list[BaseException] = []

        def work() -> None:
            try:
                dump(url, ["--lock-wait-timeout=20s", "--schema-only"], version="18")
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        files = set()
        end = time.monotonic() + 20
        while not waiting(lab) and time.monotonic() < end:
            files |= look(password, seen)
        files |= look(password, seen)
        for file in files:
            assert file.stat().st_mode & 0o777 == 0o600
            assert password in file.read_bytes()
        holder.execute("ROLLBACK")
        thread.join()
    assert errors == []
    # The program's and its guardian's way to one file.
    assert len(files) == 2
    assert not any(file.exists() for file in files)
    assert seen == []


def waiting(lab) -> bool:
    with lab.admin() as session:
        rows = session.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'opslib' AND wait_event_type = 'Lock'"
        ).fetchall()
    return bool(rows)


def look(password: bytes, seen: list[str]) -> set[Path]:
    """Note every process below this one that shows the password; return the password files in use."""
    files = set()
    for below in psutil.Process().children(recursive=True):
        process = Path(f"/proc/{below.pid}")
        with suppress(OSError):
            arguments, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
            if b"pg_dump" not in arguments:
                continue
            if password in arguments or password in environment:
                seen.append(process.name)
            for item in environment.split(b"\0"):
                if item.startswith(b"PGPASSFILE="):
                    name = item.removeprefix(b"PGPASSFILE=").decode()
                    files.add(Path(name.replace("/proc/self/", f"{process}/")))
    return files


def test_a_wrong_password_is_an_error_that_does_not_repeat_it(lab):
    url = lab.settings.database_url
    wrong = DatabaseUrl(f"postgresql://postgres:wr0ng-but-secret@{url.host}:{url.port}/{url.path}")
    with pytest.raises(StepFailed, match="authentication failed") as caught:
        dump(wrong, version="18")
    assert "wr0ng-but-secret" not in str(caught.value)


def test_a_password_with_colons_and_backslashes_is_written_as_libpq_reads_it(script):
    script("pg_dump", 'cat "$PGPASSFILE"; echo "$PGHOST $PGPORT $PGUSER $PGDATABASE $LANG"')
    said = dump().decode().splitlines()
    assert said[0] == "*:*:*:*:" + PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    assert said[1] == "127.0.0.1 9 someone nowhere C"


def test_a_program_gets_an_environment_of_its_own(script, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for children")
    monkeypatch.setenv("PGPASSWORD", "not for children")
    script("pg_dump", "/usr/bin/env")
    names = {line.split("=", 1)[0] for line in dump().decode().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {
        *("LANG", "LC_ALL", "TZ", "HOME", "PGHOST", "PGPORT", "PGUSER"),
        *("PGDATABASE", "PGAPPNAME", "PGCONNECT_TIMEOUT", "PGPASSFILE"),
    }


def test_a_server_elsewhere_is_spoken_to_over_verified_tls_unless_the_address_says_otherwise(script):
    script("pg_dump", 'echo "$PGSSLMODE $PGSSLROOTCERT"')
    assert dump(DatabaseUrl("postgresql://u:password@db.example.com/x")) == b"verify-full system\n"
    assert dump(DatabaseUrl("postgresql://u:password@db.example.com/x?sslmode=require")) == b"require system\n"
    with pytest.raises(Refused, match="'options'"):
        dump(DatabaseUrl("postgresql://u:password@db.example.com/x?options=-c%20a%3Db"))


def test_a_client_older_than_the_server_is_refused(lab):
    with pytest.raises(Refused, match="older than the server"):
        dump(lab.settings.database_url, version="99.0")


def test_only_programs_of_the_list_are_started(tmp_path, monkeypatch):
    for name in ("sh", "docker-compose"):
        with pytest.raises(UsageError, match=f"{name} is not one of"):
            programs.find(name)
    monkeypatch.setenv("OPS_PG_BIN", str(tmp_path))
    with pytest.raises(UsageError, match="not installed in"):
        programs.find("pg_dump")


def test_a_program_that_fails_half_way_is_an_error_after_its_output(script):
    script("pg_dump", "echo half; echo 'the disk is gone' >&2; exit 3")
    got: list[bytes] = []

    def take() -> None:
        with programs.stream("pg_dump", URL, [], server_version="18", seconds=20) as pieces:
            got.extend(pieces)

    with pytest.raises(StepFailed, match=r"exit code 3: the disk is gone"):
        take()
    assert b"".join(got) == b"half\n"


def test_a_program_that_is_killed_is_an_error(script):
    script("pg_dump", "echo half; kill -9 $$")
    with pytest.raises(StepFailed, match="signal 9"):
        dump()


def test_much_on_stderr_neither_blocks_nor_fills_the_memory(script):
    script("pg_dump", "head -c 5000000 /dev/zero | tr '\\0' 'x' >&2; echo ' the end' >&2; exit 1")
    with pytest.raises(StepFailed, match="the end") as caught:
        dump()
    assert len(caught.value.message) < 5_000


def test_after_its_time_a_program_and_its_children_are_gone(script, tmp_path):
    script("pg_dump", f"sleep 1000 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/own; wait")
    with pytest.raises(Unreachable, match="no answer within"):
        dump(seconds=0.3)
    pids = [int(wait_for(tmp_path / name)) for name in ("child", "own")]
    assert [pid for pid in pids if alive(pid)] == []


def test_a_program_that_ignores_the_first_signal_is_killed(script, tmp_path):
    script("pg_dump", f"trap '' TERM; echo $$ > {tmp_path}/own; while :; do sleep 0.1; done")
    with pytest.raises(Unreachable):
        dump(seconds=0.3)
    assert not alive(int(wait_for(tmp_path / "own")))


@pytest.mark.parametrize("end", ["wait", "exit 1"])
def test_a_worker_that_ignores_the_first_signal_does_not_outlive_its_program(script, tmp_path, end):
    ready = f"while [ ! -s {tmp_path}/worker ]; do sleep 0.01; done"
    script(
        "pg_dump",
        f"(trap '' TERM; sh -c 'echo $PPID > {tmp_path}/worker'; while :; do sleep 0.1; done) & {ready}; {end}",
    )
    with pytest.raises((Unreachable, StepFailed)):
        dump(seconds=1)
    assert not alive(int(wait_for(tmp_path / "worker")))


def test_leaving_early_ends_the_program(script, tmp_path):
    script("pg_dump", f"echo $$ > {tmp_path}/own; while :; do echo more; done")
    with programs.stream("pg_dump", URL, [], server_version="18", seconds=20) as pieces:
        assert next(pieces).startswith(b"more")
    assert not alive(int(wait_for(tmp_path / "own")))


def test_what_is_fed_arrives_whole_and_warnings_are_kept(script, tmp_path):
    script("pg_restore", f"cat > {tmp_path}/got; echo fine; echo careful >&2")
    pieces = [bytes([number]) * 70_000 for number in range(30)]
    said = programs.feed("pg_restore", None, [], pieces, server_version="18", seconds=20)
    assert (tmp_path / "got").read_bytes() == b"".join(pieces)
    assert (said.output, said.warnings, said.version) == ("fine", "careful", "18.6")


def test_an_error_of_the_source_ends_the_program_and_is_raised_as_it_is(script, tmp_path):
    script("pg_restore", f"echo $$ > {tmp_path}/own; cat > /dev/null; sleep 1000")

    def source():
        yield b"first"
        wait_for(tmp_path / "own")
        raise Unreachable("the bucket is gone")

    with pytest.raises(Unreachable, match="the bucket is gone"):
        programs.feed("pg_restore", None, [], source(), server_version="18", seconds=20)
    assert not alive(int(wait_for(tmp_path / "own")))


def test_a_program_that_stops_reading_is_an_error_even_with_exit_code_0(script):
    script("pg_restore", "exec 0<&-; exit 0")
    with pytest.raises(StepFailed, match="stopped before it had read everything"):
        programs.feed("pg_restore", None, [], [b"x" * 100_000] * 20, server_version="18", seconds=20)


def test_a_restore_of_garbage_fails(lab):
    with pytest.raises(StepFailed, match="archive"):
        programs.feed("pg_restore", None, ["--file=/dev/null"], [b"garbage" * 100], server_version="18", seconds=20)


@pytest.mark.parametrize("memory", [True, False])
def test_no_password_file_is_left_and_none_has_a_name_where_memory_can_hold_it(script, tmp_path, monkeypatch, memory):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not memory:
        monkeypatch.delattr("os.memfd_create")
    script("pg_dump", f"ls {tmp_path}; exit 1")
    with suppress(OpsError):
        dump()
    script("pg_dump", f'ls {tmp_path}; cat "$PGPASSFILE"')
    said = dump().decode()
    assert ("ops-" in said) is not memory
    assert "*:*:*:*:a\\:pass" in said
    assert list(tmp_path.glob("ops-*")) == []


@pytest.mark.parametrize("body", ["exec sleep 60", "trap '' TERM; sleep 60 & wait; sleep 60"])
def test_a_program_ends_with_the_process_that_started_it(script, tmp_path, body):
    script("pg_dump", f'echo $$ > "{tmp_path}/pid"; {body}')
    code = (
        "from opslib.systems import programs\n"
        "with programs.stream('pg_dump', None, [], server_version='18', seconds=60) as pieces: list(pieces)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    pid = int(wait_for(tmp_path / "pid"))
    parent.kill()
    parent.wait()
    until(lambda: not alive(pid))


def test_a_program_that_was_ended_by_a_signal_is_told_to_have_been(script):
    script("pg_dump", "kill -SEGV $$")
    with pytest.raises(StepFailed, match=f"signal {signal.SIGSEGV:d}"):
        dump()
