"""Locks of runs: on one machine, and across machines that share a target; real processes, real signals."""

import getpass
import itertools
import json
import os
import secrets
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opslib.errors import Refused, UsageError
from opslib.runs import local_lock
from opslib.runs.locks import Locks, skew_seconds, target_id
from opslib.systems.lease_store import LeaseStore, StoreTime, clock
from opslib.systems.object_client import connect
from tests.descriptions import description
from tests.scale import count
from tests.systems.lease_front import Front
from tests.waiting import until

BUCKET = "locks-of-a-test"
AS_ANOTHER = """
import os, sys
from pathlib import Path
from opslib.errors import Refused
from opslib.runs import local_lock
os.setgid(65534); os.setuid(65534)
try:
    lock = local_lock.take(Path(sys.argv[1]))
    lock.write({"run": "x"})
    print(lock.held, lock.text())
except Refused as refused:
    print("Refused", refused.message.split(": ")[1].rstrip("."))
"""
MOMENT = datetime(2026, 11, 23, 13, 6, 14, tzinfo=UTC)


@pytest.fixture
def target():
    return description()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "locks"


@pytest.fixture
def front(lab):
    one = Front(lab.settings.aws_endpoint_url)
    yield one
    one.close()


@pytest.fixture(scope="module")
def bucket(lab):
    client = connect(lab.settings, lab.settings.aws_access_key_id, lab.settings.aws_secret_access_key)
    client.create_bucket(Bucket=BUCKET)
    client.close()
    return BUCKET


@pytest.fixture
def shared(lab, front, bucket):
    """The lab's description with a lease bucket, reached through the front; each test gets its own target id."""
    return lab.settings.model_copy(
        update={
            "lease_bucket": bucket,
            "aws_endpoint_url": front.url,
            "backup_bucket": f"of-test-{secrets.token_hex(8)}",
        }
    )


@pytest.fixture
def machine(shared, tmp_path):
    """Make one run's locks; another ``name`` is another machine: it has another folder of locks."""
    made = []

    def machine(run, name="a", ttl=60.0):
        made.append(Locks(shared, run, folder=tmp_path / name, ttl=ttl))
        return made[-1]

    yield machine
    for one in made:
        one.close()


