from __future__ import annotations

import json
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg import sql

from opslib.errors import SettingsError
from opslib.lab import filling, state
from opslib.lab.cache import Cache
from opslib.lab.database import DATABASE, Database
from opslib.lab.description import NOBODY_YET
from opslib.lab.processes import LabError, find
from opslib.lab.supervisor import Lab
from opslib.runs.signed import trusted
from opslib.settings import Settings
from tests.scale import nightly
from tests.waiting import living

CLOCK = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROWS = 1_500


def processes(lab: Lab) -> list[psutil.Process]:
    found = state.read(lab.folder)
    assert found is not None
    mains = [find(entry.trace) for entry in found.services.values()]
    return [p for main in mains if main for p in (main, *main.children(recursive=True))]


def database(lab: Lab) -> Database:
    found = state.read(lab.folder)
    assert found is not None
    return Database(found, state.passwords(lab.folder))


@nightly
def test_two_labs_run_side_by_side_and_the_same_parameters_give_the_same_content(lab, new_lab):
    one, other = lab.lab, new_lab()
    other.up(ROWS)
    addresses = [row["address"] for each in (one, other) for row in each.status()]
    assert len(set(addresses)) == len(addresses)
    assert {row["state"] for each in (one, other) for row in each.status()} == {"up"}

    # In databases that no application writes to.
    with content(one, "same", seed=1) as left, content(other, "same", seed=1) as right:
        digest = filling.digest(left)
        assert filling.digest(right) == digest
        right.execute("update messages set content = content || '.' where id in (select id from messages limit 1)")
        assert filling.digest(right) != digest
    with content(one, "another", seed=2) as left:
        assert filling.digest(left) != digest
    other.down()
    assert {row["state"] for row in one.status()} == {"up"}


@contextmanager
def content(lab: Lab, name: str, seed: int) -> Iterator[Any]:
    """A session in a new database of the lab's server, generated for a fixed clock; dropped afterwards."""
    server, which = database(lab), sql.Identifier(name)
    with server.session("postgres") as admin:
        admin.execute(sql.SQL("create database {}").format(which))
        try:
            filling.fill(lambda: server.session(name), ROWS, CLOCK, seed)
            with server.session(name) as session:
                yield session
        finally:
            admin.execute(sql.SQL("drop database {} with (force)").format(which))


