"""Of each due time just one entry: ran, late, skipped, missed, interrupted; whoever calls, and however often."""

import json
import threading
from datetime import timedelta

import pytest

from opslib.archive.due_times import Records
from opslib.archive.log import Log
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import Refused, SettingsError
from opslib.headless import schedule_kept, schedule_running
from opslib.headless.schedule_looking import entries, installed, put_in_force, unkept
from opslib.redaction import Redactor
from tests import schedules
from tests.schedules import Clock, Starts, at


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_NOTEBOOKS", str(tmp_path / "notebooks"))
    schedules.notebook(tmp_path)
    return tmp_path


@pytest.fixture
def archive(here):
    return here / "archive"


class Sealing(Starts):
    """Starts that leave a sealed run in the archive, as a run does."""

    def __init__(self, folder, **more):
        super().__init__(**more)
        self.archive = Archive(folder)

    def __call__(self, name, given, environment, archive, **more):
        run = more["run"]
        folder = self.archive.open({"run": run, "notebook": name, "environment": environment})
        answer = super().__call__(name, given, environment, archive, **more)
        (folder / "result.json").write_text(json.dumps(answer))
        self.archive.close(run, Redactor())
        return answer


def call(schedule, archive, moment, start):
    clock = Clock(moment)
    return schedule_running.run(schedule, archive, clock=clock, pause=clock.pause, start=start)


def words(archive, schedule, moment, hours=24):
    found = entries(archive, schedule, moment - timedelta(hours=hours), moment)
    return [f"{one.due:%H:%M} {one.word}" for one in found]


def test_a_due_time_is_run_once_however_often_it_is_called(here, archive):
    one, start = schedules.schedule(here), Sealing(archive)
    first = call(one, archive, at(1, 0, 2), start)
    assert (first["did"], first["due"], first["missed"]) == ("ran", "2026-11-30T01:00:00Z", [])
    again = [call(one, archive, at(1, minute), start) for minute in (1, 20, 59)]
    assert {did["did"] for did in again} == {"nothing"}
    assert {did["exit_code"] for did in again} == {0}
    assert [due for due, _ in start.started] == ["2026-11-30T01:00:00Z"]
    (entry,) = entries(archive, one, at(0), at(1, 59))
    assert (entry.word, entry.run, entry.verdict, entry.seconds) == ("ran", first["run"], "OK", 2.0)
    assert verify(archive).ok


def test_a_call_before_anything_was_ever_due_runs_nothing_and_says_when_it_is(here, archive):
    one, start = schedules.schedule(here), Starts()
    did = call(one, archive, at(1, 30), start)
    assert (did["did"], did["next"], start.started) == ("nothing", "2026-11-30T02:00:00Z", [])
    assert installed(archive, one) == ""
    assert words(archive, one, at(1, 59)) == []


def test_a_machine_asleep_over_three_periods_misses_three_and_catches_up_once(here, archive):
    one, start = schedules.schedule(here), Sealing(archive)
    put_in_force(archive, [one], at(0, 30))
    call(one, archive, at(1, 0, 1), start)
    told = []
    clock = Clock(at(4, 20))
    did = schedule_running.run(one, archive, clock=clock, start=start, progress=told.append)
    # 02:00, 03:00 and 04:00 passed; the newest of them still runs.
    assert (did["did"], did["due"]) == ("late", "2026-11-30T04:00:00Z")
    assert did["passed"] == ["2026-11-30T02:00:00Z", "2026-11-30T03:00:00Z", "2026-11-30T04:00:00Z"]
    assert did["missed"] == ["2026-11-30T02:00:00Z", "2026-11-30T03:00:00Z"]
    assert [line for line in told if "3 due times passed" in line]
    assert words(archive, one, at(4, 21)) == ["01:00 ran", "02:00 missed", "03:00 missed", "04:00 late"]
    assert len(start.started) == 2
    assert call(one, archive, at(4, 22), start)["did"] == "nothing"
    notes = [entry.text for entry in Log(archive).newest_first() if entry.event == "note"]
    assert notes == ["schedule hourly: 2 due times missed, 2026-11-30T02:00:00Z to 2026-11-30T03:00:00Z"]
    assert verify(archive).ok


