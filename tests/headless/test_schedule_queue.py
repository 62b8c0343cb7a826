"""Schedules with a queue: a due time is asked for once, and a run that goes on is not forgotten."""

import json
import os
import threading

import pytest

from opslib.archive.store import Archive
from opslib.errors import Refused
from opslib.headless import queue_asking, schedule_running
from opslib.headless.schedule_looking import entries
from opslib.redaction import DatabaseUrl, Redactor
from opslib.systems.queue_ledger import Ledger
from opslib.systems.queue_rows import ENDED, Row
from tests import queue_server, schedules
from tests.schedules import Clock, at


class Carrying(threading.Thread):
    """Stands where a worker does: takes what waits, leaves a sealed run in the archive, and says so in the ledger."""

    def __init__(self, url, archive):
        super().__init__()
        self.url, self.archive, self.over, self.runs = url, archive, threading.Event(), []

    def run(self):
        with Ledger(self.url) as ledger:
            while not self.over.wait(0.1):
                for row in ledger.rows():
                    if row.state == "waiting":
                        self.carry_out(ledger, row)

    def carry_out(self, ledger, row):
        taken, _ = ledger.take(row.key, "w1", changes=False, at_once=9, silent=30)
        store = Archive(self.archive)
        folder = store.open({"run": row.run, "notebook": row.notebook, "environment": row.environment})
        said = {"run": row.run, "state": "finished", "verdict": "WARNING", "exit_code": 1}
        (folder / "result.json").write_text(json.dumps(said))
        store.close(row.run, Redactor())
        self.runs.append(row.run)
        ledger.finish(taken, ENDED, verdict="WARNING", exit_code=1)


@pytest.fixture
def here(tmp_path, server, monkeypatch):
    places = {"OPS_NOTEBOOKS": tmp_path / "notebooks", "OPS_LAB": tmp_path / "no-lab", "OPS_QUEUE_URL": server.url}
    for name, value in places.items():
        monkeypatch.setenv(name, str(value))
    schedules.notebook(tmp_path)
    with server.session() as session:
        queue_server.wipe(session)
    queue_asking.install(tmp_path / "archive")
    worker = Carrying(DatabaseUrl(server.url), tmp_path / "archive")
    yield tmp_path, worker
    worker.over.set()
    if worker.is_alive():
        worker.join(30)


def call(one, archive, moment):
    clock = Clock(moment)
    return schedule_running.run(
        *(one, archive),
        clock=clock,
        pause=clock.pause,
        start=queue_asking.start,
        still_going=queue_asking.still_going,
    )


def test_two_schedulers_have_a_due_time_carried_out_once_also_where_the_claim_was_lost(here):
    folder, worker = here
    one, archive = schedules.schedule(folder), folder / "archive"
    worker.start()
    first = call(one, archive, at(1, 0, 2))
    assert (first["did"], first["run"], first["exit_code"]) == ("ran", worker.runs[0], 1)
    assert call(one, archive, at(1, 0, 3))["did"] == "nothing"
    for path in (archive / "schedules" / "hourly").glob("*T010000Z.*"):
        if path.suffix != ".since":
            path.unlink()
    again = call(one, archive, at(1, 0, 4))
    assert (again["did"], again["exit_code"]) == ("nothing", 0)
    assert first["run"] in again["why"]
    assert worker.runs == [first["run"]]


def test_the_entry_of_a_due_time_names_the_run_that_came_to_its_end(here):
    folder, worker = here
    one, archive = schedules.schedule(folder), folder / "archive"
    worker.start()
    did = call(one, archive, at(1, 0, 2))
    (entry,) = entries(archive, one, at(0), at(1, 30))
    assert (entry.word, entry.run, entry.verdict) == ("ran", did["run"], "WARNING")


def test_a_run_that_waits_or_goes_on_keeps_the_next_due_time_though_its_asker_has_gone(here):
    folder, worker = here
    one, archive = schedules.schedule(folder), folder / "archive"
    with Ledger(worker.url) as ledger:
        ledger.add(Row("schedule/hourly/2026-11-30T01:00:00Z", "runbooks/try-things", "lab", "gone"))
    records = schedule_running.Records(archive, "hourly")
    records.put_in_force(at(0), one.cron, one.zone)
    os.close(records.claim(at(1), {"word": "run", "run": "gone"}))
    did = call(one, archive, at(2, 0, 1))
    assert (did["did"], did["exit_code"]) == ("skipped", 4)
    assert "2026-11-30T01:00:00Z" in did["why"]
    assert worker.runs == []


def test_a_due_time_is_not_asked_of_a_queue_that_is_for_another_archive(here):
    folder, _ = here
    other = folder / "other"
    Archive(other).append("note", "another archive")
    with pytest.raises(Refused, match="for another archive"):
        call(schedules.schedule(folder), other, at(1, 0, 2))
