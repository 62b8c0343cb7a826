"""An incident and a handover as people have them: what they say of the lab, and that they change nothing."""

import json
from datetime import timedelta

from opslib.archive import heartbeat
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.lab.doors import change, remembered
from opslib.model import now
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.vendors import Doors

WORKBENCH, HANDOVER = "reviews/incident-workbench", "reviews/on-call-handover"
ROWS = 20_000  # as many as the agents need for a share of errors
REVIEW, AUDIT = "reviews/post-incident-review", "reviews/archive-audit"
WHOLE = "report=stack:VC-7,steps:issue-12,environment:chrome-131-macos,network:n-a,sentry:n-a"


def before(minutes):
    return f"{now() - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def test_without_a_word_of_the_incident_nothing_of_it_is_green_and_nothing_is_changed(run, fingerprint):
    was = fingerprint()
    result, folder = run(WORKBENCH)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result["reason"]
    said = verdicts(folder)
    assert {said[f"incident-{name}"] for name in ("acknowledged", "escalation", "report", "documented")} == {"UNKNOWN"}
    assert fingerprint() == was


def test_an_incident_fills_its_timeline_with_what_was_run_and_names_the_level_that_was_not_told(house, run):
    start = before(20)
    cleared, _ = run("runbooks/maintain-cache", "window_seconds=1", "least_lookups=1")
    told = (f"started_at={start}", f"acknowledged_at={before(12)}", "acknowledged_by=ann@valuecanvas", WHOLE)
    result, folder = run(WORKBENCH, "incident=INC-2026-1129", *told)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result["reason"]
    said = verdicts(folder)
    assert (said["incident-acknowledged"], said["incident-escalation"]) == ("OK", "CRITICAL")
    assert (said["incident-report"], said["incident-documented"]) == ("OK", "OK")
    page = (folder / "report.html").read_text()
    assert "level 2 (Engineering Manager), for 5 min" in page
    assert f"runs/{cleared['run']}/report.html" in page
    better, folder = run(WORKBENCH, *told, "told_level=2")
    assert verdicts(folder)["incident-escalation"] == "OK"
    assert (better["exit_code"], verify(house.archive).ok) == (0, True)


def test_people_are_told_in_the_words_of_the_plan_and_the_timeline_has_it(house, run):
    with Doors(house.settings).restored():
        told = ("incident=INC-2026-7", f"started_at={before(3)}", "tell=began")
        planned, folder = run(WORKBENCH, *told, mode="plan")
        text = json.loads((folder / "plan.json").read_text())["steps"][0]["plan"]["after"]["Slack"]
        assert Doors(house.settings).state()["slack"]["messages"] == []
        result, folder = run(WORKBENCH, *told)
        assert result["state"] == "finished", result["reason"]
        (message,) = Doors(house.settings).state()["slack"]["messages"]
        assert message["text"] == text.replace(planned["run"], result["run"])
        assert list(Doors(house.settings).state()["pagerduty"]["alerts"]) == ["lab/INC-2026-7"]
        _, folder = run(REVIEW, *told[:2])
        document = (folder / "evidence" / "post-incident-review.md").read_text()
        assert "Tell of the incident (tell, ended" in document
        assert f"{result['run']}/report.html#cell-id=tell" in document


def test_a_handover_says_what_goes_over_and_of_mail_that_nobody_knows(house, run, fingerprint):
    was = fingerprint()
    first, folder = run(HANDOVER)
    assert (first["state"], first["exit_code"]) == ("finished", 3), first["reason"]
    said = verdicts(folder)
    assert {name for name, verdict in said.items() if verdict == "UNKNOWN"} == {
        "watched",
        "runs-handed-over",
        "schedules-kept",
        "support-email",
    }
    assert fingerprint() == was
    with Doors(house.settings).restored():
        known = remembered(house.settings, "oncall")["incidents"]
        waits = {**known[0], "number": 99, "hours": 1, "acknowledged": None, "resolved": None}
        change(house.settings, "oncall", incidents=[*known, waits])
        second, folder = run(HANDOVER, "mail_hours=20")
    said = verdicts(folder)
    assert (second["exit_code"], said["open-incidents"], said["support-pagerduty"]) == (2, "CRITICAL", "CRITICAL")
    assert (said["support-email"], said["runs-handed-over"], said["support-slack"]) == ("OK", "OK", "OK")
    assert "since the handover of" in (folder / "report.html").read_text()


def test_a_review_without_a_word_has_no_time_and_changes_nothing(run, fingerprint):
    was = fingerprint()
    result, folder = run(REVIEW)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result["reason"]
    said = verdicts(folder)
    assert said == {f"review-{name}": "UNKNOWN" for name in ("times", "timeline", "impact", "causes")} | {
        "review-actions": "WARNING"
    }
    assert "UNKNOWN: Nobody knows when it began" in (folder / "evidence" / "post-incident-review.md").read_text()
    assert fingerprint() == was


def test_trends_without_a_run_are_unknown_and_with_two_tell_how_each_check_went(run, fingerprint):
    was = fingerprint()
    result, folder = run("reviews/trends", "area=agents")
    assert (result["state"], result["exit_code"], verdicts(folder)["trends"]) == ("finished", 3, "UNKNOWN")
    for _ in range(2):
        run("diagnostics/agents")
    result, folder = run("reviews/trends", "area=agents", "names=agents-errors")
    assert (result["state"], verdicts(folder)["trends"]) == ("finished", "OK"), result["reason"]
    assert "How the checks of agents went" in (folder / "report.html").read_text()
    assert fingerprint() == was


def test_damage_is_critical_and_named_in_the_sealed_report_and_mended_it_is_gone(house, run, fingerprint):
    was = fingerprint()
    looked, folder = run("reviews/trends", "area=agents")
    heartbeat.beat(Archive(house.archive), house.settings)
    result, own = run(AUDIT)
    said = verdicts(own)
    # Nothing is scheduled in the lab, and nobody stamps its entries.
    assert {name for name, verdict in said.items() if verdict != "OK"} == {"archive-due-times", "archive-dated"}
    assert (result["state"], result["exit_code"], len(said)) == ("finished", 3, 11), result["reason"]
    listed = (own / "evidence" / "archive-audit" / "runs.tsv").read_text()
    assert (looked["run"] in listed, result["run"] in listed) == (True, False)
    page = folder / "report.html"
    before = page.read_bytes()
    page.write_bytes(before + b"<!-- -->")
    result, own = run(AUDIT)
    assert (result["exit_code"], verdicts(own)["archive-sound"]) == (2, "CRITICAL")
    assert f"runs/{looked['run']}/report.html is not what the manifest names" in (own / "report.html").read_text()
    page.write_bytes(before)
    result, own = run(AUDIT)
    assert verdicts(own)["archive-sound"] == "OK"
    assert fingerprint() == was


@nightly
def test_a_handover_after_a_triage_says_what_is_ill(run):
    run("diagnostics/triage")
    _, folder = run(HANDOVER)
    assert verdicts(folder)["watched"] == "CRITICAL"
    # This lab never had a backup.
    assert "not OK: backup-freshness" in (folder / "report.html").read_text()
