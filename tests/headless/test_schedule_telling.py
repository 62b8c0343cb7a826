"""Who is to know is told, each fact once: against the lab's Slack and PagerDuty and a real mail server."""

import json
import os
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opslib.archive.due_times import Records
from opslib.archive.store import Archive
from opslib.archive.told import Told
from opslib.archive.verify import verify
from opslib.errors import Unreachable
from opslib.headless import schedule_kept, schedule_table
from opslib.headless.schedule_looking import put_in_force
from opslib.headless.schedule_news import notice
from opslib.headless.schedule_telling import of_schedule, read, tell, untold
from opslib.headless.schedule_ways import open_way
from opslib.lab.vendors.slack import CHANNEL
from opslib.redaction import Redactor
from tests import schedules, specs
from tests.hosts import Authority
from tests.mails import mail_server
from tests.schedules import at
from tests.vendors import Doors

RUN = "20261130T{:02}0000Z-runbooks-try-things-a1b2c3"
SLACK, PAGER = f"lab-slack-{CHANNEL}", "lab-pagerduty"


class Dies:
    """A way to be told whose process goes before or after it has sent."""

    def __init__(self, way, end):
        self._way, self._end = way, end
        self.arrived, self.close = way.arrived, way.close

    def send(self, notice):
        if self._end == "after":
            self._way.send(notice)
        os._exit(9)


class Here:
    """An archive with an hourly schedule that counts since 00:30, and who is told of it."""

    def __init__(self, folder):
        self.folder, self.archive, self.now = folder, folder / "archive", at(1)
        self.names({"slack": [CHANNEL]})

    def names(self, *recipients, **more):
        rows = [schedules.row(tell=json.dumps([f"r{number}" for number, _ in enumerate(recipients)]), **more)]
        rows += [
            f"[tell.r{number}]\n" + "\n".join(f"{name} = {json.dumps(said)}" for name, said in one.items())
            for number, one in enumerate(recipients)
        ]
        path = schedules.table(self.folder / "schedules.toml", rows[0])
        path.write_text(path.read_text() + "\n".join(rows[1:]), encoding="utf-8")
        self.table = schedule_table.read(path)
        put_in_force(self.archive, self.table.whole(), at(0, 29, 59))

    def ran(self, hour, verdict):
        """Leave what a run of that hour leaves."""
        run, records = RUN.format(hour), Records(self.archive, "hourly")
        said = {"word": "run", "run": run, "claimed_at": at(hour, 0, 1).isoformat()}
        records.claim(at(hour), said)
        folder = self.archive / "runs" / run
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
        (folder / "result.json").write_text(json.dumps({"verdict": verdict, "state": "finished"}))
        (folder / "MANIFEST.sha256").write_text("")
        records.end(at(hour), {"word": "ran", "started_at": at(hour, 0, 1).isoformat()})
        self.now = max(self.now, at(hour, 1))

    def tell(self, moment=None, **more):
        self.now = moment or self.now
        return tell(self.archive, self.table, clock=lambda: self.now, **more)

    def lines(self, name):
        return [line["did"] for line in Told(self.archive, name).lines()]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_NOTEBOOKS", str(tmp_path / "notebooks"))
    schedules.notebook(tmp_path)
    return Here(tmp_path)


@pytest.fixture
def doors(lab, monkeypatch):
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    doors = Doors(lab.settings)
    with doors.restored():
        doors.put(pagerduty={"alerts": {}}, slack={**doors.state()["slack"], "messages": []})
        doors.forget()
        yield doors


def said(doors):
    return [message["text"].splitlines()[0] for message in doors.state()["slack"]["messages"]]


def alert(doors):
    (found,) = doors.state()["pagerduty"]["alerts"].values()
    return found


def test_a_verdict_that_changes_back_and_forth_is_told_each_time_and_no_more(here, doors):
    for hour, verdict in enumerate(["OK", "CRITICAL", "CRITICAL", "OK", "WARNING", "OK"], 1):
        here.ran(hour, verdict)
        here.tell()
        assert here.tell() == []
    start = "lab: schedule hourly: "
    assert said(doors) == [f"{start}{word}" for word in ("CRITICAL", "well again", "WARNING", "well again")]
    assert f"runs/{RUN.format(2)}/report.html" in doors.state()["slack"]["messages"][0]["text"]


