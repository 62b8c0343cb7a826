"""Asking logs: of evidence that is as it was collected, of an export, of AWS; what is missing is UNKNOWN."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from opslib.actions.security import AskLogs, PreserveLogs
from opslib.actions.security_asked_answers import failures, parse_asked, silences
from opslib.checks import security as checks
from opslib.errors import Refused
from opslib.model import UNKNOWN_UNTIL, Effect, Reading, Verdict, now
from opslib.probes.log_questions import QUESTIONS, Terms
from opslib.redaction import MARK
from tests.descriptions import description
from tests.incidents import PERSON, RUN, carry_out, places
from tests.kubernetes import ClusterDoors
from tests.logs import START, export, lines

EVIDENCE = f"{RUN[:16]}-runbooks-respond-to-security-incident-b2c3d4"
HOUR = timedelta(hours=1)


def told(tmp_path, run, environment="lab"):
    """Let a run's folder say of which environment it is, as the runner does."""
    path = tmp_path / run / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "environment": environment}))


@pytest.fixture
def there(tmp_path):
    """Return a way to targets, by default of a description that leads nowhere but to a folder of exports."""
    made = []

    def targets(run=RUN, settings=None):
        found = places(settings or description(OPS_LOG_EXPORTS=str(tmp_path / "exports")), tmp_path, run)
        made.extend(found)
        told(tmp_path, run)
        return found

    yield targets
    for target in made:
        target.close()


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        yield doors


def judged(check):
    """Return what the notebook's check says."""
    rows = check.probe.read(None)
    return check.judge(Reading("p", "t", "lab", now(), 0.0, tuple(rows)))


def of_export(tmp_path, said, **more):
    export(tmp_path / "exports" / "november", said)
    return AskLogs(source="export", export="november", manifest="none", start="2026-11-29T10:00:00Z", hours=2.0, **more)


def test_an_export_is_asked_everything_and_the_answers_are_kept_with_their_custody(there, tmp_path):
    action = of_export(tmp_path, said := lines(400))
    plan, values, verified = carry_out(action, there())
    assert (plan.effect, plan.touches, action.area) == (Effect.LOCAL, len(QUESTIONS), "security")
    assert plan.observed["files"].startswith("3 of 3")
    assert verified.verdict is Verdict.OK, verified.summary
    folder = tmp_path / RUN / "evidence" / "preserve-evidence-files"
    custody = parse_asked((folder / "manifest.json").read_bytes())
    assert (custody.collected_by, custody.source, custody.subject) == (PERSON, "export", {})
    assert {item.id for item in custody.items} == {*QUESTIONS, "inputs"} - {"session"}
    kept = [json.loads(line) for line in (folder / "access.jsonl").read_text().splitlines()]
    assert sum(row["lines"] for row in kept) == sum('"path"' in text for _, _, text in said)
    assert values["answers"]["access"]["rows"] == kept[:20]
    first = judged(checks.log_lines(values["lines"], values["vouched"], values["skew"]))
    assert (first.verdict, "nothing vouches" in first.summary) == (Verdict.WARNING, True)
    assert judged(checks.log_answer("access", values["answers"], values["lines"])).verdict is Verdict.OK
    assert judged(checks.log_streams(values["streams"], 30)).verdict is Verdict.OK
    assert judged(checks.log_sign_ins(values["failed_sign_ins"], values["answers"], values["lines"])).value > 0


def test_an_export_is_held_against_what_an_earlier_run_listed(there, tmp_path):
    action = of_export(tmp_path, lines(90))
    _, values, _ = carry_out(action, there(EVIDENCE))
    again = action.model_copy(update={"manifest": values["manifest"]})
    _, held, verified = carry_out(again, there())
    assert "as listed by the run" in verified.summary
    assert "vouches" not in judged(checks.log_lines(held["lines"], held["vouched"], held["skew"])).summary
    path = tmp_path / "exports/november/6b1b9f3a/api-1/000000.gz"
    was = path.read_bytes()
    for change, why in (
        (lambda: path.write_bytes(was[:-1] + b"\x01"), "not the file that it was"),
        (path.unlink, "is gone"),
        (lambda: export(tmp_path / "exports/november", lines(3), task="more"), "was not in the export"),
    ):
        change()
        with pytest.raises(Refused, match=why):
            carry_out(again, there())
        path.write_bytes(was)


