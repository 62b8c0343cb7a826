"""Three notebooks on one lab, for what they cost: diagnostics/llm, diagnostics/costs and diagnostics/agents.

Each as people look at it: all is well, with faults that are found each by its own check, and where nobody tells.
"""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from opslib.archive.verify import verify
from opslib.lab.broken import agents, costs, llm, providers
from opslib.redaction import Redactor
from opslib.systems.postgres import connect
from tests.agents import begun
from tests.llm import usage, used
from tests.notebooks.recorded import verdicts
from tests.scale import first
from tests.vendors import Doors

LLM, COSTS, AGENTS = (f"diagnostics/{name}" for name in ("llm", "costs", "agents"))
CHECKS = {
    LLM: {
        *("llm-breakers", "llm-fallback", "llm-latency", "llm-tokens", "llm-answer-together", "llm-answer-openai"),
        *("llm-key-together", "llm-key-openai", "llm-errors", "llm-provider-errors", "llm-replicas"),
    },
    COSTS: {"costs-hour", "costs-baseline", "costs-token-price", "costs-stored", "costs-spent", "costs-prices"},
    AGENTS: {
        *("agents-sessions", "agents-errors", "agents-limits", "llm-breakers", "llm-latency", "llm-errors"),
        *("llm-key-together", "llm-key-openai", "application-ready", "dependencies-llm", "cache-queue"),
        *("database-blocking", "agents-workers"),
    },
}
SHOWN = {
    LLM: ("Who answers, and how fast", "What a trial at each provider costs at most"),
    COSTS: ("Cost of language models, hour by hour", "target 10 USD", "Cost by tenant"),
    AGENTS: ("nothing that was seen explains it. Excluded: 13 of 13.", "localStorage.removeItem"),
}
NOT_OF_TABLES = {
    LLM: {"llm-errors", "llm-provider-errors", "llm-key-openai", "llm-replicas"},
    COSTS: set(),
    AGENTS: {
        *("application-ready", "llm-key-openai", "llm-errors", "agents-limits", "cache-queue", "database-blocking"),
        *("dependencies-llm", "agents-workers"),
    },
}
"""What is looked at all the same while the database's tables are away, and Together.ai speaks nonsense."""
HOSTILE = "<script>alert(1)</script>\x1b[2J"
FAULTS = {fault.name: fault for area in (llm, costs, agents) for fault in area.FAULTS}
TABLES = ("llm_usage", "agents")


@pytest.fixture(scope="module", autouse=True)
def served(house):
    """Users have asked: five of them, as often as the product lets one in a minute."""
    for _ in range(5):
        providers.chat(house.settings, 5)


@pytest.fixture
def well(house):
    """Users were answered within the hour, and agents' sessions left their traces."""
    lab = SimpleNamespace(admin=lambda: connect(house.settings.database_url, "test"))
    with begun(lab, 10), used(house.settings, usage(60)):
        yield


@pytest.fixture
def doors(house):
    made = Doors(house.settings)
    with made.restored():
        made.forget()
        yield made


@contextmanager
def broken(house, *names):
    """Have these faults until the block ends."""
    for name in names:
        FAULTS[name].make(house.settings)
    try:
        yield
    finally:
        for name in names:
            FAULTS[name].mend(house.settings)


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


@pytest.mark.parametrize("name", first(1, LLM, COSTS, AGENTS))
def test_all_is_well_nothing_is_changed_or_paid_for_and_no_secret_is_shown(house, run, fingerprint, doors, well, name):
    before = fingerprint()
    result, folder = run(name)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result
    assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS[name], "OK")
    page = (folder / "report.html").read_text()
    assert [words for words in SHOWN[name] if words not in page] == []
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    calls = [call for provider in ("together", "openai") for call in doors.calls(provider)]
    assert {call["method"] for call in calls if call["path"].endswith(("models", "completions"))} == {"GET"}


def test_what_is_amiss_with_models_is_found_and_a_trial_is_made_when_it_is_asked_for(house, run, doors):
    faults = broken(house, "together-key-revoked", "fallback-serves", "slow-models")
    with faults, used(house.settings, usage(30, model=HOSTILE)):
        result, folder = run(LLM, "ask_providers=true")
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert verdicts(folder) == {
        **dict.fromkeys(CHECKS[LLM], "OK"),
        "llm-key-together": "CRITICAL",
        "llm-answer-together": "CRITICAL",
        "llm-fallback": "WARNING",
        "llm-latency": "CRITICAL",
        # Together.ai knows the key no more, so it tells no limits either.
        "llm-headroom-together": "UNKNOWN",
        "llm-headroom-openai": "OK",
    }
    assert "POST" in {call["method"] for call in doors.calls("openai")}
    stays_text(folder)


def test_an_hour_that_is_too_dear_and_stored_wrongly_is_found_by_each_check(house, run):
    faults = broken(house, "cost-jump", "price-raised")
    with faults, used(house.settings, usage(3, model=HOSTILE), usage(30, cost=0.9)):
        result, folder = run(COSTS)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert verdicts(folder) == {
        "costs-hour": "CRITICAL",
        "costs-baseline": "WARNING",
        # One of the newest answers is of a model without a price.
        "costs-token-price": "UNKNOWN",
        "costs-stored": "WARNING",
        "costs-spent": "UNKNOWN",
        "costs-prices": "WARNING",
    }
    assert "have no price" in (folder / "report.html").read_text()
    stays_text(folder)


def stays_text(folder):
    page = (folder / "report.html").read_text()
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "alert(1)" in page


def test_the_tree_names_what_explains_it(house, run, well):
    names = "agent-sessions-stuck", "openai-key-revoked", "slow-models"
    with broken(house, *names):
        result, folder = run(AGENTS)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    found = {FAULTS[name].check: "CRITICAL" for name in names}
    assert verdicts(folder) == dict.fromkeys(CHECKS[AGENTS], "OK") | found
    page = (folder / "report.html").read_text()
    assert "Answers come later than the browser waits; Sessions begin, and nothing comes of them. Excluded: 10" in page


@pytest.mark.parametrize("name", first(1, LLM, COSTS, AGENTS))
def test_where_nobody_tells_anything_nothing_is_green_and_the_rest_is_looked_at(house, run, doors, name):
    with away(house), doors.fault("together", "malformed", path="models"):
        result, folder = run(name)
    assert result["state"] == "finished", result
    said = verdicts(folder)
    assert {check for check, verdict in said.items() if verdict != "UNKNOWN"} == NOT_OF_TABLES[name]
    assert {said[check] for check in CHECKS[name] - NOT_OF_TABLES[name]} == {"UNKNOWN"}
    assert "Excluded: 13" not in (folder / "report.html").read_text()


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
