"""Language models as people look at them: a healthy hour, one with much amiss, one in which nobody tells anything."""

import json
from contextlib import contextmanager

import pytest

from opslib.archive.verify import verify
from opslib.lab.broken import providers
from opslib.lab.broken.llm import FAULTS
from opslib.redaction import Redactor
from opslib.systems.postgres import connect
from tests.llm import usage, used
from tests.vendors import Doors

NAME = "diagnostics/llm"
KEYS = {"llm-key-together", "llm-key-openai"}
ROWS = {"llm-breakers", "llm-fallback", "llm-latency", "llm-tokens", "llm-answer-together", "llm-answer-openai"}
CHECKS = {*KEYS, *ROWS, "llm-errors", "llm-provider-errors"}
HOSTILE = "<script>alert(1)</script>\x1b[2J"


@pytest.fixture(scope="module", autouse=True)
def served(house):
    """Users have asked: five of them, as often as the product lets one in a minute."""
    for _ in range(5):
        providers.chat(house.settings, 5)


@pytest.fixture
def doors(house):
    made = Doors(house.settings)
    with made.restored():
        made.forget()
        yield made


@contextmanager
def away(house):
    """Have no table of usage until the block ends."""
    with connect(house.settings.database_url, "test") as database:
        database.execute("ALTER TABLE public.llm_usage RENAME TO llm_usage_away")
        try:
            yield
        finally:
            database.execute("ALTER TABLE public.llm_usage_away RENAME TO llm_usage")


def verdicts(folder):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return {line["result"]["check"]: line["result"]["verdict"] for line in lines if line["event"] == "result"}


def test_a_look_finds_all_well_pays_for_nothing_changes_nothing_and_shows_no_secret(house, run, fingerprint, doors):
    with used(house.settings, usage(60)):
        before = fingerprint()
        result, folder = run(NAME)
        assert (result["state"], result["exit_code"]) == ("finished", 0), result
        assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK")
    page = (folder / "report.html").read_text()
    for words in ("Who answers, and how fast", "What a trial at each provider costs at most"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    calls = [call for name in ("together", "openai") for call in doors.calls(name)]
    assert {call["method"] for call in calls} == {"GET"}
    assert len(calls) == 2


def test_what_is_amiss_is_found_each_by_its_own_check_and_a_trial_is_asked_for_when_told_to(house, run, doors):
    broken = [one for one in FAULTS if one.name in ("together-key-revoked", "fallback-serves", "slow-models")]
    for fault in broken:
        fault.make(house.settings)
    try:
        with used(house.settings, usage(30, model=HOSTILE)):
            result, folder = run(NAME, "ask_providers=true")
    finally:
        for fault in broken:
            fault.mend(house.settings)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert verdicts(folder) == {
        **dict.fromkeys(CHECKS, "OK"),
        "llm-key-together": "CRITICAL",
        "llm-answer-together": "CRITICAL",
        "llm-fallback": "WARNING",
        "llm-latency": "CRITICAL",
    }
    assert "POST" in {call["method"] for call in doors.calls("openai")}
    page = (folder / "report.html").read_text()
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "alert(1)" in page


def test_where_nobody_tells_anything_nothing_is_green_and_the_rest_is_looked_at(house, run, doors):
    with doors.fault("together", "malformed"), away(house):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    seen = {"llm-errors", "llm-provider-errors", "llm-key-openai"}
    assert verdicts(folder) == {**dict.fromkeys(CHECKS, "UNKNOWN"), **dict.fromkeys(seen, "OK")}


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