def test_evidence_is_asked_by_its_manifest_and_a_changed_file_is_refused(lab, there, doors, tmp_path):
    _, kept, _ = carry_out(PreserveLogs(of="api", hours=2.0), there(EVIDENCE, lab.settings))
    action = AskLogs(source="evidence", manifest=kept["manifest"], hours=1.0)
    _, values, verified = carry_out(action, there())
    assert verified.verdict is Verdict.OK
    assert EVIDENCE in values["vouched"]
    assert values["lines"]["read"] >= 2 * 700
    assert len(values["streams"]) == 2
    assert judged(checks.log_lines(values["lines"], values["vouched"], values["skew"])).verdict is Verdict.OK
    part = next((tmp_path / EVIDENCE / "evidence").rglob("*-1.jsonl"))
    data = part.read_bytes()
    part.write_bytes(data.replace(b"198.51.100.1", b"198.51.100.9"))
    with pytest.raises(Refused, match="not whole"):
        carry_out(action, there())
    part.write_bytes(data)
    told(tmp_path, EVIDENCE, "staging")
    for manifest in (kept["manifest"], "newest", "0" * 64):
        with pytest.raises(Refused, match="No run here preserved"):
            carry_out(action.model_copy(update={"manifest": manifest}), there())


def test_a_pod_that_says_nothing_any_more_is_unknown(there, tmp_path):
    said = [one for one in lines(600) if one[1] != "api-1" or one[0] < START + HOUR]
    _, values, _ = carry_out(of_export(tmp_path, said), there())
    found = judged(checks.log_streams(values["streams"], 30))
    assert found.verdict is Verdict.UNKNOWN
    assert "1 of 3 streams were silent, api-1 for 60 min from 2026-11-29T11:00:00Z" in found.summary
    assert judged(checks.log_streams(values["streams"], 60)).verdict is Verdict.OK


def test_a_window_without_a_line_is_unknown_and_not_zero(there, tmp_path):
    action = of_export(tmp_path, lines(60)).model_copy(update={"start": "2026-11-29T14:00:00Z", "baseline_hours": 6.0})
    _, values, _ = carry_out(action, there())
    # What came before the window tells nothing of it.
    assert (values["lines"]["read"], sum(row["lines"] for row in values["hours"]) > 40) == (0, True)
    for check in (
        checks.log_lines(values["lines"], values["vouched"], values["skew"]),
        checks.log_answer("access", values["answers"], values["lines"]),
        checks.log_sign_ins(values["failed_sign_ins"], values["answers"], values["lines"]),
        checks.log_volume(values["hours"], values["window"], values["answers"]),
        checks.log_streams(values["streams"], 1440),
    ):
        assert judged(check).verdict is Verdict.UNKNOWN, check.name


def test_that_nothing_was_found_counts_only_where_every_line_was_read(there, tmp_path):
    said = [one for one in lines(300) if one[2].startswith("{")]
    action = of_export(tmp_path, said, address="192.0.2.99")
    _, values, _ = carry_out(action, there())
    assert judged(checks.log_answer("access", values["answers"], values["lines"])).verdict is Verdict.OK
    export(tmp_path / "exports/november", [(START, "api-9", "no JSON")], task="more")
    _, values, _ = carry_out(action, there())
    found = judged(checks.log_answer("access", values["answers"], values["lines"]))
    assert (found.verdict, "1 could not be read" in found.summary) == (Verdict.UNKNOWN, True)