def test_nothing_listens_beyond_loopback(lab):
    sockets = [c for p in processes(lab.lab) for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert {ip_address(c.laddr.ip).is_loopback for c in sockets} == {True}
    told = {int(str(row["address"]).rpartition(":")[2]) for row in lab.lab.status()}
    assert told <= {c.laddr.port for c in sockets}


@pytest.fixture(scope="module")
def own() -> Iterator[Lab]:
    """The folder and name of the lab that :func:`breakable` has running."""
    with tempfile.TemporaryDirectory(prefix="opslib-labs-") as parent:
        Path(parent).chmod(0o711)
        lab = Lab(Path(parent) / "lab")
        yield lab
        lab.down()


@pytest.fixture
def breakable(own: Lab) -> Lab:
    """A lab that the tests break one after the other; each leaves it whole again, or takes it down."""
    was = own.status()
    assert own.up(ROWS) == ("already up" if was else "started")
    return own


def kill(lab: Lab, *services: str) -> None:
    for row in lab.status():
        if row["service"] in services:
            process = psutil.Process(int(str(row["pid"])))
            process.kill()
            psutil.wait_procs([process], timeout=5)


def test_killed_servers_are_seen_by_status_and_brought_back_by_up_with_their_data(breakable):
    found = state.read(breakable.folder)
    assert found is not None
    cache = Cache(found, state.passwords(breakable.folder))
    with database(breakable).session(DATABASE) as session, cache.client() as client:
        session.execute("create table public.kept as select 1 as one")
        client.set("quota:kept", "1")
    before = {row["service"]: row for row in breakable.status()}
    kill(breakable, "postgres", "valkey", "aws")
    assert {row["service"] for row in breakable.status() if row["state"] == "down"} == {"postgres", "valkey", "aws"}

    assert breakable.up(ROWS) == "repaired"
    after = {row["service"]: row for row in breakable.status()}
    assert {row["state"] for row in after.values()} == {"up"}
    assert {name: row["address"] for name, row in after.items()} == {n: row["address"] for n, row in before.items()}
    with database(breakable).session(DATABASE) as session, cache.client() as client:
        assert session.execute("select one from public.kept").fetchall() == [{"one": 1}]
        assert client.get("quota:kept") == "1"
        assert client.zcard("bull:llm-processing:completed") == 58


def test_a_lab_whose_filling_was_interrupted_is_filled_anew(breakable):
    file = breakable.folder / "lab.json"
    said = json.loads(file.read_text())
    said["services"]["postgres"]["filled"] = False
    state.write(file, json.dumps(said))
    with database(breakable).session(DATABASE) as session:
        session.execute("drop table public.backup_logs")
    assert [row["state"] for row in breakable.status() if row["service"] == "postgres"] == ["incomplete"]
    assert breakable.up(ROWS) == "repaired"
    with database(breakable).session(DATABASE) as session:
        assert session.execute("select count(*) as n from public.backup_logs").fetchall() == [{"n": 90}]


def test_a_server_that_cannot_start_is_reported_with_the_end_of_its_log(breakable):
    control = breakable.folder / "postgres" / "data" / "global" / "pg_control"
    kill(breakable, "postgres")
    control.rename(breakable.folder / "pg_control")
    with pytest.raises(LabError, match="postgres ended before it was ready") as caught:
        breakable.up(ROWS)
    assert "global/pg_control" in str(caught.value)
    assert {row["service"] for row in breakable.status() if row["state"] == "down"} == {"postgres"}
    (breakable.folder / "pg_control").rename(control)
    assert breakable.up(ROWS) == "repaired"


def test_up_twice_leaves_a_running_lab_alone_and_down_leaves_no_process_and_no_file(breakable):
    lab = breakable
    before = {p.pid for p in processes(lab)}
    signers = lab.settings().allowed_signers
    assert signers is not None
    # People's own keys stay in the list; a list of nobody lets nobody speak.
    assert (trusted(signers, None).signers, stat.S_IMODE(signers.stat().st_mode)) == (NOBODY_YET.encode(), 0o600)
    said: list[str] = []
    assert lab.up(ROWS, lambda text, done, total: said.append(text)) == "already up"
    assert said == [f"The lab is already up, with about {ROWS} rows."]
    assert {row["pid"] for row in lab.status()} <= before

    family = processes(lab)
    assert len(family) > len(lab.status())
    assert lab.down() is True
    assert [p for p in family if living(p)] == []
    assert not lab.folder.exists()
    assert lab.status() == []
    assert lab.down() is False


def test_the_target_description_names_every_variable_and_is_for_its_owner_only(lab):
    file = lab.folder / "target.env"
    lines = file.read_text().splitlines()
    assert [line.partition("=")[0] for line in lines] == [str(f.alias) for f in Settings.model_fields.values()]
    for secret in (file, lab.folder / "secrets.json", lab.folder / "valkey" / "valkey.conf"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert lab.settings.environment == "lab"


def test_no_secret_stands_in_a_command_line_or_in_a_log(lab):
    secrets = state.passwords(lab.folder).values()
    lines = ""
    for one in processes(lab.lab):
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):  # one that has just ended shows nothing any more
            lines += " ".join(one.cmdline())
    assert "--port" in lines
    logs = "".join(log.read_text(errors="replace") for log in (lab.folder / "logs").iterdir())
    assert logs
    assert [s for s in secrets if s in lines or s in logs] == []


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(new_lab):
    lab = new_lab()
    (lab.folder / "logs").mkdir(parents=True)
    (lab.folder / "logs" / "mine.log").write_text("mine")
    with pytest.raises(LabError, match=r"not empty \(logs\)"):
        lab.up(ROWS)
    assert lab.down() is False
    assert (lab.folder / "logs" / "mine.log").read_text() == "mine"


@nightly
def test_up_and_down_at_the_same_time_take_turns(new_lab):
    lab = new_lab()
    lab.up(ROWS)
    with ThreadPoolExecutor() as pool:
        down, up = pool.submit(Lab(lab.folder).down), pool.submit(Lab(lab.folder).up, ROWS)
        ended = (down.result(), up.result())
    states_seen = {row["state"] for row in lab.status()}
    assert (ended, states_seen) in (((True, "started"), {"up"}), ((True, "already up"), set()))


def test_a_lab_that_is_down_has_no_settings(new_lab):
    with pytest.raises(SettingsError, match="not running"):
        new_lab().settings()
