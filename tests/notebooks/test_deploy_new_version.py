"""A new version as people deploy it: database, front end, a watch; refused, failed, gone on with, taken back."""

import json
import shutil
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.headless import agreement, notebooks, runner
from opslib.headless.asked import Asked
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.vendors.github import MAIN
from opslib.lab.vendors.product import git
from opslib.runs.saved_plan import parse
from opslib.systems.postgres import connect
from tests.hosters import of
from tests.vendors import Doors

NAME = "runbooks/deploy-new-version"
SHORT = ("watch_minutes=0.05", "look_seconds=0.5")
STEPS = ["rehearse", "apply-migrations", "set-address", "set-anon-key", "build", "draft", "deploy"]


@pytest.fixture(scope="module", autouse=True)
def backed_up(house):
    """A proven backup of this hour, and the checkout as the lab wrote it."""
    files = Path(house.settings.migrations)
    kept = shutil.copytree(files, files.parent.parent / "kept-supabase")
    assert runner.run("runbooks/back-up-database", (), "lab", house.archive)["state"] == "finished"
    yield
    shutil.rmtree(files)
    shutil.move(kept, files)


@pytest.fixture
def vercel(house):
    doors = Doors(house.settings)
    with doors.restored():
        yield of(house.settings, doors, "vercel")


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


def test_the_plan_names_commit_files_and_way_back_and_changes_nothing(house, run, fingerprint, vercel):
    before = fingerprint()
    result, folder = run(NAME, *SHORT, mode="plan")
    assert fingerprint() == before
    assert result["state"] == "finished", result["reason"]
    saved = parse((folder / "plan.json").read_bytes())
    assert [step.step for step in saved.steps] == STEPS
    assert saved.step("deploy").after["commit"] == MAIN
    assert vercel.ids["now"] in saved.step("deploy").undo
    assert "Here the run will watch for 0.05 minutes" in (folder / "report.html").read_text()


def test_what_was_planned_goes_live_and_is_watched_and_is_taken_back_whole(house, run, vercel):
    planned, _ = run(NAME, *SHORT, mode="plan")
    with traffic(house):
        result = agreement.apply(planned["run"], "lab", house.archive)
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


def test_a_build_that_fails_leaves_users_where_they_are_and_is_gone_on_with(house, run, vercel):
    vercel.put(build_fails=True)
    result, _ = run(NAME, *SHORT, "database=none")
    assert (result["exit_code"], live(vercel)) == (5, vercel.ids["now"])
    vercel.put(build_fails=False)
    again = resume(result["run"], house.archive)
    assert again["state"] == "finished", again["reason"]
    assert live(vercel) != vercel.ids["now"]
    assert len([one for one in vercel.state["deployments"] if one.get("mark")]) == 2


@pytest.mark.parametrize("name", ["netlify", "cloudflare"])
def test_it_deploys_to_the_other_hosters_as_well(house, tmp_path, name):
    if name == "netlify" and shutil.which("npm") is None:
        pytest.skip("Node.js is not installed on this machine, and Netlify is sent what was built here")
    doors = Doors(house.settings)
    with doors.restored():
        hoster = of(house.settings, doors, name)
        commit = newest(house)
        github = doors.state()["github"]
        runs = [one | {"sha": commit} for one in github["runs"]]
        doors.put(github={**github, "heads": {"main": commit}, "runs": runs})
        book = notebooks.find(NAME)
        given = {"database": "none", "build": "draft" if name == "netlify" else "if-needed", "watch_minutes": 0.05}
        values = {p.name: p.default for p in book.parameters} | given | {"look_seconds": 0.5}
        with traffic(house):
            result = runner.execute(Asked(book, values, hoster.settings), tmp_path / "archive")
        assert result["state"] == "finished", result["reason"]
        found = results(Path(result["report"]).parent)
        assert found["front-end-served"]["verdict"] == "OK"
        assert found["front-end-pipeline"]["verdict"] == ("WARNING" if name == "cloudflare" else "OK")
        with hoster.looking() as handle:
            live = handle.deployment(handle.current().deployment)
        assert (live.commit, live.id in hoster.ids.values()) == (commit, False)
        evidence = json.loads((Path(result["report"]).parent / "evidence" / "build.json").read_text())
        assert evidence["verification"]["verdict"] == "OK"
        assert (evidence["values"]["sha256"] == "none") is (name == "cloudflare")
        page = (Path(result["report"]).parent / "report.html").read_text()
        assert not [
            one for one in (hoster.settings.netlify_token, hoster.settings.cloudflare_token) if one.reveal() in page
        ]


def newest(house):
    return git(house.settings.checkout, "rev-parse", "HEAD").strip()
