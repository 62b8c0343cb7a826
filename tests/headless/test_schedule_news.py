"""What there is to tell of due times: each fact once, worse and well again, and nothing that somebody else wrote."""

from datetime import timedelta

import pytest

from opslib.headless.schedule_looking import Due
from opslib.headless.schedule_news import Fact, news, notice
from opslib.headless.schedule_table import Schedule
from opslib.systems.slack import escaped
from tests.schedules import at

RUN = "20261130T010000Z-diagnostics-triage-a1b2c3"
ONE = Schedule(name="hourly", notebook="diagnostics/triage", cron="0 * * * *", environment="production")
WORDS = {"C": "CRITICAL", "W": "WARNING", "U": "UNKNOWN", "O": "OK"}


def dues(text):
    """Return entries of one hour each: C, W, U, O ran with that verdict, m missed, f failed, s skipped, …"""
    others = {"m": "missed", "i": "interrupted", "f": "failed", "s": "skipped", "d": "due", "r": "running"}
    found = []
    for hour, sign in enumerate(text):
        if sign in WORDS:
            found.append(Due("hourly", at(hour), "ran", RUN, WORDS[sign]))
        elif sign == "l":
            found.append(Due("hourly", at(hour), "late", says="nobody started it yet"))
        else:
            found.append(Due("hourly", at(hour), others[sign]))
    return found


def told(text, whole=True):
    return " ".join(f"{fact.due.hour}{fact.word}" for fact in news(dues(text), whole).facts)


@pytest.mark.parametrize(
    ("entries", "facts"),
    [
        ("", ""),
        ("OOO", ""),
        ("OCCO", "1CRITICAL 3OK"),
        ("OCUWO", "1CRITICAL 2UNKNOWN 3WARNING 4OK"),
        ("OCOC", "1CRITICAL 2OK 3CRITICAL"),
        ("OmmO", "1missed 2missed 3OK"),
        ("Omif", "1missed 2interrupted 3failed"),
        ("OssO", ""),
        ("OsssssO", "3skipped 6OK"),
        ("OssOss", ""),
        ("Ol", "1overdue"),
        ("Or", ""),
        ("OCrd", "1CRITICAL"),
        ("Crm", "0CRITICAL 2missed"),
    ],
)
def test_the_facts_of_due_times(entries, facts):
    assert told(entries) == facts


def test_how_it_stood_before_what_is_looked_at_is_not_taken_for_a_change():
    assert told("CC", whole=False) == ""
    assert told("CO", whole=False) == "1OK"
    assert told("mC", whole=False) == "0missed 1CRITICAL"


def test_what_was_told_is_not_told_again_and_what_stands_otherwise_than_told_is():
    found = news(dues("OCl"), True)
    ids = {fact.id for fact in found.facts}
    assert ids == {"CRITICAL@2026-11-30T01:00:00Z", "overdue@2026-11-30T02:00:00Z"}
    assert found.untold(ids, "overdue") == ()
    # It came after all, as ill as it was before: no fact, and who was told that it is overdue hears so.
    (fact,) = news(dues("OCC"), True).untold(ids, "overdue")
    assert fact.id == "CRITICAL@2026-11-30T02:00:00Z"
    assert news(dues("OCC"), True).untold({*ids, fact.id}, "CRITICAL") == ()


def test_a_verdict_that_cannot_be_read_is_unknown():
    found = news([Due("hourly", at(1), "ran", RUN, "")], True)
    assert [fact.word for fact in found.facts] == ["UNKNOWN"]


def made(text, reports=""):
    found = news(dues(text), True)
    return notice(ONE, "production-slack-C0OPS", found.facts, found.stands, reports)


def test_a_notice_says_what_came_of_which_due_time_and_where_the_report_is():
    said = made("OmmC", "https://reports.valuecanvas.example/ops/")
    assert said.title == "production: schedule hourly: 2 missed; now CRITICAL"
    assert said.lines == (
        "Notebook diagnostics/triage on production; times are UTC.",
        "Due 2026-11-30 01:00: missed: nobody started it in time.",
        "Due 2026-11-30 02:00: missed: nobody started it in time.",
        "Due 2026-11-30 03:00: its report says CRITICAL.",
        f"Report: https://reports.valuecanvas.example/ops/runs/{RUN}/report.html",
        f"Notice {said.id}",
    )
    assert (said.worst, said.stands, said.key) == ("critical", "CRITICAL", "opslib/production/schedule/hourly")
    assert made("OmmC").lines[4] == f"Report: runs/{RUN}/report.html in the archive"
    assert made("Om").lines[-2] == "Report: there is none"


@pytest.mark.parametrize(
    ("entries", "title", "worst"),
    [
        ("OC", "CRITICAL", "critical"),
        ("OW", "WARNING", "warning"),
        ("OU", "UNKNOWN", "error"),
        ("Ol", "overdue", "error"),
        ("Osss", "skipped", "warning"),
        ("OmO", "1 missed; now well again", "error"),
        ("Ommi", "2 missed, 1 interrupted", "error"),
        ("OCO", "well again", "critical"),
    ],
)
def test_a_headline_says_how_it_stands(entries, title, worst):
    said = made(entries)
    assert (said.title, said.worst) == (f"production: schedule hourly: {title}", worst)


def test_many_facts_are_counted_and_the_newest_spelled_out():
    said = made("O" + "m" * 22)
    assert said.title == "production: schedule hourly: 22 missed"
    assert said.lines[1] == "Earlier: 12 missed."
    assert len([line for line in said.lines if line.startswith("Due ")]) == 10


def test_the_same_facts_to_the_same_destination_are_the_same_notice():
    assert made("OC").id == made("OC").id != made("OCO").id
    found = news(dues("OC"), True)
    assert notice(ONE, "production-mail-a@b.example", found.facts, found.stands).id != made("OC").id


@pytest.mark.parametrize(
    "run", ["<!channel>", "../../x", f"{RUN}\r\nBcc: eve@example.org", f"{RUN}|<http://x>", "x" * 200]
)
def test_a_run_that_a_forged_file_names_stands_in_no_notice(run):
    found = news([Due("hourly", at(1), "ran", run, "CRITICAL", says="<!here> &")], True)
    said = notice(ONE, "production-slack-C0OPS", found.facts, found.stands, "https://reports.valuecanvas.example")
    assert found.facts == (Fact(at(1), "CRITICAL"),)
    assert not any(sign in said.text for sign in ("<", "&", "\r", "eve@", ".."))
    assert said.link == ""


def test_what_slack_would_take_for_a_link_or_a_call_is_escaped():
    assert escaped("<!channel> & <https://x|here>") == "&lt;!channel&gt; &amp; &lt;https://x|here&gt;"


def test_entries_of_every_order_tell_each_ill_due_time_and_end_as_they_stand():
    for text in ("OmOmO", "CCCC", "mmmm", "sssC", "OrOmd", "lO"):
        found = news(dues(text), True)
        assert [fact.due for fact in found.facts] == sorted({fact.due for fact in found.facts})
        assert [f.due for f in found.facts if f.word == "missed"] == [d.due for d in dues(text) if d.word == "missed"]
        if found.facts:
            assert found.facts[-1].word == found.stands.word
        assert found.stands is None or found.stands.due <= at(0) + timedelta(hours=len(text))
