"""An outage of a provider as people go through it: seen apart, not reset while it lasts, taken back afterwards."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.broken import find, providers
from opslib.probes.llm_replicas import breakers
from opslib.redaction import Redactor
from opslib.systems.target import ReadTarget
from tests.llm import as_user
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.toxic import Toxic

NAME = "disaster/recover-llm"
ASKED = ("ask_providers=true", "ask_service=true", "trials=1", "watch_minutes=0.01", "watch_seconds=0.2")
CHECKS = {
    *("llm-answer-together", "llm-answer-openai", "llm-key-together", "llm-replicas", "llm-service-answer"),
    *("llm-fallback-cost", "llm-stay-closed"),
}


@pytest.fixture(scope="module", autouse=True)
def minutes():
    """The product's minute is two seconds here, so that its limit can be waited for."""
    os.environ["LAB_RATE_WINDOW_SECONDS"] = "2"
    yield
    del os.environ["LAB_RATE_WINDOW_SECONDS"]


@pytest.fixture(params=["replica-wedged"])
def fault(house, request):
    found = find(request.param)
    found.make(house.settings)
    yield found
    found.mend(house.settings)


def states(house, **said):
    target = ReadTarget(house.settings.reading().model_copy(update=said), "test")
    try:
        return [row["state"] for row in breakers(target)]
    finally:
        target.close()


def events(folder, *names):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] in names]


def test_a_wedged_replica_is_seen_closed_and_proven_and_no_secret_stands_in_any_byte(house, run, fault):
    result, folder = run(NAME, *ASKED)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK")
    said = [line["result"] for line in events(folder, "result") if line["result"]["check"] == "llm-replicas"]
    assert [one["verdict"] for one in said] == ["WARNING", "OK"]
    assert states(house) == ["closed"] * 4
    page = (folder / "report.html").read_text()
    for words in ("1 of 2 replicas keep it out", "Both breakers are closed on 2 of 2 replicas", "by itself"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert {house.settings.admin_token, house.settings.admin_session} <= set(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    taken = undo(result["run"], house.archive)
    assert (taken["exit_code"] != 0, "cannot be undone" in taken["reason"]) == (True, True)


@nightly
def test_a_plan_asks_the_provider_and_changes_nothing_not_even_a_breaker(house, run, fault, fingerprint):
    before = fingerprint(), states(house)
    result, folder = run(NAME, mode="plan")
    assert result["state"] == "finished", result["reason"]
    assert (fingerprint(), states(house)) == before
    (step,) = json.loads((folder / "plan.json").read_text())["steps"]
    assert (step["plan"]["effect"], step["plan"]["touches"]) == ("change", 2)


@nightly
@pytest.mark.parametrize(
    "fault", ["together-fails", "together-limits", "together-cuts", "together-slow", "providers-fail"], indirect=True
)
def test_while_the_provider_is_out_the_fallback_is_proven_and_nothing_is_reset(house, run, fault):
    before = states(house)
    result, folder = run(NAME, *ASKED)
    assert (result["state"], result["exit_code"]) == ("refused", 4), result
    assert "Together.ai" in result["reason"]
    assert states(house) == before
    said = verdicts(folder)
    served = fault.name != "providers-fail"
    assert said["llm-service-answer"] == ("OK" if served else "CRITICAL")
    if fault.name not in ("together-slow", "providers-fail"):
        assert said["llm-answer-together"] == "CRITICAL"
        assert "The fallback works" in (folder / "report.html").read_text()
    # The outage is over: traffic is taken back.
    for provider in ("together", "openai"):
        providers.clear_fault(house.settings, provider)
    again, folder = run(NAME, *ASKED)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    assert states(house) == ["closed"] * 4
    assert verdicts(folder)["llm-stay-closed"] == "OK"


@pytest.fixture
def line(house):
    """Both breakers open and the outage over; the second replica stands behind a line that may be broken."""
    settings, description = house.settings, house.lab.folder / "target.env"
    kept, second = description.read_text(), settings.api_replicas[1]
    find("together-fails").make(settings)
    providers.clear_fault(settings, "together")
    with Toxic(urlsplit(second).port) as made:
        description.write_text(kept.replace(second, second.replace(f":{urlsplit(second).port}", f":{made.port}")))
        yield made
    description.write_text(kept)
    find("together-fails").mend(settings)


def goes_on(house, run):
    """Resume a run, and hold that it did what was left, once."""
    again = resume(run, house.archive)
    assert again["state"] == "finished", again["reason"]
    (applied,) = events(Path(again["report"]).parent, "applied")
    assert [name[-1] for name in applied["values"]["reset"]] == ["1"]
    assert [name[-1] for name in applied["values"]["left alone"]] == ["0"]
    assert states(house) == ["closed"] * 4


@nightly
def test_one_replica_that_fails_half_way_is_done_by_the_run_that_goes_on(house, run, line):
    line.become("reset", after=0)
    result, folder = run(NAME, *ASKED)
    assert (result["state"], result["exit_code"]) == ("failed", 5), result
    assert "1 of 2 replicas are closed" in result["reason"]
    assert verdicts(folder)["llm-replicas"] == "UNKNOWN"
    assert states(house) == ["closed", "closed", "open", "closed"]
    line.become("pass")
    goes_on(house, result["run"])


@nightly
def test_a_run_that_is_killed_half_way_goes_on_and_repeats_nothing(house, line):
    known = {run.run for run in Archive(house.archive).runs()}
    command = [sys.executable, "-m", "opslib.cli", "run", NAME, "--environment", "lab"]
    command += [word for pair in ASKED for word in ("-p", pair)]
    variables = {**os.environ, "OPS_ARCHIVE": str(house.archive)}
    line.become("latency", seconds=2)
    running = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while states(house)[0] == "open":
        assert running.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    running.kill()
    running.wait()
    line.become("pass")
    (name,) = {path.name for path in (house.archive / "runs").iterdir()} - known
    goes_on(house, name)


@nightly
@pytest.mark.parametrize("of", ["session", "role"])
def test_who_may_not_reset_is_told_and_nothing_is_green(house, run, fault, of):
    description, kept = house.lab.folder / "target.env", (house.lab.folder / "target.env").read_text()
    said = as_user(house.settings, "member")
    if of == "session":
        said = house.settings.model_copy(update={"admin_session": said.admin_session.__class__("an-older-session")})
    changed = kept
    for name in ("admin_token", "admin_session"):
        changed = changed.replace(getattr(house.settings, name).reveal(), getattr(said, name).reveal())
    description.write_text(changed)
    try:
        result, folder = run(NAME, *ASKED)
    finally:
        description.write_text(kept)
    assert result["exit_code"] == 4, result
    assert ("Sign in anew" if of == "session" else "administrator") in result["reason"]
    assert states(house)[2] == "open"
    assert verdicts(folder)["llm-service-answer"] == ("UNKNOWN" if of == "session" else "OK")


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