def test_what_is_past_its_catch_up_window_is_missed_and_not_run(here, archive):
    one, start = schedules.schedule(here), Starts()
    put_in_force(archive, [one], at(0, 30))
    did = call(one, archive, at(3, 31), start)
    assert (did["did"], did["exit_code"], start.started) == ("nothing", 1, [])
    assert len(did["missed"]) == 3
    assert call(one, archive, at(3, 32), start)["missed"] == []
    assert words(archive, one, at(3, 32)) == ["01:00 missed", "02:00 missed", "03:00 missed"]
    assert len(list(unkept(entries(archive, one, at(0), at(4, 1))))) == 3


def test_looking_tells_what_was_missed_before_any_call_records_it_and_writes_nothing(here, archive):
    one = schedules.schedule(here)
    put_in_force(archive, [one], at(0, 30))
    before = sorted(archive.rglob("*"))
    assert words(archive, one, at(2, 4)) == ["01:00 missed", "02:00 due"]
    assert words(archive, one, at(2, 20)) == ["01:00 missed", "02:00 late"]
    assert words(archive, one, at(2, 31)) == ["01:00 missed", "02:00 missed"]
    assert sorted(archive.rglob("*")) == before


def test_the_grace_ends_after_its_last_second(here, archive):
    one, start = schedules.schedule(here), Sealing(archive)
    put_in_force(archive, [one], at(0, 30))
    assert call(one, archive, at(1, 5), start)["did"] == "ran"
    assert call(one, archive, at(2, 5, 1), start)["did"] == "late"
    assert words(archive, one, at(2, 6)) == ["01:00 ran", "02:00 late"]


def test_two_schedulers_over_several_due_times_run_each_once(here, archive):
    one, start = schedules.schedule(here), Starts()
    put_in_force(archive, [one], at(0, 30))
    hours, callers = range(1, 11), 4
    answers, gate = [], threading.Barrier(callers)

    def scheduler():
        for hour in hours:
            gate.wait()
            answers.append(call(one, archive, at(hour, 0, 1), start))

    threads = [threading.Thread(target=scheduler) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(due for due, _ in start.started) == [f"2026-11-30T{hour:02}:00:00Z" for hour in hours]
    assert sorted(did["did"] for did in answers) == ["nothing"] * 30 + ["ran"] * 10
    assert [did["missed"] for did in answers if did["missed"]] == []


def test_while_the_run_before_goes_on_the_next_due_time_is_skipped_and_the_one_after_runs(here, archive):
    one, during = schedules.schedule(here), []

    def meanwhile():
        if not during:
            during.append(None)
            during.append(call(one, archive, at(2, 0, 1), start))

    start = Sealing(archive, during=meanwhile)
    call(one, archive, at(1, 0, 1), start)
    assert (during[1]["did"], during[1]["exit_code"]) == ("skipped", 4)
    assert during[1]["why"] == "the run of 2026-11-30T01:00:00Z was still going on"
    call(one, archive, at(3, 0, 1), start)
    assert words(archive, one, at(3, 1)) == ["01:00 ran", "02:00 skipped", "03:00 ran"]


def test_who_waits_runs_when_the_run_before_has_ended_and_is_late_then(here, archive):
    one = schedules.schedule(here, overlap='"wait"', wait_minutes="10", catch_up_minutes="60")
    records, start, clock = Records(archive, one.name), Sealing(archive), Clock(at(2, 0, 1))
    put_in_force(archive, [one], at(0, 30))
    handle = records.claim(at(1), {"word": "run", "run": "x"})

    def pause(seconds):
        clock.pause(seconds)
        if clock() >= at(2, 7):
            schedule_running.os.close(handle)

    did = schedule_running.run(one, archive, clock=clock, pause=pause, start=start)
    assert (did["did"], clock()) == ("late", at(2, 7))
    assert words(archive, one, at(2, 8)) == ["01:00 interrupted", "02:00 late"]


def test_who_waits_longer_than_its_bound_is_skipped(here, archive):
    one = schedules.schedule(here, overlap='"wait"', wait_minutes="10")
    records, start, clock = Records(archive, one.name), Starts(), Clock(at(2, 0, 1))
    put_in_force(archive, [one], at(0, 30))
    handle = records.claim(at(1), {"word": "run", "run": "x"})
    did = schedule_running.run(one, archive, clock=clock, pause=clock.pause, start=start)
    assert (did["did"], clock(), start.started) == ("skipped", at(2, 10, 1), [])
    schedule_running.os.close(handle)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            SettingsError("OPS_READ_DATABASE_URL is missing."),
            "its run did not begin: OPS_READ_DATABASE_URL is missing.",
        ),
        (Refused("Somebody has the lock."), "its run did not begin: Somebody has the lock."),
        (RuntimeError("password hunter2"), "its run did not begin: RuntimeError"),
    ],
)
def test_a_run_that_cannot_begin_is_recorded_as_failed_and_not_tried_again(here, archive, error, why):
    one = schedules.schedule(here)

    def start(*_, **more):
        raise error

    with pytest.raises(type(error)):
        call(one, archive, at(1, 0, 1), start)
    (entry,) = entries(archive, one, at(0), at(1, 1))
    assert (entry.word, entry.says) == ("failed", why)
    assert call(one, archive, at(1, 2), Starts())["did"] == "nothing"