def test_misses_are_told_although_no_call_of_the_schedule_comes(here, doors):
    (row,) = here.tell(at(3, 40))
    assert (row["to"], row["schedule"], row["did"]) == (SLACK, "hourly", "told")
    assert said(doors) == ["lab: schedule hourly: 3 missed"]
    assert here.tell(at(3, 50)) == []
    here.tell(at(4, 40))
    assert said(doors)[1:] == ["lab: schedule hourly: 1 missed"]


def test_a_report_that_should_exist_is_told_as_overdue_and_then_that_it_came(here, doors):
    assert here.tell(at(1, 4)) == []
    here.tell(at(1, 20))
    assert said(doors) == ["lab: schedule hourly: overdue"]
    assert here.tell(at(1, 25)) == []
    here.ran(1, "OK")
    here.tell(at(1, 29))
    assert said(doors)[1:] == ["lab: schedule hourly: well again"]


def test_pagerduty_has_one_alert_that_is_resolved_when_all_is_well(here, doors):
    here.names({"pagerduty": True})
    here.ran(1, "CRITICAL")
    here.tell()
    assert (alert(doors)["severity"], alert(doors)["resolved_at"]) == ("critical", None)
    here.ran(2, "WARNING")
    here.tell()
    assert (alert(doors)["told"], alert(doors)["resolved_at"]) == (2, None)
    here.ran(3, "OK")
    here.tell()
    assert alert(doors)["resolved_at"]
    spec = specs.load("pagerduty-events-v2.json", "/pagerduty/v2")
    assert [fault for call in doors.calls("pagerduty") for fault in spec.faults(call)] == []


def test_what_is_over_already_is_triggered_and_resolved_at_once(here, doors):
    here.names({"pagerduty": True})
    here.ran(3, "OK")
    here.tell()
    assert [json.loads(call["body"])["event_action"] for call in doors.calls("pagerduty")] == ["trigger", "resolve"]
    assert "2 missed; now well again" in alert(doors)["summary"]


def test_a_report_that_people_can_open_is_linked_as_pagerduty_describes_it(here, doors, lab):
    here.names({"pagerduty": True})
    here.ran(1, "CRITICAL")
    base = "https://reports.valuecanvas.example"
    known = of_schedule(here.archive, here.table.rows[0], here.now)
    way = open_way(here.table.told(here.table.rows[0])[0], lab.settings)
    way.send(notice(here.table.rows[0], PAGER, known.facts, known.stands, base))
    way.close()
    call = doors.calls("pagerduty")[-1]
    assert json.loads(call["body"])["links"][0]["href"] == f"{base}/runs/{RUN.format(1)}/report.html"
    assert specs.load("pagerduty-events-v2.json", "/pagerduty/v2").faults(call) == []


def test_a_crash_between_sending_and_recording_tells_slack_once(here, doors):
    here.ran(1, "CRITICAL")
    for end, sent in (("before", 0), ("after", 1)):
        assert (dies(here, end), len(said(doors))) == (9, sent)
    (row,) = here.tell()
    assert (row["did"], row["why"]) == ("told", "it had arrived before its process went")
    assert (here.tell(), len(said(doors))) == ([], 1)
    assert here.lines(SLACK) == ["begun", "begun", "told"]


def dies(here, end):
    """Tell in a process that goes ``before`` or ``after`` it has sent; returns its exit code."""
    child = os.fork()
    if not child:
        try:
            here.tell(way=lambda *given: Dies(open_way(*given), end))
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_crash_leaves_pagerduty_one_alert(here, doors):
    here.names({"pagerduty": True})
    here.ran(1, "CRITICAL")
    assert dies(here, "after") == 9
    here.tell()
    assert (alert(doors)["told"], alert(doors)["resolved_at"]) == (2, None)
    assert here.tell() == []


