from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from opslib.lab import accounts
from opslib.lab.database import DATABASE, Database, find_pg_bin
from tests.scale import nightly

ROOT = Path(__file__).resolve().parents[2]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")


def nobody_reaches_postgresql() -> bool:
    user = accounts.nobody()
    try:
        subprocess.run([find_pg_bin() / "postgres", "--version"], user=user.uid, group=user.gid, cwd="/", check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@AS_ROOT
def test_root_gets_an_account_under_which_postgresql_accepts_to_run(lab):
    account = accounts.server_account()
    assert account.prefix or account.uid
    done = subprocess.run(
        [*account.prefix, "id", "-u"], user=account.uid, extra_groups=None, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == accounts.NOBODY
    assert {row["state"] for row in lab.lab.status()} == {"up"}


@AS_ROOT
def test_where_namespaces_are_forbidden_root_runs_postgresql_as_the_user_nobody(alone):
    if not nobody_reaches_postgresql():
        pytest.skip("the user nobody cannot reach PostgreSQL's programs")
    server = alone(Database, accounts.nobody())
    assert psutil.Process(server.trace.pid).uids().real == accounts.nobody().uid
    first = server.trace
    server.up()
    assert (server.complete, server.trace) == (True, first)
    with server.session(DATABASE) as session:
        assert session.execute("select count(*) > 0 as filled from public.cases").fetchone() == {"filled": True}


@AS_ROOT
@nightly
def test_where_namespaces_are_forbidden_root_has_a_whole_lab_up(new_lab):
    if not nobody_reaches_postgresql():
        pytest.skip("the user nobody cannot reach PostgreSQL's programs")
    lab = new_lab(accounts.nobody())
    lab.up(1_000)
    postgres = next(row for row in lab.status() if row["service"] == "postgres")
    assert psutil.Process(int(str(postgres["pid"]))).uids().real == accounts.nobody().uid
    assert lab.up(1_000) == "already up"


@nightly
def test_an_ordinary_user_can_start_and_stop_the_lab_by_hand(tmp_path):
    # Root plays the ordinary user in a user namespace: there it is user 1000 with no privilege.
    user = accounts.namespace(1000) if os.geteuid() == 0 else accounts.Account()
    if user is None:
        pytest.skip("this machine forbids user namespaces")

    def lab(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*user.prefix, sys.executable, "-m", "opslib.lab", *words, "--folder", str(tmp_path / "lab")]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})

    try:
        up = lab("up", "--rows", "1000")
        assert up.returncode == 0, up.stdout + up.stderr
        status = lab("status")
        assert (status.returncode, status.stdout.count(" up ")) == (0, up.stdout.count(": up at"))
    finally:
        down = lab("down")
    assert down.stdout == "The lab is down; its data is removed.\n"
    assert lab("status").returncode == 2
