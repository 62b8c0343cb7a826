"""Accounts at the vendors: there, refused, not described, and nobody answers; each by itself."""

import pytest

from opslib.checks import environment as checks
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget
from tests.vendors import Doors

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL


def look(lab, **changes):
    target = PlanTarget(lab.settings.model_copy(update=changes), "test")
    try:
        return evaluate(checks.accounts, target)
    finally:
        target.close()


def standings(result):
    return {row["account"]: row["standing"] for row in result.rows}


def test_all_accounts_are_there_and_the_optional_one_is_not_asked(lab):
    result = look(lab)
    assert result.verdict is OK, result.summary
    assert standings(result) == {
        **dict.fromkeys(("Supabase", "Together.ai", "OpenAI", "hoster", "Sentry"), "there"),
        "PostHog": "not asked",
    }
    assert len(checks.accounts.items) == len(result.rows) == 6


@pytest.mark.parametrize(
    ("vendor", "fault", "account", "verdict", "standing"),
    [
        ("supabase", "401", "Supabase", CRITICAL, "refused"),
        ("supabase", "404", "Supabase", CRITICAL, "refused"),
        ("vercel", "403", "hoster", CRITICAL, "refused"),
        ("together", "402", "Together.ai", CRITICAL, "refused"),
        ("openai", "401", "OpenAI", WARNING, "refused"),
        ("sentry", "403", "Sentry", WARNING, "refused"),
        ("supabase", "503", "Supabase", UNKNOWN, "unknown"),
        ("together", "malformed", "Together.ai", UNKNOWN, "unknown"),
        ("vercel", "cut", "hoster", UNKNOWN, "unknown"),
    ],
)
def test_an_account_that_says_no_counts_by_its_need_and_silence_is_unknown(
    lab, vendor, fault, account, verdict, standing
):
    with Doors(lab.settings).fault(vendor, fault):
        result = look(lab)
    assert (result.verdict, standings(result)[account]) == (verdict, standing), result.summary
    assert account in result.summary
    assert list(standings(result).values()).count("there") == 4
    assert look(lab).verdict is OK


def test_an_account_that_is_not_described_is_missing_and_the_others_are_looked_at(lab):
    result = look(lab, supabase_project=None)
    assert (result.verdict, standings(result)["Supabase"]) == (CRITICAL, "not described")
    assert "SUPABASE_PROJECT_REF" in result.summary
    assert list(standings(result).values()).count("there") == 4