def test_another_expression_counts_from_when_it_came_into_force_and_the_former_until_then(here, archive):
    one = schedules.schedule(here)
    put_in_force(archive, [one], at(0, 30))
    later = schedules.schedule(here, cron='"*/15 * * * *"')
    assert installed(archive, later).startswith("installed as 0 * * * *")
    put_in_force(archive, [later], at(2, 20))
    assert words(archive, later, at(2, 50)) == ["01:00 missed", "02:00 missed", "02:30 missed", "02:45 due"]
    put_in_force(archive, [], at(2, 50))
    assert "not installed" in installed(archive, later)
    assert words(archive, later, at(5)) == ["01:00 missed", "02:00 missed", "02:30 missed", "02:45 missed"]
    assert call(later, archive, at(5, 0, 2), Sealing(archive))["did"] == "ran"
    assert words(archive, later, at(5, 1))[-1] == "05:00 ran"


def test_installing_again_changes_nothing(here, archive):
    one = schedules.schedule(here)
    for minute in (30, 40, 50):
        put_in_force(archive, [one], at(0, minute))
    assert [force.since for force in Records(archive, one.name).force()] == [at(0, 30, 1)]


def test_in_the_nights_that_change_the_clocks_each_due_time_is_run_once(here, archive):
    one = schedules.schedule(here, cron='"30 2 * * *"', zone='"Europe/Berlin"')
    for first in ((2026, 3, 28), (2026, 10, 24)):
        start, moment = Starts(), at(0).replace(*first, hour=20)
        put_in_force(archive, [], moment - timedelta(hours=1))
        put_in_force(archive, [one], moment)
        end = moment + timedelta(hours=12)
        while moment < end:  # called every ten minutes, as by a scheduler that knows no clocks
            call(one, archive, moment, start)
            moment += timedelta(minutes=10)
        expected = "2026-03-29T01:00:00Z" if first[1] == 3 else "2026-10-25T00:30:00Z"
        assert [due for due, _ in start.started] == [expected]


def test_the_rows_of_a_probe_tell_of_each_schedule_what_is_known(here, archive):
    one = schedules.schedule(here)
    path = here / "schedules.toml"
    call(one, archive, at(1, 0, 1), Sealing(archive))
    faulty, away = schedules.row(name='"bad"', zone='"Nowhere"'), schedules.row(name='"away"')
    schedules.table(path, schedules.row(), faulty, away, schedules.row(name='"far"', environment='"production"'))
    rows = schedule_kept.rows(archive, "lab", at(2, 20), path)
    said = {(row["schedule"], row["word"]) for row in rows}
    assert said == {("hourly", "ran"), ("hourly", "late"), ("bad", "faulty"), ("away", "not installed")}


def test_an_audit_counts_the_due_times_of_all_schedules_and_names_those_it_cannot_judge(here, archive):
    one, far = schedules.schedule(here), schedules.row(name='"far"', environment='"production"')
    call(one, archive, at(1, 0, 1), Sealing(archive))
    put_in_force(archive, [one.model_copy(update={"name": "gone"})], at(2, 30))
    path = here / "schedules.toml"
    schedules.table(path, schedules.row(), far)
    hourly, other, untold, due = schedule_kept.summed(archive, at(9), path)
    assert (hourly["schedule"], hourly["due_times"], hourly["ran"], hourly["missed"]) == ("hourly", 2, 1, 1)
    assert (due["due"], due["word"]) == ("2026-11-30T02:00:00Z", "missed")
    assert (other["schedule"], other["due_times"]) == ("far", 0)
    assert (untold["schedule"], untold["says"]) == ("gone", "is not in the table any more")


