"""A new version as people deploy it: database, front end, a watch; refused, failed, gone on with, taken back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.headless import agreement
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.vendors.github import MAIN
from opslib.lab.vendors.product import git
from opslib.runs.saved_plan import parse
from opslib.systems.postgres import connect
from tests import backup_place
from tests.hosters import of
from tests.scale import first, nightly
from tests.vendors import Doors

NAME = "runbooks/deploy-new-version"
SHORT = ("watch_minutes=0.05", "look_seconds=0.5")
STEPS = ["rehearse", "apply-migrations", "set-address", "set-anon-key", "build", "draft", "deploy"]


@pytest.fixture(scope="module", autouse=True)
def backed_up(house):
    """A proven backup of this hour, and the checkout as the lab wrote it."""
    files = Path(house.settings.migrations)
    kept = shutil.copytree(files, files.parent.parent / "kept-supabase")
    with backup_place.backed_up(house.settings):
        yield
    shutil.rmtree(files)
    shutil.move(kept, files)


@pytest.fixture
def vercel(house):
    doors = Doors(house.settings)
    with doors.restored():
        yield of(house.settings, doors, "vercel").bare()


@contextmanager
def traffic(house):
    """Let users ask the application, many of them, until the block ends."""
    over = threading.Event()

    def ask():
        while not over.is_set():
            try:
                urllib.request.urlopen(f"{house.settings.application_url}/api/cases", timeout=5).close()
            except urllib.error.HTTPError as error:
                error.close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def results(folder):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return {line["result"]["check"]: line["result"] for line in lines if line["event"] == "result"}


def live(vercel):
    with vercel.looking() as handle:
        return handle.current().deployment


def pending(house):
    with connect(house.settings.database_url, "test") as session:
        rows = session.execute("SELECT version FROM supabase_migrations.schema_migrations").fetchall()
    return 10 - len(rows)


def planned(run, fingerprint, vercel):
    """Plan it and return the run: it names commit, files and way back, and changes nothing."""
    before = fingerprint()
    result, folder = run(NAME, *SHORT, mode="plan")
    assert fingerprint() == before
    assert result["state"] == "finished", result["reason"]
    saved = parse((folder / "plan.json").read_bytes())
    assert [step.step for step in saved.steps] == STEPS
    assert saved.step("deploy").after["commit"] == MAIN
    assert vercel.ids["now"] in saved.step("deploy").undo
    assert "Here the run will watch for 0.05 minutes" in (folder / "report.html").read_text()
    return result["run"]


def test_what_was_planned_goes_live_and_is_watched_and_is_taken_back_whole(house, run, fingerprint, vercel):
    plan = planned(run, fingerprint, vercel)
    with traffic(house):
        result = agreement.apply(plan, "lab", house.archive)
    folder = Path(result["report"]).parent
    assert result["state"] == "finished", result["reason"]
    found = results(folder)
    assert (found["front-end-served"]["verdict"], found["watch-after-change"]["verdict"]) == ("OK", "OK")
    assert pending(house) == 0
    (made,) = [one for one in vercel.state["deployments"] if one.get("mark")]
    assert live(vercel) == made["id"]
    assert [one["name"] for one in vercel.state["variables"]][-2:] == ["VITE_SUPABASE_URL", "VITE_SUPABASE_ANON_KEY"]
    back = undo(result["run"], house.archive)
    assert (back["state"], back["exit_code"]) == ("finished", 0), back["reason"]
    assert (live(vercel), pending(house)) == (vercel.ids["now"], 2)
    assert [one["name"] for one in vercel.state["variables"]] == ["SENTRY_AUTH_TOKEN", "VITE_API_BASE_URL"]
    assert verify(house.archive).ok


@nightly
def test_without_anybody_who_asks_the_watch_is_no_green(run, vercel):
    result, folder = run(NAME, *SHORT, "database=none", "variables=leave")
    assert len(vercel.state["variables"]) == 2
    assert (result["state"], result["verdict"]) == ("finished", "UNKNOWN"), result["reason"]
    assert results(folder)["watch-after-change"]["summary"] == "Nobody asked anything."


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda vercel: untested(vercel), "never ran on"),
        (lambda vercel: vercel.put(variables=[variable("VITE_TOGETHER_API_KEY")]), "VITE_TOGETHER_API_KEY"),
    ],
)
def test_what_must_not_go_out_stops_the_run_before_its_first_step(run, vercel, spoil, said):
    spoil(vercel)
    vercel.doors.forget()
    result, folder = run(NAME, *SHORT)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert said in result["reason"]
    assert [call for call in vercel.doors.calls("vercel") if call["method"] == "POST"] == []
    assert not (folder / "evidence" / "rehearse.json").exists()


def untested(vercel):
    state = vercel.doors.state()["github"]
    vercel.doors.put(github={**state, "runs": []})


def variable(name):
    return {"name": name, "secret": True, "updated": 1_700_000_000.0}


@nightly
def test_a_build_that_fails_leaves_users_where_they_are_and_is_gone_on_with(house, run, vercel):
    vercel.put(build_fails=True)
    result, _ = run(NAME, *SHORT, "database=none")
    assert (result["exit_code"], live(vercel)) == (5, vercel.ids["now"])
    vercel.put(build_fails=False)
    again = resume(result["run"], house.archive)
    assert again["state"] == "finished", again["reason"]
    assert live(vercel) != vercel.ids["now"]
    assert len([one for one in vercel.state["deployments"] if one.get("mark")]) == 2


@pytest.fixture
def elsewhere(house):
    """Let the lab's description say another hoster, and the branch be at the repository's newest commit."""
    file, doors = house.lab.folder / "target.env", Doors(house.settings)
    kept = file.read_text()

    def there(name):
        if name == "netlify" and shutil.which("npm") is None:
            pytest.skip("Node.js is not installed on this machine, and Netlify is sent what was built here")
        said = kept.replace("OPS_HOSTER=vercel", f"OPS_HOSTER={name}")
        file.write_text(said.replace("/vercel/sites/production", f"/{name}/sites/production"))
        github, commit = doors.state()["github"], git(house.settings.checkout, "rev-parse", "HEAD").strip()
        runs = [one | {"sha": commit} for one in github["runs"]]
        doors.put(github={**github, "heads": {"main": commit}, "runs": runs})
        hoster = of(house.settings, doors, name).bare()
        hoster.put(build_seconds=0.2)
        return hoster, commit

    with doors.restored():
        yield there
    file.write_text(kept)


def made(hoster):
    return [one for one in hoster.state["deployments"] if one["id"] not in hoster.ids.values()]


@nightly
@pytest.mark.parametrize("name", first(1, "netlify", "cloudflare"))
def test_at_the_other_hosters_what_was_planned_goes_live_and_is_taken_back(house, run, fingerprint, elsewhere, name):
    hoster, commit = elsewhere(name)
    build = "draft" if name == "netlify" else "if-needed"
    before = fingerprint()
    planned, _ = run(NAME, *SHORT, "database=none", f"build={build}", mode="plan")
    assert (planned["state"], fingerprint()) == ("finished", before), planned["reason"]
    with traffic(house):
        result = agreement.apply(planned["run"], "lab", house.archive)
    folder = Path(result["report"]).parent
    assert result["state"] == "finished", result["reason"]
    found = results(folder)
    assert (found["front-end-served"]["verdict"], found["watch-after-change"]["verdict"]) == ("OK", "OK")
    assert found["front-end-pipeline"]["verdict"] == ("WARNING" if name == "cloudflare" else "OK")
    with hoster.looking() as handle:
        one = handle.deployment(live(hoster))
    assert (one.commit, len(made(hoster))) == (commit, 2 if name == "netlify" else 1)
    evidence = json.loads((folder / "evidence" / "build.json").read_text())
    assert (evidence["values"]["sha256"] == "none") is (name == "cloudflare")
    page = (folder / "report.html").read_text()
    assert not [
        one for one in (hoster.settings.netlify_token, hoster.settings.cloudflare_token) if one.reveal() in page
    ]
    back = undo(result["run"], house.archive)
    assert (back["state"], live(hoster)) == ("finished", hoster.ids["now"]), back["reason"]
    assert len(made(hoster)) == 1
    assert [one["name"] for one in hoster.state["variables"]] == ["SENTRY_AUTH_TOKEN", "VITE_API_BASE_URL"]
    assert verify(house.archive).ok


@nightly
def test_files_that_do_not_arrive_at_netlify_are_sent_by_the_run_that_goes_on(house, run, elsewhere):
    hoster, _ = elsewhere("netlify")
    with hoster.doors.fault("netlify", "500", method="PUT", path="/files/"):
        result, _ = run(NAME, *SHORT, "database=none")
    assert (result["exit_code"], live(hoster)) == (5, hoster.ids["now"])
    again = resume(result["run"], house.archive)
    assert again["state"] == "finished", again["reason"]
    (one,) = made(hoster)
    assert live(hoster) == one["id"]


@nightly
@pytest.mark.parametrize("step", first(1, "set-anon-key", "set-address"))
def test_a_variable_that_cannot_be_set_stops_the_run_and_is_set_once_by_the_one_that_goes_on(house, run, vercel, step):
    names = {"set-address": "VITE_SUPABASE_URL", "set-anon-key": "VITE_SUPABASE_ANON_KEY"}
    vercel.put(refuses=[names[step]])
    vercel.doors.forget()
    result, _ = run(NAME, *SHORT, "database=none")
    assert (result["exit_code"], live(vercel)) == (5, vercel.ids["now"])
    vercel.put(refuses=[])
    again = resume(result["run"], house.archive)
    assert again["state"] == "finished", again["reason"]
    assert [one["name"] for one in vercel.state["variables"]][-2:] == list(names.values())
    posts = [
        call for call in vercel.doors.calls("vercel") if call["method"] == "POST" and call["path"].endswith("/env")
    ]
    assert len(posts) == 3


@nightly
@pytest.mark.parametrize(
    ("name", "part"), first(1, ("netlify", "/files/"), ("cloudflare", "/deployments"), ("vercel", "/env"))
)
def test_a_run_that_was_killed_while_it_deploys_goes_on_and_deploys_once(house, elsewhere, tmp_path, name, part):
    hoster, commit = elsewhere(name)
    hoster.doors.forget()
    archive = tmp_path / "archive"
    command = [sys.executable, "-m", "opslib.cli", "run", NAME, "--environment", "lab"]
    for one in (*SHORT, "database=none"):
        command += ["-p", one]
    around = {**os.environ, "OPS_ARCHIVE": str(archive)}
    running = subprocess.Popen(command, env=around, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while running.poll() is None and time.monotonic() < until:
        calls = [call["path"] for call in hoster.doors.calls(name) if call["method"] in ("POST", "PUT")]
        if any(part in path for path in calls):
            os.kill(running.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    assert running.wait(60) == -signal.SIGKILL
    (broken,) = Archive(archive).log.open_runs()
    again = resume(broken, archive)
    assert again["state"] == "finished", again["reason"]
    (one,) = made(hoster)
    assert live(hoster) == one["id"]
    with hoster.looking() as handle:
        assert handle.deployment(one["id"]).commit == commit
    assert verify(archive).ok
