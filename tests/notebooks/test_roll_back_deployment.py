"""A rollback of the front end as people run it: planned, applied as approved, taken back; failed once, killed once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.headless import agreement, notebooks, runner
from opslib.headless.asked import Asked
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.runs.saved_plan import parse
from tests.hosters import of
from tests.scale import NIGHTLY, first, nightly
from tests.vendors import Doors

NAME = "runbooks/roll-back-deployment"
SHARES = True
STEP = "roll-back"


@pytest.fixture
def doors(house):
    doors = Doors(house.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def vercel(house, doors):
    return of(house.settings, doors, "vercel")


def results(folder):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return {line["result"]["check"]: line["result"]["verdict"] for line in lines if line["event"] == "result"}


def events(folder):
    return [json.loads(line)["event"] for line in (folder / "journal.jsonl").read_text().splitlines()]


def posts(doors):
    return [call["path"] for call in doors.calls("vercel") if call["method"] == "POST"]


def live(vercel):
    with vercel.looking() as handle:
        return handle.current().deployment


def folder_of(result):
    return Path(result["report"]).parent


def test_a_plan_changes_nothing_and_a_plan_that_is_applied_moves_production_and_is_taken_back(
    house, run, doors, vercel, fingerprint
):
    before = fingerprint()
    doors.forget()
    planned, folder = run(NAME, mode="plan")
    assert (planned["state"], fingerprint()) == ("finished", before), planned["reason"]
    assert posts(doors) == []
    (step,) = parse((folder / "plan.json").read_bytes()).steps
    assert (step.step, step.plan.after["production"]) == (STEP, vercel.ids["before"])

    applied = agreement.apply(planned["run"], "lab", house.archive)
    assert applied["state"] == "finished", applied["reason"]
    assert live(vercel) == vercel.ids["before"]
    evidence = json.loads((folder_of(applied) / "evidence" / f"{STEP}.json").read_text())
    assert evidence["verification"]["verdict"] == "OK"
    said = results(folder_of(applied))
    assert said.pop("front-end-held-back") == "WARNING"
    assert set(said.values()) == {"OK"}
    assert applied["exit_code"] == 1
    page = (folder_of(applied) / "report.html").read_text()
    assert vercel.ids["before"] in page
    assert house.settings.vercel_token.reveal() not in page

    undone = undo(applied["run"], house.archive)
    assert (undone["state"], undone["exit_code"]) == ("finished", 0), undone["reason"]
    assert (live(vercel), vercel.state["automatic"]) == (vercel.ids["now"], True)
    assert [path.split("/")[-2] for path in posts(doors)] == ["rollback", "promote"]
    # All but the hoster's record of its last request is as it was.
    assert unmoved(json.loads(fingerprint())) == unmoved(json.loads(before))
    assert verify(house.archive).ok


def unmoved(taken):
    taken[3]["vercel"] |= {"request": None, "production": None}
    return taken


@pytest.mark.skipif(not NIGHTLY, reason="in make nightly: the action's own tests try each hoster")
def test_it_runs_on_the_other_hosters_as_well(house, doors, tmp_path):
    for name in ("netlify", "cloudflare"):
        hoster = of(house.settings, doors, name)
        book = notebooks.find(NAME)
        values = {p.name: p.default for p in book.parameters}
        result = runner.execute(Asked(book, values, hoster.settings), tmp_path / "archive")
        said = results(folder_of(result))
        # Cloudflare does not say when a variable was set.
        expected = "UNKNOWN" if name == "cloudflare" else "OK"
        assert (result["state"], said.pop("front-end-variables")) == ("finished", expected), result["reason"]
        assert set(said.values()) == {"OK"}
        assert live(hoster) == hoster.ids["before"]


def test_an_id_that_nobody_knows_is_refused_before_anything_starts(run, vercel, doors):
    doors.forget()
    with pytest.raises(Exception, match=f"did you mean {vercel.ids['before']}"):
        run(NAME, f"deployment={vercel.ids['before'][:-1]}x")
    assert posts(doors) == []


@nightly
def test_somebody_who_deploys_after_the_plan_makes_its_apply_refused(house, run, vercel, doors):
    planned, _ = run(NAME, mode="plan")
    vercel.put(move_seconds=0)
    with vercel.moving() as somebody:
        somebody.promote(vercel.ids["staged"])
    doors.forget()
    result = agreement.apply(planned["run"], "lab", house.archive)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert (live(vercel), posts(doors)) == (vercel.ids["staged"], [])


def test_a_move_that_the_hoster_gives_up_fails_the_run_which_is_gone_on_with(house, run, vercel, doors):
    vercel.put(fails=True)
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("failed", 5)
    assert "gave the move" in result["reason"]
    assert live(vercel) == vercel.ids["now"]
    assert "settled" in events(folder)
    vercel.put(fails=False)
    again = resume(result["run"], house.archive)
    assert again["state"] == "finished", again["reason"]
    assert live(vercel) == vercel.ids["before"]


def test_an_answer_that_was_lost_is_settled_within_the_run_and_sent_once(run, vercel, doors):
    doors.forget()
    with doors.fault("vercel", "lost", method="POST"):
        result, folder = run(NAME)
    assert result["state"] == "finished", result["reason"]
    assert "settled" in events(folder)
    assert len(posts(doors)) == 1
    assert live(vercel) == vercel.ids["before"]


@pytest.mark.parametrize("arrived", first(1, True, False))
def test_a_run_that_was_killed_is_gone_on_with_and_asks_once(house, vercel, doors, tmp_path, arrived):
    vercel.put(move_seconds=1.0)
    doors.forget()
    archive = tmp_path / "archive"
    command = [sys.executable, "-m", "opslib.cli", "run", NAME, "--environment", "lab"]
    around = {**os.environ, "OPS_ARCHIVE": str(archive)}
    running = subprocess.Popen(command, env=around, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    word = '"planned"' if not arrived else '"intent"'
    while running.poll() is None and time.monotonic() < until:
        said = "".join(path.read_text() for path in archive.glob("runs/*/journal.jsonl"))
        if f'"event":{word}' in said.replace(": ", ":") and (not arrived or posts(doors)):
            os.kill(running.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    running.wait(60)
    (first,) = Archive(archive).log.open_runs()
    again = resume(first, archive)
    assert again["state"] == "finished", again["reason"]
    assert live(vercel) == vercel.ids["before"]
    assert len(posts(doors)) == 1
    assert verify(archive).ok


def test_a_hoster_that_does_not_answer_stops_the_run_before_its_step(run, vercel, doors):
    doors.forget()
    with doors.fault("vercel", "401"):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "VERCEL_TOKEN" in result["reason"] or "UNKNOWN" in result["reason"]
    assert "intent" not in events(folder)
    assert posts(doors) == []