def ended(folder, run, state, reason=""):
    """Leave a sealed run in the archive that ended in a state."""
    archive = Archive(folder)
    said = {"run": run, "state": state, "verdict": "UNKNOWN", "exit_code": 5, "reason": reason}
    path = archive.open({"run": run, "notebook": "runbooks/try-things", "environment": "lab"})
    (path / "result.json").write_text(json.dumps(said))
    archive.close(run, Redactor())


def claimed(archive, one, run, **more):
    records = Records(archive, one.name)
    said = {"word": "run", "run": run, "claimed_at": "2026-11-30T01:00:01Z", **more}
    schedule_running.os.close(records.claim(at(1), said))
    return records


RUN = "20261130T010001Z-runbooks-try-things-a1b2c3"


@pytest.mark.parametrize(
    ("state", "word", "says"),
    [
        ("failed", "failed", "it broke"),
        ("refused", "failed", "it broke"),
        ("interrupted", "interrupted", "it broke"),
        ("finished", "ran", ""),
    ],
)
def test_the_archive_tells_what_became_of_a_run_that_its_process_did_not_record(here, archive, state, word, says):
    one = schedules.schedule(here)
    claimed(archive, one, RUN)
    ended(archive, RUN, state, "it broke")
    (entry,) = entries(archive, one, at(0), at(2))
    assert (entry.word, entry.says, entry.seconds) == (word, says, 1.0)


def test_a_run_whose_process_lives_is_running_and_one_whose_process_is_gone_was_interrupted(here, archive):
    one, own = schedules.schedule(here), Archive(archive)
    claimed(archive, one, RUN)
    own.open({"run": RUN, "notebook": "runbooks/try-things", "environment": "lab"})
    (entry,) = entries(archive, one, at(0), at(2))
    assert entry.word == "running"
    schedule_running.os.close(own._held.pop(RUN))
    (entry,) = entries(archive, one, at(0), at(2))
    assert (entry.word, entry.says) == ("interrupted", "its process is gone; it is not run again")


def test_a_run_in_quarantine_or_no_longer_there_is_no_run_that_was_kept(here, archive):
    one = schedules.schedule(here)
    records = claimed(archive, one, RUN, claimed_at="some time")
    (archive / "quarantine" / RUN).mkdir(parents=True)
    (entry,) = entries(archive, one, at(0), at(2))
    assert (entry.word, entry.seconds, "quarantine" in entry.says) == ("failed", None, True)
    (archive / "quarantine" / RUN).rmdir()
    records.end(at(1), {"word": "ran", "run": RUN})
    (entry,) = entries(archive, one, at(0), at(2))
    assert (entry.word, entry.says) == ("failed", "its run is no longer in this archive")


def test_a_claim_that_is_held_and_has_no_run_yet_is_running(here, archive):
    one = schedules.schedule(here)
    handle = Records(archive, one.name).claim(at(1), {"word": "run", "run": RUN, "claimed_at": "2026-11-30T01:00:01Z"})
    (entry,) = entries(archive, one, at(0), at(2))
    assert (entry.word, entry.says) == ("running", "it is about to begin")
    schedule_running.os.close(handle)


def test_a_run_that_began_and_could_not_be_sealed_is_for_the_archive_to_tell(here, archive):
    one = schedules.schedule(here)

    def start(name, given, environment, folder, *, run, **more):
        ended(folder, run, "failed", "the disk is full")
        raise RuntimeError("no seal")

    with pytest.raises(RuntimeError):
        call(one, archive, at(1, 0, 1), start)
    (entry,) = entries(archive, one, at(0), at(1, 59))
    assert (entry.word, entry.says) == ("failed", "the disk is full")


def test_a_due_time_from_before_its_schedule_was_removed_is_still_run_by_a_call_in_time_and_once(here, archive):
    one, start = schedules.schedule(here), Sealing(archive)
    put_in_force(archive, [one], at(0, 30))
    put_in_force(archive, [], at(1, 0, 30))
    assert [call(one, archive, at(1, minute), start)["did"] for minute in (1, 2)] == ["ran", "nothing"]
    assert [force.since for force in Records(archive, one.name).force()] == [at(0, 30, 1), at(1, 0, 31), at(1, 0, 32)]
    assert words(archive, one, at(2, 1)) == ["01:00 ran", "02:00 due"]


def test_what_another_process_recorded_as_missed_meanwhile_is_told_by_that_one_alone(here, archive):
    one = schedules.schedule(here)
    records = claimed(archive, one, RUN)
    assert schedule_running._missed(records, [at(1), at(2)], at(3), archive) == [at(2)]