def test_a_secret_in_a_log_is_in_no_answer_and_in_no_file(there, tmp_path):
    token = "hunter2-hunter2"
    said = {"level": "error", "message": f"token {token} refused", "userId": token, "sessionId": "s-1"}
    # One is cut off within its message, or as a line of which no field is known.
    cut = {**said, "message": "x" * 290 + token}
    texts = [json.dumps(said), json.dumps(cut), "y" * 290 + token]
    action = of_export(tmp_path, [(START, "api-0", text) for text in texts], about="session", named="s-1")
    _, values, _ = carry_out(action, there())
    assert "hunter" not in json.dumps(values)
    assert len(values["examples"]) == 1
    folder = tmp_path / RUN
    assert MARK.strip("«»") in (folder / "evidence/preserve-evidence-files/errors.jsonl").read_text()
    assert not any(b"hunter" in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_an_hour_of_many_times_a_usual_one_stands_out(there, tmp_path):
    usual = lines(240, start=START - 6 * HOUR, seconds=6 * 3600)
    action = of_export(tmp_path, [*usual, *lines(900, seed=5, seconds=3600)], baseline_hours=6.0)
    _, values, _ = carry_out(action, there())
    found = judged(checks.log_volume(values["hours"], values["window"], values["answers"]))
    assert found.verdict is Verdict.CRITICAL
    assert 15 < found.value < 30
    assert found.rows[0]["slot"] == "2026-11-29T10:00:00Z"


def test_aws_is_asked_within_what_it_may_cost_and_says_so_before(lab, there):
    _, values, verified = carry_out(AskLogs(source="cloudwatch", hours=1.0), targets := there(settings=lab.settings))
    assert verified.verdict is Verdict.OK, verified.summary
    assert values["lines"]["read"] > 20
    assert values["scanned_bytes"] > 0
    plan = AskLogs(source="cloudwatch", hours=1.0).plan(targets[0])
    assert "USD 0.0000; at most 5 GB" in plan.observed["scans"]
    with pytest.raises(Refused, match="questions would scan about"):
        AskLogs(source="cloudwatch", hours=2160.0, most_gb=0).plan(targets[0])


def test_what_is_asked_is_said_whole_and_planned_before_it_is_known(there):
    (reading, *_), when = there(), datetime(2026, 11, 30, tzinfo=UTC)
    with pytest.raises(Refused, match="by half"):
        AskLogs(about="account").terms(when)
    with pytest.raises(Refused, match="by half"):
        AskLogs(named="ann").terms(when)
    with pytest.raises(Refused, match="no moment"):
        AskLogs(start="2026-13-40T10:00:00Z").terms(when)
    asked = AskLogs(address="::1", about="account", named="ann@ops-1", hours=2.0, baseline_hours=4.0)
    terms = asked.terms(when)
    assert (terms.start, terms.before) == (when - 2 * HOUR, when - 6 * HOUR)
    assert terms.subject == {"address": "::1", "account": "ann@ops-1"}
    assert "session" not in asked.questions()
    assert "session" in AskLogs(about="session", named="s").questions()
    assert "before the evidence was collected" in asked.plan(reading).observed["window"]
    with pytest.raises(Refused, match="OPS_LOG_EXPORTS"):
        AskLogs(source="export", export="x").plan(there(settings=description())[0])
    marker = f"{UNKNOWN_UNTIL}ask-logs"
    for check in (checks.log_streams(marker, 30), checks.log_answer("access", marker, marker)):
        with pytest.raises(Exception, match="once they are asked"):
            check.probe.read(None)


def test_failures_are_told_by_status_and_silence_by_slots_that_lie_whole_in_the_window():
    row = {"address": "a", "account": "b", "first_seen": 0, "last_seen": 0}
    rows = [{**row, "status": status, "lines": 2} for status in ("200", "302", "401", "500", "oops", None)]
    assert failures(rows) == [{"address": "a", "account": "b", "failed": 4, "succeeded": 4, "other": 4}]
    terms = Terms(START + HOUR / 12, START + 2 * HOUR, START)
    young = silences([], {"young": (START + 1.9 * HOUR, ""), "old": (None, "x")}, terms)
    assert [(one["stream"], one["silent_minutes"], one["lacks"]) for one in young] == [
        ("old", 110, "x"),
        ("young", 0, ""),
    ]
