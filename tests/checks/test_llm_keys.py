"""The providers' keys: what a provider says of one is told apart from what it says of itself."""

import pytest

from opslib.checks import llm as checks
from opslib.model import Verdict
from tests.llm import reading

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL
KEY = {"key": "OPENAI_API_KEY", "version": "v1", "state": "taken", "models": 2, "lacking": [], "why": ""}
WORDS = {"provider": "openai", "model": "gpt-3.5-turbo", "first_ms": 300, "whole_ms": 700, "tokens": 40}
SEEN = {"provider": "openai", "days": 7, "answers": 3, "newest_age": 7200.0}


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({}, OK),
        ({"lacking": ["gpt-4"]}, WARNING),
        ({"state": "unauthorized"}, CRITICAL),
        ({"state": "unpaid"}, CRITICAL),
        ({"state": "forbidden"}, CRITICAL),
        ({"state": "limited", "why": "has had too many requests"}, UNKNOWN),
        ({"state": "broken", "why": "has a failure of its own"}, UNKNOWN),
        ({"state": "slow", "why": "gave no whole answer"}, UNKNOWN),
    ],
)
def test_a_refusal_is_the_keys_and_an_outage_says_nothing_of_it(said, verdict):
    assert checks.key("openai").judge(reading(KEY | said)).verdict is verdict


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"usd": 0.00004, "why": ""}, OK),
        ({"usd": None, "why": ""}, OK),
        ({"usd": None, "why": "", "first_ms": 2001}, WARNING),
        ({"usd": None, "why": "", "first_ms": 5001}, CRITICAL),
        ({"usd": None, "why": "503 overloaded"}, CRITICAL),
    ],
)
def test_who_is_asked_and_gives_no_word_is_found(said, verdict):
    assert checks.answers("openai", ask=True).judge(reading(WORDS | said)).verdict is verdict


def test_without_asking_a_users_answer_proves_it_and_none_proves_nothing():
    check = checks.answers("openai")
    assert not check.probe.by_executor
    assert check.judge(reading(SEEN)).verdict is OK
    assert "2 h" in check.judge(reading(SEEN)).summary
    assert check.judge(reading(SEEN | {"answers": 0, "newest_age": None})).verdict is UNKNOWN
