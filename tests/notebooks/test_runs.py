"""Every notebook on a lab of its own, in the order of an evening: look, back up, look, restore."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import Refused
from opslib.headless import agreement
from opslib.headless.undo import undo
from opslib.redaction import Redactor
from opslib.runs.saved_plan import parse
from opslib.systems.postgres import connect

DIAGNOSTICS = ("diagnostics/database", "diagnostics/cache")
RUNBOOKS = (
    "runbooks/back-up-database",
    "runbooks/maintain-cache",
    "runbooks/restore-database",
)
GIVEN = {"runbooks/maintain-cache": ("window_seconds=1", "least_lookups=1")}
"""Parameters that make a run of a test short."""
KILOBYTES = 150


class Page(HTMLParser):
    """Collects what a browser would fetch or run."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.scripts = [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attributes)
        for name, value in attributes:
            fetching = name in ("src", "srcset", "poster", "data") or (
                name == "href" and tag in ("link", "image", "use")
            )
            if fetching and not (value or "").startswith(("data:", "#")):
                self.fetched.append((tag, name, value))


def results(folder):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return {line["result"]["check"]: line["result"] for line in lines if line["event"] == "result"}


def is_sound(result, folder, house):
    assert result["state"] == "finished", result["reason"]
    page = (folder / "report.html").read_text()
    seen = Page(page)
    assert (seen.fetched, seen.scripts) == ([], 0)
    assert not re.search(r"url\((?!['\"]?(data:|#))|@import", page)
    assert len(page.encode()) < KILOBYTES * 1000
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_diagnostics_look_at_everything_and_change_nothing(name, run, house, fingerprint):
    before = fingerprint()
    result, folder = run(name)
    is_sound(result, folder, house)
    assert fingerprint() == before
    assert len(results(folder)) >= 8


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_planning_run_of_a_runbook_changes_nothing(name, run, fingerprint):
    before = fingerprint()
    _, folder = run(name, *GIVEN.get(name, ()), mode="plan")
    assert fingerprint() == before
    events = {json.loads(line)["event"] for line in (folder / "journal.jsonl").read_text().splitlines()}
    assert not events & {"intent", "applied", "verified"}


def test_a_restore_without_any_backup_is_refused_and_changes_nothing(run, fingerprint):
    before = fingerprint()
    result, _ = run("runbooks/restore-database")
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert fingerprint() == before


def test_a_backup_is_taken_proven_and_seen_by_the_next_look(run, house):
    result, folder = run("runbooks/back-up-database")
    is_sound(result, folder, house)
    assert {path.stem for path in (folder / "evidence").iterdir()} >= {"take-backup", "prove-backup"}
    assert result["steps"] >= 2


def test_a_plan_of_the_restore_names_what_is_unknown_until_when_and_changes_nothing(run, house, fingerprint):
    before = fingerprint()
    result, folder = run("runbooks/restore-database", mode="plan")
    is_sound(result, folder, house)
    assert fingerprint() == before
    saved = parse((folder / "plan.json").read_bytes())
    assert [step.step for step in saved.steps] == ["stage-backup", "restore-into-new-database", "swap-databases"]
    assert saved.step("swap-databases").unknown
    assert saved.missing == ()


def test_the_plan_is_applied_exactly_and_the_old_database_kept(house, fingerprint):
    before = json.loads(fingerprint())[0]
    planned = Archive(house.archive).runs(1)[0].run
    result = agreement.apply(planned, "lab", house.archive)
    folder = Path(result["report"]).parent
    is_sound(result, folder, house)
    assert (folder / "plan.json").read_bytes() == (house.archive / "runs" / planned / "plan.json").read_bytes()
    after = json.loads(fingerprint())[0]
    assert after["valuecanvas"] == before["valuecanvas"]
    kept = [name for name in after if name.startswith("valuecanvas_before_")]
    assert len(kept) == 1
    assert after[kept[0]] == before["valuecanvas"]


def test_a_plan_is_not_applied_twice(house, fingerprint):
    before = fingerprint()
    with pytest.raises(Refused, match="applied already"):
        agreement.apply(Archive(house.archive).runs(1)[0].run.removesuffix("-apply"), "lab", house.archive)
    assert fingerprint() == before


def test_the_restore_is_undone_and_a_second_undo_finds_nothing_left_to_do(run, house, fingerprint):
    with connect(house.settings.database_url, "test") as live:
        before = live.execute("SELECT oid FROM pg_database WHERE datname = 'valuecanvas'").fetchone()
    newest = Archive(house.archive).runs(1)[0].run
    result = undo(newest, house.archive)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    with connect(house.settings.database_url, "test") as live:
        assert live.execute("SELECT oid FROM pg_database WHERE datname = 'valuecanvas'").fetchone() != before
    names = json.loads(fingerprint())[0]
    assert [name for name in names if "_before_" in name or "_restore_" in name] == []
    again = fingerprint()
    with pytest.raises(Refused, match="undone already"):
        undo(newest, house.archive)
    assert fingerprint() == again


def test_the_cache_is_cleared_of_its_own_keys_and_of_no_others(run, house, fingerprint):
    before = json.loads(fingerprint())
    result, folder = run("runbooks/maintain-cache", *GIVEN["runbooks/maintain-cache"])
    is_sound(result, folder, house)
    after = json.loads(fingerprint())
    assert any(key.startswith("llm:cache:") for key in before[1])
    assert after == [before[0], [key for key in before[1] if not key.startswith("llm:cache:")], *before[2:]]
    evidence = json.loads((folder / "evidence" / "clear-cache.json").read_text())
    assert evidence["verification"]["verdict"] == "OK"
    assert evidence["values"]["removed"] == len(before[1]) - len(after[1])
    undone = undo(Archive(house.archive).runs(1)[0].run, house.archive)
    assert (undone["state"], undone["exit_code"]) == ("refused", 4)
    assert "is not kept anywhere" in undone["reason"]


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
