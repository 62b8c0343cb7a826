"""Cost as people look at it: a cheap day, an hour that is too dear and stored wrongly, and a table that is away."""

import json
from contextlib import contextmanager

from opslib.archive.verify import verify
from opslib.lab.broken.costs import FAULTS
from opslib.redaction import Redactor
from opslib.systems.postgres import connect
from tests.llm import usage, used

NAME = "diagnostics/costs"
CHECKS = {"costs-hour", "costs-baseline", "costs-stored", "costs-spent", "costs-prices"}
HOSTILE = "<script>alert(1)</script>\x1b[2J"


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


def test_a_cheap_day_is_well_and_nothing_is_changed(house, run, fingerprint):
    with used(house.settings, usage(30)):
        before = fingerprint()
        result, folder = run(NAME)
        assert (result["state"], result["exit_code"]) == ("finished", 0), result
        assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK")
    page = (folder / "report.html").read_text()
    for words in ("Cost of language models, hour by hour", "target 10 USD", "Cost by tenant"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []


def test_an_hour_that_is_too_dear_and_stored_wrongly_is_found_by_each_check(house, run):
    (jump,) = [fault for fault in FAULTS if fault.name == "cost-jump"]
    jump.make(house.settings)
    try:
        with used(house.settings, usage(3, model=HOSTILE), usage(30, cost=0.9)):
            result, folder = run(NAME)
    finally:
        jump.mend(house.settings)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert verdicts(folder) == {
        "costs-hour": "CRITICAL",
        "costs-baseline": "WARNING",
        "costs-stored": "WARNING",
        "costs-spent": "UNKNOWN",
        "costs-prices": "OK",
    }
    page = (folder / "report.html").read_text()
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "alert(1)" in page
    assert "have no price" in page


def test_without_the_table_no_amount_is_green(house, run):
    with away(house):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    assert verdicts(folder) == dict.fromkeys(CHECKS, "UNKNOWN") | {"costs-prices": "OK"}


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
