"""Waves by workers: one first, then a batch at a time, and no more than that after so many errors."""

import os
import signal
import threading

import nbformat
import pytest

from opslib.archive import waves
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.headless import queue_asking, wave, wave_table
from opslib.model import now
from tests import queue_server
from tests.headless import bench
from tests.headless.test_wave import CHECK, NAME, PARAMETERS
from tests.scale import nightly
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("warm")

CHANGE = "from opslib import actions\nrun.step(actions.backups.ApplyRetention())"


class Place:
    """An archive, its queue, and workers that are forked: what they import is there."""

    def __init__(self, folder, server):
        self.folder, self.archive, self.server, self.workers = folder, folder / "archive", server, []

    def worker(self):
        self.workers.append(queue_server.fork_worker(self.server.url, self.archive, self.folder / "worker.log"))

    def write(self, *sources):
        made = bench.notebook(self.folder / "notebooks", *sources)
        book = nbformat.read(made.path, as_version=4)
        book.cells[1].source = PARAMETERS
        nbformat.write(book, made.path)

    def rows(self):
        with self.server.session() as session:
            return session.execute("SELECT * FROM opslib_queue.asked ORDER BY asked_at, key").fetchall()

    def begun(self):
        """The keys that workers began, and when each began and was over, in this order."""
        with self.server.session() as session:
            found = session.execute("SELECT * FROM opslib_queue.attempts ORDER BY begun_at").fetchall()
        return [(one["key"], one["begun_at"], one["ended_at"]) for one in found]

    def logs(self):
        return (self.folder / "worker.log").read_text()

    def kill_who_has_it(self):
        """Kill the worker of the first run, once that is registered."""

        def holder():
            rows = [row for row in self.rows() if (self.archive / "runs" / row["run"] / "journal.jsonl").is_file()]
            return rows and int(rows[0]["worker"].rpartition(":")[2])

        os.kill(until(holder, 300, self.logs), signal.SIGKILL)

    def close(self):
        for child in self.workers:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


@pytest.fixture
def place(tmp_path, lab, server, monkeypatch):
    places = {"OPS_LAB": lab.folder, "OPS_NOTEBOOKS": tmp_path / "notebooks", "OPS_QUEUE_URL": server.url}
    for name, value in places.items():
        monkeypatch.setenv(name, str(value))
    with server.session() as session:
        queue_server.wipe(session)
    one = Place(tmp_path, server)
    one.write(CHECK)
    queue_asking.install(one.archive)
    yield one
    one.close()


def over(*numbers, **more):
    """Return a wave over the lab with these batch sizes, by workers."""
    members = [("lab", (f"batch_size={number}",)) for number in numbers]
    return wave_table.wave(NAME, members, now(), **{"by_queue": True, **more})


def test_one_goes_first_then_a_ramp_and_nothing_more_is_asked_for_after_so_many_errors(place):
    for _ in range(2):
        place.worker()
    report = wave.begin(over(1, 5, 3, 4, 6), place.archive)
    words = [(one["state"], one["verdict"]) for one in report["members"]]
    assert words == [("finished", "OK"), ("finished", "WARNING"), ("finished", "CRITICAL"), *[("not begun", "")] * 2]
    assert (report["begun"], report["errors"], report["exit_code"]) == (3, 1, 2), place.logs()
    assert report["stopped"] == report["members"][4]["why"] == "1 with errors, and the wave ends at 1"
    assert [row["key"].rpartition("/")[2] for row in place.rows()] == ["1", "2", "3"]
    (first, _, ended), *others = place.begun()
    assert first.endswith("/1")
    assert all(began > ended for _, began, _ in others)

    done = wave.go_on(waves.find(place.archive, report["wave"]), stop_at="2")
    assert [one["state"] for one in done["members"]] == ["finished"] * 5
    assert [one["run"] for one in done["members"][:3]] == [one["run"] for one in report["members"][:3]]
    assert (done["begun"], done["errors"], done["exit_code"]) == (5, 1, 2)
    assert len(Archive(place.archive).ids()) == len(place.begun()) == 5
    assert verify(place.archive).ok


@nightly
def test_a_member_whose_worker_is_killed_is_tried_again_and_the_wave_names_the_run_that_came_to_its_end(place):
    place.write("import time\ntime.sleep(3)", CHECK)
    for _ in range(2):
        place.worker()
    killing = threading.Thread(target=place.kill_who_has_it)
    killing.start()
    report = wave.begin(over(1, 2), place.archive)
    killing.join()
    assert [one["state"] for one in report["members"]] == ["finished"] * 2, place.logs()
    record = waves.find(place.archive, report["wave"])
    first, second = record.attempts(record.wave().members[0])
    assert report["members"][0]["run"] == second
    assert {one.run: one.state for one in Archive(place.archive).runs()}[first] == "interrupted"
    assert wave.go_on(record)["members"] == report["members"]
    assert verify(place.archive).ok


@nightly
def test_plans_that_were_made_here_are_applied_by_workers_each_once(place):
    place.write(CHANGE)
    report = wave.begin(over(1, 2, mode="plan", by_queue=False), place.archive)
    assert [one["state"] for one in report["members"]] == ["finished"] * 2
    assert place.rows() == []
    place.worker()
    record = waves.find(place.archive, report["wave"])
    done = wave.go_on(record, "apply", by_queue=True)
    assert [one["run"] for one in done["members"]] == [f"{one['run']}-apply" for one in report["members"]]
    assert [(row["mode"], row["state"], row["run"]) for row in place.rows()] == [
        ("apply", "ended", one["run"]) for one in done["members"]
    ]
    assert [one["state"] for one in done["members"]] == ["finished"] * 2, place.logs()
    assert len(Archive(place.archive).ids()) == 4
    assert wave.go_on(record, "apply", by_queue=True)["members"] == done["members"]
    assert len(Archive(place.archive).ids()) == len(place.begun()) + 2 == 4