class Contender:
    """A run in a process of its own that takes locks and checks them when asked."""

    def __init__(self, lab, target, folder, run, ttl, areas, variables):
        words = ["hold", lab.folder / "target.env", target.lease_bucket, target.aws_endpoint_url, target.backup_bucket]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.runs.contenders", *map(str, words), str(folder), run, str(ttl), *areas],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
            env=os.environ | variables,
        )
        self.said = self.hear()

    def hear(self):
        return json.loads(self.process.stdout.readline())

    def check(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.hear()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.kill()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def contender(lab, shared, tmp_path):
    made = []

    def contender(run, name="a", ttl=60.0, areas=("database",), **variables):
        made.append(Contender(lab, shared, tmp_path / name, run, ttl, areas, variables))
        return made[-1]

    yield contender
    for one in made:
        one.close()


def refused(locks, area="database"):
    with pytest.raises(Refused) as caught:
        locks.take(area)
    return str(caught.value)


# One machine


def test_a_second_run_is_refused_at_once_and_told_who_when_and_what_to_do(target, folder):
    with Locks(target, "run-a", folder=folder) as first, Locks(target, "run-b", folder=folder) as second:
        first.take("database")
        said = refused(second)
        assert f"The database of lab is being changed by run-a, started by {getpass.getuser()}@" in said
        assert f"at {datetime.now(UTC):%Y-%m-%d}T" in said
        assert "ops stop run-a" in said
        first.check()
        first.close()
        second.take("database")
        second.check()
        assert "run-b" in refused(first)


def test_taking_twice_is_taking_once_and_other_areas_and_targets_are_free(target, folder):
    other = target.model_copy(update={"backup_bucket": "another-bucket"})
    with Locks(target, "run-a", folder=folder) as first, Locks(target, "run-b", folder=folder) as second:
        first.take("database")
        first.take("database")
        second.take("cache")
        with Locks(other, "run-c", folder=folder) as third:
            third.take("database")
        assert "run-a" in refused(second)
        assert first.fences == {}


def text(folder):
    (path,) = folder.iterdir()
    return json.loads(path.read_text())


def test_a_lock_says_who_has_it_in_so_many_letters_and_nothing_once_it_is_let_go(target, folder, monkeypatch):
    monkeypatch.setenv("LOGNAME", "u" * 300)
    with Locks(target, "run-a", folder=folder) as locks:
        locks.take("database")
        assert text(folder) == {"run": "run-a", "user": "u" * 200, "host": socket.gethostname()} | {
            "since": text(folder)["since"]
        }
    assert text(folder) == {}
    Locks(target, "run-b", folder=folder).take("database")


def test_an_area_that_is_none_is_wrong_usage(target, folder):
    with pytest.raises(UsageError, match="no area"), Locks(target, "run-a", folder=folder) as locks:
        locks.take("../etc/passwd")
    assert not folder.exists()


def test_two_runs_that_take_two_areas_in_different_order_never_wait_for_one_another(target, folder):
    with Locks(target, "run-a", folder=folder) as first, Locks(target, "run-b", folder=folder) as second:
        first.take("database")
        second.take("cache")
        assert "run-b" in refused(first, "cache")
        assert "run-a" in refused(second, "database")
        second.close()
        first.take("cache")


def test_locks_end_with_their_process(lab, target, contender, shared, tmp_path):
    one = contender("run-a")
    assert one.said == {"held": {"database": 1}, "findings": []}
    with Locks(shared.model_copy(update={"lease_bucket": None}), "run-b", folder=tmp_path / "a") as locks:
        assert "run-a" in refused(locks)
        one.kill()
        locks.take("database")


def test_closing_twice_and_without_anything_taken_raises_nothing(target, folder):
    locks = Locks(target, "run-a", folder=folder)
    locks.close()
    locks.take("database")
    locks.close()
    locks.close()


def test_a_lock_whose_file_was_removed_locks_nobody_out_and_says_so(target, folder):
    with Locks(target, "run-a", folder=folder) as locks:
        locks.take("database")
        locks.check()
        (path,) = folder.iterdir()
        path.unlink()
        with pytest.raises(Refused, match="was removed"):
            locks.check()
        with Locks(target, "run-b", folder=folder) as other:
            other.take("database")
            with pytest.raises(Refused, match="was removed"):
                locks.check()


def test_folder_and_files_are_open_to_all_users_of_the_machine_whatever_the_umask(target, folder):
    before = os.umask(0o077)
    try:
        with Locks(target, "run-a", folder=folder) as locks:
            locks.take("database")
            (path,) = folder.iterdir()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
            assert stat.S_IMODE(path.stat().st_mode) == 0o666
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
@pytest.mark.parametrize(
    ("mode", "said"), [(0o666, "True {'run': 'x'}"), (0o444, "True {}"), (0o000, "Refused Permission denied")]
)
def test_another_user_can_lock_what_it_may_open_in_any_way(target, mode, said):
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o711)
        with Locks(target, "run-a", folder=Path(place) / "locks") as locks:
            locks.take("database")
        (path,) = (Path(place) / "locks").iterdir()
        path.write_text("")
        path.chmod(mode)
        found = subprocess.run([sys.executable, "-c", AS_ANOTHER, path], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == said


@pytest.mark.parametrize("kind", ["link", "hard link", "folder", "pipe"])
def test_what_stands_in_a_locks_place_is_neither_followed_nor_written(target, folder, tmp_path, kind):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    with Locks(target, "run-a", folder=folder) as locks:
        locks.take("database")
    (path,) = folder.iterdir()
    path.unlink()
    make = {
        "link": lambda: path.symlink_to(victim),
        "hard link": lambda: path.hardlink_to(victim),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
    }
    make[kind]()
    with Locks(target, "run-b", folder=folder) as locks:
        assert "cannot be used" in refused(locks)
    assert victim.read_text() == "mine"


def test_a_folder_in_which_anybody_removes_anybodys_files_is_not_used(target, folder, tmp_path):
    folder.mkdir()
    folder.chmod(0o777)
    assert "anybody may remove" in refused(Locks(target, "run-a", folder=folder))
    (tmp_path / "linked").symlink_to(tmp_path)
    assert "is no folder" in refused(Locks(target, "run-a", folder=tmp_path / "linked"))
    (tmp_path / "file").write_text("")
    assert "cannot be used" in refused(Locks(target, "run-a", folder=tmp_path / "file" / "locks"))


@pytest.mark.parametrize("text", [b"", b"\xff", b"[1]", b'{"run": 7}', b"[" * 4096])
def test_a_text_that_says_nobody_still_refuses(target, folder, text):
    with Locks(target, "run-a", folder=folder) as first, Locks(target, "run-b", folder=folder) as second:
        first.take("database")
        (path,) = folder.iterdir()
        path.write_bytes(text)
        assert "a run that did not say so" in refused(second)


def test_a_text_that_a_terminal_would_obey_is_shown_harmless(target, folder):
    with Locks(target, "run-a", folder=folder) as first, Locks(target, "run-b", folder=folder) as second:
        first.take("database")
        (path,) = folder.iterdir()
        path.write_text(json.dumps({"run": "x\x1b[31m\u202e\n" + "y" * 999}))
        said = refused(second)
        assert f" by x?[31m??{'y' * 112}, started by @ at . " in said


def test_the_folder_is_the_machines_and_can_be_given(monkeypatch):
    monkeypatch.delenv("OPS_LOCKS", raising=False)
    monkeypatch.setenv("TMPDIR", "/somewhere/of/mine")
    assert local_lock.shared_folder() in (Path("/run/lock/opslib"), Path("/tmp/opslib-locks"))
    monkeypatch.setenv("OPS_LOCKS", "/srv/locks")
    assert local_lock.shared_folder() == Path("/srv/locks")


def test_who_says_no_folder_locks_in_the_machines_own(target, tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_LOCKS", str(tmp_path / "ours"))
    with Locks(target, "run-a") as locks:
        locks.take("database")
        assert [one.suffix for one in (tmp_path / "ours").iterdir()] == [".lock"]


# Names of targets


def test_a_targets_name_follows_from_what_can_be_written_and_not_from_how_it_is_spelled():
    same = {
        "DATABASE_URL": "postgres://another:other-password@127.0.0.1:1/valuecanvas?sslmode=require",
        "OPS_SCRATCH_DATABASE_URL": "postgresql://o:hunter2-hunter2@localhost/x",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:7",
    }
    assert target_id(description()) == target_id(description(**same))
    default = description(DATABASE_URL="postgresql://a:hunter2-hunter2@DB.example.com./v", REDIS_URL="redis://c")
    written = description(DATABASE_URL="postgresql://db.example.com:5432/v", REDIS_URL="redis://c:6379")
    assert target_id(default) == target_id(written)
    short = description(DATABASE_URL="postgres://a:hunter2-hunter2@db/v", REDIS_URL="rediss://c")
    assert target_id(short) == target_id(description(DATABASE_URL="postgres://db:5432/v", REDIS_URL="rediss://c:6379"))
    assert target_id(description()).startswith("lab-")
    assert len(target_id(description())) == len("lab-") + 16


@pytest.mark.parametrize(
    "other",
    [
        {"DATABASE_URL": "postgresql://o:hunter2-hunter2@127.0.0.1:2/valuecanvas"},
        {"DATABASE_URL": "postgresql://o:hunter2-hunter2@127.0.0.1:1/other"},
        {"REDIS_URL": "redis://127.0.0.1:1/1"},
        {"S3_BUCKET_NAME": "other"},
        {"environment": "staging"},
    ],
)
def test_targets_that_differ_in_what_can_be_written_have_different_names(other):
    assert target_id(description()) != target_id(description(**other))


# Machines that share a target


def test_of_two_machines_one_is_refused_and_told_who_has_the_lease(machine):
    first, second = machine("run-a", "a"), machine("run-b", "b")
    first.take("database")
    first.check()
    said = refused(second)
    assert f"The database of lab is being changed by run-a, started by {getpass.getuser()}@" in said
    assert "ops stop run-a" in said
    assert "can be taken over in 60 s" in said
    second.take("cache")
    first.close()
    second.take("database")
    assert second.fences == {"cache": 1, "database": 2}
    second.check()


def test_a_killed_holder_is_followed_at_once_on_its_own_machine(machine, contender):
    contender("run-a", "a").kill()
    assert "run-a" in refused(machine("run-c", "b"))
    locks = machine("run-b", "a")
    locks.take("database")
    locks.check()
    assert locks.fences == {"database": 2}


def test_a_killed_holder_is_followed_on_another_machine_only_after_its_whole_time(machine, contender, front):
    ttl = 2.0
    contender("run-a", "a", ttl).kill()
    before = clock()
    assert "can be taken over in 2 s" in refused(machine("run-b", "b", ttl))
    # Each try is a run of its own: what was seen is kept by the machine.
    tried = []

    def next_one():
        locks = machine("run-b", "b", ttl)
        try:
            locks.take("database")
        except Refused as error:
            tried.append(str(error))
            return None
        return locks

    locks = until(next_one)
    assert clock() - before >= ttl
    assert all("run-a" in said for said in tried)
    assert locks.fences == {"database": 2}


def test_a_holder_that_stood_still_does_not_act_when_it_goes_on(machine, contender):
    ttl = 3.0
    paused = contender("run-a", "a", ttl)
    assert paused.check() == {"valid": True}
    paused.process.send_signal(signal.SIGSTOP)

    def next_one():
        locks = machine("run-b", "b", ttl=60.0)
        try:
            locks.take("database")
        except Refused:
            return None
        return locks

    second = until(next_one)
    assert second.fences == {"database": 2}
    paused.process.send_signal(signal.SIGCONT)
    said = paused.check()
    assert said["valid"] is False
    assert "lease" in said["why"]
    second.check()
    paused.process.stdin.close()
    paused.process.wait()
    second.check()
    assert "run-b" in refused(machine("run-c", "c"))


def test_a_runs_lease_is_renewed_for_as_long_as_it_runs(machine, front):
    locks = machine("run-a", "a", ttl=6.0)
    locks.take("database")
    taken = front.writes
    until(lambda: front.writes >= taken + 2)
    locks.check()


def test_a_run_whose_renewals_are_lost_is_refused_before_another_may_act(machine, front):
    first = machine("run-a", "a", ttl=4.0)
    first.take("database")
    front.silent.set()

    def fails():
        try:
            first.check()
        except Refused as error:
            return str(error)
        return None

    assert "not renewed for 2 s" in until(fails)
    front.silent.clear()
    assert "run-a" in refused(machine("run-b", "b"))


def test_a_store_that_says_nothing_refuses_and_leaves_no_lock_behind(machine, front):
    front.silent.set()
    said = refused(machine("run-a", "a", ttl=4.0))
    assert "could not be taken" in said
    front.silent.clear()
    machine("run-b", "a").take("database")


def test_a_removed_lock_file_does_not_make_a_living_owner_look_dead(machine, tmp_path):
    first = machine("run-a", "a")
    first.take("database")
    (path,) = (tmp_path / "a").iterdir()
    path.unlink()
    assert "run-a" in refused(machine("run-b", "a"))


def test_what_was_seen_of_a_strangers_lease_is_kept_by_the_machine_until_it_has_its_own(machine, tmp_path):
    first = machine("run-a", "a")
    first.take("database")
    refused(machine("run-b", "b"))
    assert {"etag", "at", "clock"} <= text(tmp_path / "b").keys()
    first.close()
    machine("run-c", "b").take("database")
    assert text(tmp_path / "b").keys() == {"run", "user", "host", "since"}


def test_who_comes_while_the_store_is_asked_is_told_who_asks(machine, front, tmp_path):
    front.silent.set()
    asking = machine("run-a", "a")

    def ask():
        with suppress(Refused):
            asking.take("database")

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: [path for path in tmp_path.glob("a/*.lock") if b"run-a" in path.read_bytes()])
    assert "is being changed by run-a, started by " in refused(machine("run-b", "a"))
    front.silent.clear()
    thread.join()


def test_a_lease_survives_the_run_of_its_machine_that_only_asked(machine, shared, lab):
    first = machine("run-a", "a")
    first.take("database")
    for _ in range(3):
        refused(machine("run-b", "b"))
    first.check()
    store = LeaseStore.of(shared, shared.lease_bucket, f"leases/{target_id(shared)}/database.json", 10)
    assert store.read().record.run == "run-a"


@pytest.mark.parametrize(
    ("ahead", "sent", "received", "known"),
    [
        (0, 10, 10.2, 0),
        (0.9, 10, 10.2, 0),
        (-0.1, 10, 10.2, 0),
        (1.5, 10, 10, 0.5),
        (72, 10, 10, 71),
        (-72, 10, 10, -72),
        (5, 6, 10, 0),
    ],
)
def test_a_skew_is_told_only_as_far_as_the_stores_whole_seconds_and_the_way_allow(ahead, sent, received, known):
    told = StoreTime(MOMENT, sent, received)
    assert skew_seconds(told, MOMENT + timedelta(seconds=ahead), 10) == pytest.approx(known)


def test_a_clock_that_differs_by_two_seconds_or_less_is_no_finding(target, folder):
    locks = Locks(target, "run-a", folder=folder)
    for ahead, count_ in ((2.9, 0), (3.5, 1)):
        locks._note_skew(StoreTime(datetime.now(UTC) - timedelta(seconds=ahead), clock(), clock()))
        assert len(locks.findings) == count_


def test_a_clock_that_differs_from_the_stores_is_a_finding_and_no_hindrance(machine, front):
    locks = machine("run-a", "a")
    locks.take("database")
    assert locks.findings == []
    front.date = "Fri, 20 Nov 2020 12:00:00 GMT"
    locks.take("cache")
    (finding,) = locks.findings
    assert "ahead of the object store's" in finding
    front.date = "Fri, 20 Nov 2099 12:00:00 GMT"
    locks.take("backups")
    assert "behind the object store's" in locks.findings[1]
    front.date = "tomorrow"
    locks.take("llm")
    locks.check()
    assert len(locks.findings) == 2


# The time of day


JUMPS = ("259200", "-259200", "3600", "-3600", "frozen", "-1000000000", "1")


def test_leases_hold_whatever_the_time_of_day_does(machine, contender, front, wrong_time):
    file, variables = wrong_time
    holder = contender("run-a", "a", 4.0, **variables)
    for jump in JUMPS[: count(2, len(JUMPS))]:
        file.write_text(jump)
        written = front.writes
        until(lambda before=written: front.writes >= before + 2)
        assert holder.check() == {"valid": True}
    assert "run-a" in refused(machine("run-b", "b"))


def test_whose_clock_is_days_ahead_takes_nothing_over_and_says_so_when_it_gets_one(machine, contender, wrong_time):
    file, variables = wrong_time
    file.write_text("259200")
    first = machine("run-a", "a")
    first.take("database")
    assert "run-a" in contender("run-b", "b", **variables).said["refused"]
    first.close()
    (finding,) = contender("run-c", "b", **variables).said["findings"]
    assert "3 days, 0:00:00 ahead of" in finding or "2 days, 23:59:59 ahead of" in finding


# Many at once


def contend(lab, *words, most=300):
    said = subprocess.run(
        [sys.executable, "-m", "tests.runs.contenders", *map(str, words)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=most,
    )
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_of_many_simultaneous_starts_of_one_slot_exactly_one_acts(lab, shared):
    many = count(60, 1000)
    words = (lab.folder / "target.env", shared.lease_bucket, shared.aws_endpoint_url, shared.backup_bucket, many)
    (said,) = contend(lab, "swarm", *words)
    assert said["acted"] == 1
    assert said["double"] == 0
    assert said["done-already"] + said["busy"] == many - 1


def test_of_eight_machines_that_race_for_one_lease_exactly_one_wins_and_numbers_grow(lab, shared):
    races, many = count(5, 100), 8
    words = (lab.folder / "target.env", shared.lease_bucket, shared.aws_endpoint_url, shared.backup_bucket)
    said = contend(lab, "race", *words, races, many, most=900)
    assert [len(race["fences"]) for race in said] == [1] * races
    assert [race["lost"] for race in said] == [many - 1] * races
    fences = [race["fences"][0] for race in said]
    assert all(a < b for a, b in itertools.pairwise(fences))
