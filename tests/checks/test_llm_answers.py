"""Users' answers: shares, times and sizes are held against their limits where there are enough, else unknown."""

import pytest

from opslib.checks import llm as checks
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from tests.llm import LLAMA, reading, usage, used

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL


@pytest.mark.parametrize(
    ("first", "spare", "verdict"),
    [
        (95, 5, OK),
        (94, 6, WARNING),
        (0, 40, WARNING),
        (19, 0, UNKNOWN),
        (0, 0, UNKNOWN),
        (20, 0, OK),
    ],
)
def test_more_than_a_twentieth_from_the_fallback_is_a_masked_outage(first, spare, verdict):
    both = {"together_ai": first, "openai": spare}
    rows = [{"provider": name, "answers": many, "newest_age": 1} for name, many in both.items() if many]
    assert checks.fallback().judge(reading(*rows)).verdict is verdict


def times(answers=100, p95=900, low=None, high=None, provider="together_ai", model=None):
    return {
        "provider": provider,
        "model": model,
        "answers": answers,
        "p50_ms": 500,
        "p95_ms": p95,
        "p95_from_ms": p95 if low is None else low,
        "p95_to_ms": high,
        "slowest_ms": p95,
    }


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        ([times()], OK, "900 ms"),
        ([times(p95=5000)], OK, "5.00 s"),
        ([times(p95=5001)], WARNING, "5.00 s"),
        ([times(p95=12_000, low=11_000)], CRITICAL, "to more"),
        ([times(p95=12_000, low=9_000, high=15_000)], WARNING, "9.00 s to 15.0 s"),
        ([times(answers=19, p95=99_000)], UNKNOWN, "too few"),
        ([], UNKNOWN, "0 answers"),
        ([times(), times(provider="openai", p95=7_000)], WARNING, "OpenAI"),
        ([times(), times(provider="openai", answers=3, p95=99_000)], OK, "too few to judge: OpenAI"),
        ([times(), times(model=LLAMA, p95=11_000)], CRITICAL, LLAMA),
    ],
)
def test_the_worst_of_those_with_enough_answers_decides(rows, verdict, words):
    judged = checks.latency().judge(reading(*rows))
    assert judged.verdict is verdict
    assert words in judged.summary


def sizes(answers, p95, before, p95_before):
    return {"provider": "x", "model": LLAMA, "answers": answers, "p95": p95} | {
        "answers_before": before,
        "p95_before": p95_before,
    }


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (sizes(30, 1500, 900, 1000), OK),
        (sizes(30, 1501, 900, 1000), WARNING),
        (sizes(30, 3001, 900, 1000), CRITICAL),
        (sizes(19, 9000, 900, 1000), UNKNOWN),
        (sizes(30, 9000, 19, 1000), UNKNOWN),
        (sizes(30, 9000, 0, None), UNKNOWN),
    ],
)
def test_requests_are_held_against_the_days_before(row, verdict):
    assert checks.tokens().judge(reading(row)).verdict is verdict


def test_no_row_is_unknown():
    assert checks.tokens().judge(reading()).verdict is UNKNOWN


def test_the_interval_is_that_of_the_orders_of_a_binomial(lab):
    rows = usage(200)
    for number, row in enumerate(rows):
        row["latency"] = 100_000 + number + 1
        row["model"] = "test-model"
    with used(lab.settings, rows):
        result = evaluate(checks.latency(), lab.target)
    (row,) = [row for row in result.rows if row["model"] == "test-model"]
    # Of 200: the 190th, and the orders 190 ± 1.96 √(200 · 0.95 · 0.05), outwards.
    assert (row["p50_ms"], row["p95_ms"]) == (100_100, 100_190)
    assert (row["p95_from_ms"], row["p95_to_ms"], row["slowest_ms"]) == (100_183, 100_198, 100_200)
    assert result.verdict is CRITICAL
