"""Workers as processes: whichever is killed, each run is recorded once; on a real PostgreSQL of the queue's own."""

import signal
from collections import Counter

import psutil
import pytest

from opslib.archive.verify import verify
from opslib.headless import queue_asking
from opslib.redaction import DatabaseUrl
from opslib.systems.queue_ledger import Ledger
from tests import queue_server
from tests.scale import count, nightly
from tests.waiting import living, until

NAME = "runbooks/try-things"
SLEEPS = "import time\ntime.sleep(1.5)"


@pytest.fixture
def here(tmp_path, lab, server, monkeypatch):
    one = queue_server.Here(tmp_path, lab.folder, server)
    for name in ("OPS_LAB", "OPS_NOTEBOOKS", "OPS_QUEUE_URL"):
        monkeypatch.setenv(name, one.environment[name])
    one.empty()
    queue_asking.install(one.archive)
    yield one
    one.close()


def ask(here, runs):
    with Ledger(DatabaseUrl(here.server.url)) as ledger:
        return [queue_asking.ask(ledger, NAME, (), "lab", key=f"try/{number}").run for number in range(runs)]


def taken(here, workers):
    """Return the first of these workers that has a run which is registered in the archive, and that run."""

    def look():
        for row in here.rows():
            if row["state"] == "taken" and (here.archive / "runs" / row["run"] / "journal.jsonl").is_file():
                yield from ((one, row["run"]) for one in workers if row["worker"].endswith(f":{one.pid}"))

    return until(lambda: next(look(), None), 300, here.logs)


def kill(worker):
    """Kill a worker, and wait until what it had started is gone as well."""
    below = psutil.Process(worker.pid).children(recursive=True)
    worker.send_signal(signal.SIGKILL)
    until(lambda: not any(living(one) for one in below), 120)


def state(here):
    return Counter(row["state"] for row in here.rows())


def finished(here):
    """Return how often each key has a finished run, and which runs were broken off and are named by another."""
    runs = here.runs()
    keys = Counter(asked["queue"]["key"] for asked, result in runs.values() if result["state"] == "finished")
    broken = {run for run, (_, result) in runs.items() if result["state"] == "interrupted"}
    named = {asked["queue"].get("instead_of") for asked, _ in runs.values()}
    return keys, broken, named


def test_each_run_is_recorded_once_though_a_worker_is_killed_in_its_middle(here):
    here.notebook(SLEEPS, queue_server.CHECK)
    runs = count(3, 40)
    ask(here, runs)
    workers = [here.worker("--until-empty") for _ in range(count(2, 4))]
    left = list(workers)
    for _ in range(count(1, 2)):
        lost, _ = taken(here, left)
        kill(lost)
        left.remove(lost)
    until(lambda: state(here) == {"ended": runs}, 600, here.logs)
    assert [one.wait(300) for one in left] == [0] * len(left), here.logs()
    keys, broken, named = finished(here)
    assert keys == {f"try/{number}": 1 for number in range(runs)}
    assert len(broken) >= 1
    assert broken <= named
    assert verify(here.archive).ok


@nightly
def test_a_queue_whose_database_is_restarted_loses_nothing_and_repeats_nothing(here):
    here.notebook(SLEEPS, queue_server.CHECK)
    ask(here, 12)
    workers = [here.worker("--until-empty") for _ in range(2)]
    taken(here, workers)
    here.server.down()
    here.server.up()
    until(lambda: state(here) == {"ended": 12}, 600, here.logs)
    assert [one.wait(300) for one in workers] == [0, 0], here.logs()
    keys, broken, _ = finished(here)
    assert keys == {f"try/{number}": 1 for number in range(12)}
    assert broken == set()


@nightly
def test_a_worker_that_is_asked_to_end_ends_its_run_first_and_leaves_the_others(here):
    here.notebook(SLEEPS, queue_server.CHECK)
    ask(here, 3)
    worker = here.worker()
    _, run = taken(here, [worker])
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(300) == 0, here.logs()
    assert state(here) == {"ended": 1, "waiting": 2}
    assert {one["run"] for one in here.rows() if one["verdict"] == "OK"} == {run}


@nightly
def test_a_worker_that_is_pressed_hands_its_run_back_and_another_one_does_it(here):
    here.notebook("import time\ntime.sleep(600)", queue_server.CHECK)
    ask(here, 1)
    worker = here.worker("--drain-seconds", "0")
    _, run = taken(here, [worker])
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(300) == 0, here.logs()
    (row,) = here.rows()
    assert (row["state"], row["attempt"]) == ("waiting", 2)
    here.notebook(queue_server.CHECK)
    assert here.worker("--until-empty").wait(300) == 0, here.logs()
    keys, broken, named = finished(here)
    assert (keys, broken, run in named) == ({"try/0": 1}, {run}, True)


@nightly
def test_a_backup_whose_worker_is_killed_goes_to_a_person_and_is_gone_on_with_once(here, lab, monkeypatch):
    monkeypatch.delenv("OPS_NOTEBOOKS")
    del here.environment["OPS_NOTEBOOKS"]
    with Ledger(DatabaseUrl(here.server.url)) as ledger:
        run = queue_asking.ask(ledger, "runbooks/back-up-database", (), "lab", key="try/0").run
    journal = here.archive / "runs" / run / "journal.jsonl"
    worker = here.worker()
    until(lambda: journal.is_file() and b'"event":"intent"' in journal.read_bytes(), 120, here.logs)
    worker.send_signal(signal.SIGKILL)
    other = here.worker("--until-empty")
    assert other.wait(300) == 0, here.logs()
    (row,) = here.rows()
    assert (row["state"], row["run"], row["attempt"]) == ("broken off", run, 1)
    code, said = here.json("resume", run)
    assert (code, said["run"]) == (0, f"{run}-resume-1")
    code, _, err = here.ops("queue", "withdraw", "try/0")
    assert code == 0, err