def test_a_lost_answer_of_slack_posts_no_second_message(here, doors):
    here.ran(1, "CRITICAL")
    with doors.fault("slack", "lost", method="POST"):
        (row,) = here.tell()
    assert (row["did"], len(said(doors))) == ("failed", 1)
    here.tell()
    assert (len(said(doors)), here.lines(SLACK)) == (1, ["begun", "failed", "told"])


def test_two_processes_at_once_tell_once(here, doors):
    here.ran(1, "CRITICAL")
    gate, rows = threading.Barrier(4), []

    def call():
        gate.wait()
        rows.extend(here.tell())

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ([row["did"] for row in rows], len(said(doors))) == (["told"], 1)


def test_too_many_requests_are_waited_for_as_slack_asks(here, doors):
    here.ran(1, "CRITICAL")
    with doors.fault("slack", "429", seconds=0.1, times=2):
        (row,) = here.tell()
    assert (row["did"], len(said(doors))) == ("told", 1)


def test_a_destination_that_is_down_is_shown_and_told_all_of_it_later_and_holds_no_other_up(here, doors):
    here.names({"slack": [CHANNEL], "pagerduty": True})
    here.ran(1, "CRITICAL")
    with doors.fault("slack", "500"):
        rows = {row["to"]: row["did"] for row in here.tell()}
        assert rows == {SLACK: "failed", PAGER: "told"}
        (deaf,) = untold(here.archive, here.table, here.now)
        assert (deaf["to"], deaf["facts"]) == (SLACK, 1)
        assert "a failure of its own" in deaf["why"]
        here.ran(2, "OK")
        here.ran(3, "CRITICAL")
        assert {row["to"]: row["did"] for row in here.tell()} == {SLACK: "failed", PAGER: "told"}
        assert [row["did"] for row in here.tell(at(3, 2))] == ["waits"]
        kept = [row for row in schedule_kept.rows(here.archive, "lab", here.now, here.table.path) if not row["due"]]
        assert [(row["schedule"], row["word"]) for row in kept] == [(SLACK, "not told")]
    (row,) = here.tell(at(3, 10))
    assert (row["did"], said(doors)) == ("told", ["lab: schedule hourly: CRITICAL"])
    assert doors.state()["slack"]["messages"][0]["text"].count("its report says") == 3
    assert untold(here.archive, here.table, here.now) == []


def test_pauses_between_tries_grow_to_an_hour(here, doors):
    here.ran(1, "CRITICAL")
    moment = at(2)
    with doors.fault("slack", "401"):
        # The first failure is tried again by the very next call.
        assert [here.tell(moment)[0]["did"] for _ in range(2)] == ["failed", "failed"]
        for pause in (2, 6, 14, 30, 60, 60):
            assert here.tell(moment + timedelta(minutes=pause - 1))[0]["did"] == "waits"
            moment += timedelta(minutes=pause)
            assert here.tell(moment)[0]["did"] == "failed"


def test_what_nobody_ever_tried_to_tell_is_shown(here):
    here.ran(1, "CRITICAL")
    assert untold(here.archive, here.table, at(1, 59)) == []
    (deaf,) = untold(here.archive, here.table, at(3))
    assert deaf["why"] == "nothing calls ops schedule tell"


def test_a_description_that_lacks_what_a_destination_needs_is_told_as_its_failure(here, doors):
    here.names({"mail": ["on-call@valuecanvas.example"]}, {"slack": ["C0NOWHERE"]}, {"slack": [CHANNEL]})
    here.ran(1, "CRITICAL")
    rows = {row["to"]: row for row in here.tell()}
    assert {name: row["did"] for name, row in rows.items()} == {
        "lab-mail-on-call@valuecanvas.example": "failed",
        "lab-slack-C0NOWHERE": "failed",
        SLACK: "told",
    }
    assert "OPS_MAIL_SERVER" in rows["lab-mail-on-call@valuecanvas.example"]["why"]
    assert "channel_not_found" in rows["lab-slack-C0NOWHERE"]["why"]


