"""Agents as people look at them: all well, faults that the tree names, and an hour in which nobody tells anything."""

import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from opslib.archive.verify import verify
from opslib.lab.broken import agents, llm, providers
from opslib.redaction import Redactor
from opslib.systems.postgres import connect
from tests.agents import begun
from tests.llm import usage, used
from tests.vendors import Doors

NAME = "diagnostics/agents"
FROM_TABLES = {"agents-sessions", "agents-errors", "llm-breakers", "llm-latency"}
CHECKS = FROM_TABLES | {
    "application-ready",
    "dependencies-llm",
    "llm-key-together",
    "llm-key-openai",
    "llm-errors",
    "agents-limits",
    "cache-queue",
    "database-blocking",
}
TABLES = ("llm_usage", "agents")


@pytest.fixture(scope="module", autouse=True)
def served(house):
    """Users have asked: five of them, as often as the product lets one in a minute."""
    for _ in range(5):
        providers.chat(house.settings, 5)


@pytest.fixture
def well(house):
    lab = SimpleNamespace(admin=lambda: connect(house.settings.database_url, "test"))
    with begun(lab, 10), used(house.settings, usage(60)):
        yield


@contextmanager
def away(house):
    """Have no tables of usage and of agents until the block ends."""
    with connect(house.settings.database_url, "test") as database:
        for name in TABLES:
            database.execute(f"ALTER TABLE public.{name} RENAME TO {name}_away")
        try:
            yield
        finally:
            for name in TABLES:
                database.execute(f"ALTER TABLE public.{name}_away RENAME TO {name}")


def verdicts(folder):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return {line["result"]["check"]: line["result"]["verdict"] for line in lines if line["event"] == "result"}


def test_all_is_well_nothing_is_changed_and_the_tree_says_so(house, run, fingerprint, well):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result
    assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK")
    page = (folder / "report.html").read_text()
    assert "nothing that was seen explains it. Excluded: 12 of 12." in page
    assert "localStorage.removeItem" in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []


def test_the_tree_names_what_explains_it(house, run, well):
    faults = {fault.name: fault for fault in (*agents.FAULTS, *llm.FAULTS)}
    broken = [faults[name] for name in ("agent-sessions-stuck", "openai-key-revoked", "slow-models")]
    for fault in broken:
        fault.make(house.settings)
    try:
        result, folder = run(NAME)
    finally:
        for fault in broken:
            fault.mend(house.settings)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    found = {fault.check: "CRITICAL" for fault in broken}
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK") | found
    page = (folder / "report.html").read_text()
    assert (
        "explains: OpenAI refuses the product&#x27;s key: there is no fallback; Answers come later than the browser "
        "waits; Sessions begin, and nothing comes of them. Excluded: 9 of 12."
    ) in page.replace("&#39;", "&#x27;")


def test_where_nobody_tells_anything_nothing_is_excluded(house, run):
    doors = Doors(house.settings)
    with doors.fault("status", "malformed"), doors.fault("openai", "503"), away(house):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    unknown = FROM_TABLES | {"dependencies-llm", "llm-key-openai"}
    assert {name: said for name, said in verdicts(folder).items() if name in unknown} == dict.fromkeys(
        unknown, "UNKNOWN"
    )
    assert "Excluded: 12" not in (folder / "report.html").read_text()


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
