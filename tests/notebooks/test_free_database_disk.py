"""A full disk as people meet it: nobody may write; the forgotten slot is dropped, and writes are let in again."""

import json

import psycopg
import pytest

from opslib.archive.verify import verify
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.broken import find
from opslib.lab.broken.database_disk import SLOT
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres import connect
from tests.killing import killed
from tests.scale import nightly
from tests.waiting import until

NAME = "runbooks/free-database-disk"
FAULT = find("disk-full")
GIVEN = (f"slot={SLOT}", "minutes=1")


@pytest.fixture
def full(house):
    FAULT.make(house.settings)
    yield
    FAULT.mend(house.settings)


def write(house):
    """Write a row as the application does, and take it back."""
    url: DatabaseUrl = house.settings.database_url
    with connect(url, "test") as database:
        database.execute("CREATE TABLE public.somebody_writes AS SELECT 1 AS one")
        database.execute("DROP TABLE public.somebody_writes")


def slots(house):
    with connect(house.settings.database_url, "test") as database:
        return [row["slot_name"] for row in database.execute("SELECT slot_name FROM pg_replication_slots")]


def results(folder):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    found = [line["result"] for line in lines if line["event"] == "result"]
    return [(one["check"], one["verdict"]) for one in found]


def test_a_plan_names_the_slot_and_one_that_nobody_has_forgotten_is_refused_and_nothing_is_changed(
    run, house, full, fingerprint
):
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        write(house)
    before = fingerprint()
    result, folder = run(NAME, *GIVEN, mode="plan")
    assert result["state"] == "finished", result["reason"]
    (step,) = json.loads((folder / "plan.json").read_text())["steps"]
    assert (step["plan"]["effect"], step["plan"]["before"]["slot"]) == ("destructive", SLOT)
    result, _ = run(NAME, "minutes=1", mode="plan")
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "without a consumer" in result["reason"]
    assert (fingerprint(), slots(house)) == (before, [SLOT])


def test_it_is_dropped_the_disk_has_room_and_everybody_may_write_again(run, house, full, fingerprint):
    before = fingerprint()
    result, folder = run(NAME, *GIVEN)
    assert result["state"] == "finished", result["reason"]
    said = results(folder)
    assert {("database-disk", "CRITICAL"), ("database-writes", "CRITICAL")} <= set(said[:2])
    latest = dict(said)
    assert [latest[name] for name in ("database-disk", "database-writes", "database-slots")] == ["OK"] * 3
    assert slots(house) == []
    write(house)
    assert fingerprint() == before
    assert undo(result["run"], house.archive)["exit_code"] != 0


@nightly
@pytest.mark.parametrize("event", ["intent", "applied"])
def test_killed_at_its_step_it_is_resumed_and_drops_nothing_twice(house, full, fingerprint, event):
    before = fingerprint()
    earlier = set((house.archive / "runs").glob("*/journal.jsonl"))

    def came():
        new = set((house.archive / "runs").glob("*/journal.jsonl")) - earlier
        return any(f'"event":"{event}"' in path.read_text().replace(" ", "") for path in new)

    name, _ = killed(NAME, GIVEN, house.archive, came)
    again = resume(name, house.archive)
    assert again["state"] == "finished", again["reason"]
    assert slots(house) == []
    until(lambda: _writes(house))
    assert fingerprint() == before


def _writes(house):
    try:
        write(house)
    except psycopg.errors.ReadOnlySqlTransaction:
        return False
    return True


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