def test_nothing_is_sent_that_cannot_be_recorded(here, doors):
    here.ran(1, "CRITICAL")
    (here.archive / "told").write_text("")
    (row,) = here.tell()
    assert (row["did"], said(doors)) == ("failed", [])


def test_a_lab_that_is_not_there_is_a_failure_that_is_recorded(here, tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_LAB", str(tmp_path / "none"))
    here.ran(1, "CRITICAL")
    (row,) = here.tell()
    assert (row["did"], row["why"]) == ("failed", "The lab is not running.")
    assert here.lines(SLACK) == ["failed"]


def test_mail_goes_to_each_address_by_itself_and_a_bad_one_holds_no_other_up(here, doors, tmp_path):
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.sign())
    here.names({"mail": ["a@valuecanvas.example", "b@valuecanvas.example"]})
    here.ran(1, "CRITICAL")
    with mail_server(context) as (address, box):
        known = {"mail_server": address, "mail_ca": authority.file, "mail_from": "ops@valuecanvas.example"}

        def way(to, target):
            return open_way(to, target.model_copy(update=known))

        rows = here.tell(way=way)
        assert [row["did"] for row in rows] == ["told", "told"]
        assert sorted(to for to, _ in box.messages) == ["a@valuecanvas.example", "b@valuecanvas.example"]
        message = box.messages[0][1]
        assert message["Subject"] == "lab: schedule hourly: CRITICAL"
        assert f"runs/{RUN.format(1)}/report.html" in message.get_content()
        # Taken, and nobody heard so: it comes again, as the same message.
        here.ran(2, "OK")
        box.drops = 1
        assert sorted(row["did"] for row in here.tell(way=way)) == ["failed", "told"]
        here.tell(here.now + timedelta(minutes=2), way=way)
        again = [message["Message-ID"] for _, message in box.messages]
        assert (len(again), len(set(again))) == (5, 4)


def test_a_secret_that_got_into_a_name_leaves_as_a_mark(here, doors, lab):
    secret = lab.settings.read_slack_token.reveal()

    class Shows:
        """A way that shows what leaves."""

        def __init__(self, to, target):
            self.clean = Redactor(target.secrets()).text

        def send(self, notice):
            assert secret not in self.clean(f"{notice.text} {secret}")
            raise Unreachable(f"Slack says {secret}.", "", "rejected")

        def arrived(self, notice):
            return False

        def close(self):
            pass

    here.ran(1, "CRITICAL")
    (row,) = here.tell(way=Shows)
    assert secret not in json.dumps(row)
    assert all(secret not in path.read_text() for path in (here.archive / "told").rglob("*.jsonl"))


def test_lines_of_another_form_say_nothing():
    lines = [
        {"did": "told", "schedule": "x"},
        {"did": "begun", "schedule": "x", "facts": "none"},
        {"did": "begun", "schedule": "x", "facts": ["a"], "stands": "CRITICAL"},
        {"did": "failed", "schedule": "x", "at": "2026-11-30T05:00:00+00:00", "why": "it burns", "certain": True},
        {},
    ]
    record = read(lines)
    assert (record.told, record.begun, record.failures, record.why) == ({}, {}, 1, "it burns")
    assert read([*lines, lines[2], {"did": "told", "schedule": "x"}]).failures == 0


def test_the_first_look_goes_back_far_enough_for_rare_schedules(here, doors):
    here.names({"slack": [CHANNEL]}, cron='"0 0 1 * *"', catch_up_minutes="60")
    moment = datetime(2027, 2, 2, tzinfo=UTC)
    put_in_force(here.archive, here.table.rows, at(1))
    here.tell(moment)
    assert said(doors) == ["lab: schedule hourly: 3 missed"]
    assert here.tell(moment + timedelta(days=15)) == []


def test_the_archive_verifies_beside_the_record(here, doors):
    here.tell(at(3, 40))
    Archive(here.archive).append("note", "x")
    assert verify(here.archive).ok
    assert Path(here.archive / "told" / SLACK).is_dir()
