"""Triage as people run it: a quiet evening, a fault that is named first, and a lab that is broken in many places."""

import json
import shutil

import pytest

from opslib.archive.verify import verify
from opslib.lab.broken import find
from opslib.redaction import Redactor
from opslib.systems.program_inputs import BROWSERS, TOOLS
from tests.scale import NIGHTLY, nightly

NAME = "diagnostics/triage"


def results(folder):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return {line["result"]["check"]: line["result"] for line in lines if line["event"] == "result"}


def shown(folder, cell):
    book = json.loads((folder / "notebook.ipynb").read_text())
    (found,) = [one for one in book["cells"] if one["id"] == cell]
    bundles = [output["data"] for output in found["outputs"] if "data" in output]
    return next(data[kind]["value"] for data in bundles for kind in data if kind.startswith("application/vnd.opslib"))


@pytest.fixture
def broken(house):
    """Return a function that breaks the house, and mend what it broke."""
    made = []

    def make(*names):
        for name in names:
            made.append(find(name))
            made[-1].make(house.settings)

    yield make
    for one in made:
        one.mend(house.settings)


@pytest.fixture(autouse=True)
def without_browser(tmp_path, monkeypatch):
    """By day no page is opened in a browser, the dearest part of a triage: its areas' own files do that."""
    if NIGHTLY:
        return
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in TOOLS:
        if name not in BROWSERS and (found := shutil.which(TOOLS[name])):
            (programs / TOOLS[name]).unlink(missing_ok=True)
            (programs / TOOLS[name]).symlink_to(found)
    monkeypatch.setenv("PATH", str(programs))


def test_a_quiet_evening_looks_at_all_areas_and_changes_nothing(house, run, fingerprint):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result["reason"]
    assert fingerprint() == before
    found = results(folder)
    # A lab has no backup at first; everything else is well, or says honestly that too little was asked.
    assert {name for name, one in found.items() if one["verdict"] == "CRITICAL"} == {
        *("backup-freshness", "proof-age", "backup-coverage")
    }
    assert [one["summary"] for one in found.values() if one["verdict"] == "WARNING"] == []
    assert [one["summary"] for one in found.values() if "KeyError" in one["summary"]] == []
    survey = shown(folder, "all-areas")
    assert survey["summary"].startswith(f"{len(survey['rows']) + survey['more_rows']} checks of 17 areas")
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []


def test_what_is_new_is_named_first_its_symptom_is_explained_and_changes_are_told(run, broken):
    assert run("runbooks/back-up-database")[0]["exit_code"] == 0
    broken("together-key-revoked")
    result, folder = run(NAME, "symptom=AGENT_001")
    assert (result["state"], result["exit_code"]) == ("finished", 2), result["reason"]
    survey = shown(folder, "all-areas")
    assert survey["first"]["check"] == "llm-key-together"
    assert survey["rows"][0]["next"] == result["leads_to"] == "runbooks/rotate-api-keys"
    assert survey["rows"][0]["last_good"]
    assert "take-backup" in {row["action"] for row in shown(folder, "changes")["rows"]}
    (agent,) = [row for row in shown(folder, "symptoms")["rows"] if row["symptom"] == "agent-not-responding"]
    assert "Together.ai refuses the product's key" in agent["explained_by"]
    assert "Together.ai refuses the product's key" in shown(folder, "symptom")["alternative"]


@nightly
def test_where_the_database_is_shut_the_other_areas_are_judged_all_the_same(run, broken):
    broken("database-shut")
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result["reason"]
    found = results(folder)
    assert found["database-reachable"]["verdict"] == "CRITICAL"
    assert found["database-blocking"]["verdict"] == "UNKNOWN"
    fine = {name.partition("-")[0] for name, one in found.items() if one["verdict"] == "OK"}
    assert fine >= {"dependencies", "cluster", "cache", "observability", "delivery", "backup"}


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
