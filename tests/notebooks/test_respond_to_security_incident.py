"""An incident as people handle it: preserved first, planned, contained as approved, broken off, gone on with."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.headless import agreement, resume
from opslib.headless.undo import undo
from opslib.runs.saved_plan import parse
from opslib.systems.postgres import connect
from tests.incidents import people
from tests.vendors import Doors
from tests.waiting import until

NAME = "runbooks/respond-to-security-incident"
OPERATOR = "operator@incident.example"
ATTACKER = ("scope=users", "users=mallory@incident.example", f"keep={OPERATOR}")


class House:
    """The house as :func:`people` wants it."""

    def __init__(self, settings):
        self.settings = settings

    def admin(self):
        return connect(self.settings.database_url, "test")


@pytest.fixture
def crowd(house):
    with people(House(house.settings)) as made:
        made.sign_in("operator")
        made.sign_in("mallory", tokens=2)
        made.sign_in("mallory", ip="203.0.113.9")
        yield made


@pytest.fixture
def doors(house):
    doors = Doors(house.settings)
    with doors.restored():
        yield doors


def steps(folder):
    return {path.stem: json.loads(path.read_text()) for path in (folder / "evidence").glob("*.json")}


def told(doors):
    state = doors.state()
    return len(state["pagerduty"]["alerts"]), len(state["slack"]["messages"])


def test_as_it_is_the_runbook_only_preserves_and_no_token_stands_in_any_archived_byte(run, house, crowd, doors):
    crowd.sign_in("careless", agent=f"curl -H 'authorization: Bearer {house.settings.slack_token.reveal()}'")
    before = crowd.session.execute("SELECT count(*) AS n FROM auth.sessions").fetchone()
    result, folder = run(NAME, "notify=false")
    # The lab's secret has no rotation function, which is a warning.
    assert (result["state"], result["exit_code"]) == ("finished", 1), result["reason"]
    assert crowd.session.execute("SELECT count(*) AS n FROM auth.sessions").fetchone() == before
    assert told(doors) == (0, 0)
    said = steps(folder)
    assert set(said) == {"preserve-evidence", "revoke-sessions", "notify-stakeholders"}
    page = (folder / "report.html").read_text()
    for row in said["preserve-evidence"]["verification"]["rows"]:
        assert row["sha256"] in page
    tokens = crowd.session.execute("SELECT token FROM auth.refresh_tokens").fetchall()
    whole = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert [row["token"] for row in tokens if row["token"].encode() in whole] == []
    assert house.settings.slack_token.reveal().encode() not in whole
    files = {path.name for path in (folder / "evidence" / "preserve-evidence-files").iterdir()}
    assert {"manifest.json", "user-sessions.jsonl", "secret-versions.jsonl"} <= files
    manifest = (folder / "MANIFEST.sha256").read_text()
    assert all(f"evidence/preserve-evidence-files/{name}" in manifest for name in files)
    assert verify(house.archive).ok


def test_what_was_planned_is_contained_once_operators_stay_and_it_cannot_be_undone(
    run, house, crowd, doors, fingerprint
):
    before = fingerprint()
    planned, folder = run(NAME, *ATTACKER, mode="plan")
    assert planned["state"] == "finished", planned["reason"]
    assert fingerprint() == before
    saved = parse((folder / "plan.json").read_bytes())
    assert [step.step for step in saved.steps] == ["preserve-evidence", "revoke-sessions", "notify-stakeholders"]
    assert saved.step("revoke-sessions").observed["sessions"] == 2
    result = agreement.apply(planned["run"], "lab", house.archive)
    assert (result["state"], result["exit_code"]) == ("finished", 1), result["reason"]
    assert (crowd.sessions("mallory"), len(crowd.sessions("operator"))) == (set(), 1)
    assert told(doors) == (1, 1)
    page = Path(result["report"]).read_text()
    assert "stay valid until" in page
    taken = undo(result["run"], house.archive)
    assert (taken["exit_code"], told(doors)) == (4, (1, 1))
    assert verify(house.archive).ok


def test_all_sessions_without_a_named_operator_is_refused_and_the_evidence_stays(run, house, crowd, doors):
    result, folder = run(NAME, "scope=all")
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "operators would be signed out" in result["reason"]
    assert len(crowd.sessions("operator")) == 1
    assert (folder / "evidence" / "preserve-evidence-files" / "manifest.json").is_file()
    assert told(doors) == (0, 0)


def test_a_telling_that_failed_is_gone_on_with_and_nobody_is_signed_out_again(run, house, crowd, doors):
    with doors.fault("slack", "500", method="POST"):
        result, _ = run(NAME, *ATTACKER)
    assert (result["exit_code"], told(doors)) == (5, (1, 0))
    back = crowd.sign_in("mallory", ago="-1 second")
    again = resume.resume(result["run"], house.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 1), again["reason"]
    assert told(doors) == (1, 1)
    assert crowd.sessions("mallory") == {back}
    assert "mallory@incident.example" in Path(again["report"]).read_text()


def test_a_run_that_was_killed_while_it_ended_sessions_is_gone_on_with(house, crowd, doors):
    def waits():
        asked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%DELETE FROM auth.%%'"
        return crowd.session.execute(asked, {}).fetchall()

    given = [part for text in (*ATTACKER, "notify=false") for part in ("-p", text)]
    command = [sys.executable, "-m", "opslib.cli", "run", NAME, "--environment", "lab", *given]
    environment = {**os.environ, "OPS_ARCHIVE": str(house.archive), "OPS_LAB": str(house.lab.folder)}
    with House(house.settings).admin() as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1 FROM auth.sessions WHERE user_id = %s FOR UPDATE", [crowd.ids["mallory"]])
        running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(waits, seconds=60)
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait(30)
    killed = max(house.archive.glob("runs/*respond*"), key=lambda path: (path / "run.json").stat().st_mtime)
    assert json.loads((killed / "run.json").read_text())["mode"] == "run"
    again = resume.resume(killed.name, house.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 1), again["reason"]
    assert (crowd.sessions("mallory"), len(crowd.sessions("operator"))) == (set(), 1)
    lines = [json.loads(line) for line in (Path(again["report"]).parent / "journal.jsonl").read_text().splitlines()]
    assert "preserve-evidence" in {line.get("step") for line in lines if line["event"] == "kept"}
    assert verify(house.archive).ok
