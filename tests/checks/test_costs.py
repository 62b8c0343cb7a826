"""Cost: by tokens and a dated price; what has no price or no row is unknown, never nothing."""

import pytest

from opslib.checks import costs as checks
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget
from tests.llm import reading, usage, used

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL


def spent(usd, stored=None, unpriced=0, **said):
    one = {"provider": "openai", "model": "gpt-4", "answers": 5, "without_price": "openai: gpt-9", "minutes": 10}
    late = {"recent_usd": 0.0, "recent_answers": 0}
    return {**one, **late, "usd": usd, "stored_usd": stored, "unpriced": unpriced, **said}


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        ([], UNKNOWN, "not 0 USD"),
        ([spent(9.9, 9.9), spent(0.1, 0.1)], OK, "10.00 USD"),
        ([spent(10.01)], WARNING, "no cost is stored"),
        ([spent(50.01, 0.9)], CRITICAL, "stored as 0.9 USD"),
        ([spent(1.0, unpriced=3)], UNKNOWN, "3 answers have no price (openai: gpt-9)"),
        ([spent(20.0, unpriced=3)], UNKNOWN, "so it is more"),
        ([spent(60.0, unpriced=3)], CRITICAL, "so it is more"),
        ([spent(72.0, recent_usd=12.0, recent_answers=13)], CRITICAL, "are 72.00 USD an hour"),
        ([spent(72.0, recent_usd=0.5, recent_answers=13)], WARNING, "it is over, and stays in this figure"),
        ([spent(72.0, recent_usd=0.0, recent_answers=9)], CRITICAL, "72.00 USD in the last 60 minutes"),
        ([spent(9.0, recent_usd=9.0, recent_answers=13)], WARNING, "54.00 USD an hour: it only begins"),
        ([spent(4.0, recent_usd=3.0, recent_answers=13)], OK, "18.00 USD an hour"),
        ([spent(4.0, unpriced=1, recent_usd=3.0, recent_answers=13)], UNKNOWN, "so it is more"),
    ],
)
def test_an_hour_is_held_against_the_guides_limits_and_a_missing_price_is_never_nothing(rows, verdict, words):
    judged = checks.hour.judge(reading(*rows))
    assert judged.verdict is verdict
    assert words in judged.summary


def usual(now, before, hours=4, unpriced=0, answers=5):
    said = {"basis": "the same hour of the weeks before", "hours": hours, "baseline_usd": before, "history_hours": 700}
    return spent(now, unpriced=unpriced, answers=answers) | said


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (usual(3.0, 2.0), OK),
        (usual(3.1, 2.0), WARNING),
        (usual(90.0, 2.0), WARNING),
        (usual(0.9, 0.01), OK),
        (usual(0.9, 0.01, unpriced=1), WARNING),
        (usual(2.0, 2.0, unpriced=1), UNKNOWN),
        (usual(5.0, None, hours=0), UNKNOWN),
        (usual(5.0, 0.0), WARNING),
        (usual(0.0, 2.0, answers=0), UNKNOWN),
    ],
)
def test_growth_is_held_against_the_median_of_earlier_hours(row, verdict):
    assert checks.baseline.judge(reading(row)).verdict is verdict


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        ([], UNKNOWN, "nothing to compare"),
        ([spent(1.0, 1.05, rounding=0.0)], OK, "+5 %"),
        ([spent(1.0, 1.06, rounding=0.0)], WARNING, "+6 %"),
        ([spent(1.0, 0.03, rounding=0.0)], WARNING, "-97 %"),
        ([spent(0.0000036, 0.000004, rounding=0.0000005)], OK, "+0 %"),
        ([spent(0.0, 0.5, unpriced=5, rounding=0.0)], UNKNOWN, "no price: openai: gpt-9"),
        ([spent(1.0, 1.0, rounding=0.0), spent(0.0, 0.5, unpriced=5, rounding=0.0)], UNKNOWN, "no price"),
        ([spent(1.0, None, rounding=0.0)], UNKNOWN, "no cost stored"),
        ([spent(1.0, 3.0, rounding=0.0), spent(0.0, 0.5, unpriced=5, rounding=0.0)], WARNING, "+200 %"),
    ],
)
def test_the_stored_cost_is_held_against_the_tokens_and_rounding_is_no_divergence(rows, verdict, words):
    judged = checks.stored().judge(reading(*rows))
    assert judged.verdict is verdict
    assert words in judged.summary


@pytest.mark.parametrize(
    ("day", "month", "person", "verdict"),
    [
        (spent(90), spent(900), spent(9), OK),
        (spent(101), spent(900), spent(9), WARNING),
        (spent(90), spent(5001), spent(9), CRITICAL),
        (spent(90), spent(900), spent(11), WARNING),
        (spent(90), spent(900, unpriced=2), spent(9), UNKNOWN),
        (spent(0, answers=0), spent(0, answers=0), spent(0, answers=0), UNKNOWN),
    ],
)
def test_a_day_a_month_and_a_user_have_the_products_limits(day, month, person, verdict):
    rows = [one | {"span": span, "whose": "x"} for one, span in ((day, "day"), (month, "month"), (person, "person"))]
    assert checks.spent().judge(reading(*rows)).verdict is verdict


def listed(told=0.9, output=0.9):
    return {"model": "a-model", "input": 0.9, "output": 0.9, "told_input": told, "told_output": output}


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        ([listed()], OK, "1 prices are as"),
        ([listed(0.908)], OK, "as Together.ai tells"),
        ([listed(0.91)], WARNING, "0.91 and 0.9 USD per million tokens, not 0.9 and 0.9"),
        ([listed(0.9, 1.8), listed()], WARNING, "1.8"),
        ([listed(None, None)], UNKNOWN, "no price"),
        ([listed(), listed(None, None)], OK, "not offered to this key: 1"),
        ([], UNKNOWN, "no price"),
    ],
)
def test_our_prices_are_held_against_those_that_are_told(rows, verdict, words):
    judged = checks.prices.judge(reading(*rows))
    assert judged.verdict is verdict
    assert words in judged.summary


def asked(model, answers, each, before=0, unpriced=0):
    tokens, tokens_before = 1000 * answers, 1000 * before
    said = {"model": model, "answers": answers, "answers_before": before, "unpriced": unpriced}
    said |= {"share": float(answers), "share_before": before / 10, "tokens": tokens, "tokens_before": tokens_before}
    said |= {"began": 300.0, "deployment": "api-server", "revision": 2, "age": 310.0}
    return said | {"usd": tokens * each / 1e6, "usd_before": tokens_before * each / 1e6}


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        ([], UNKNOWN, "too few"),
        ([asked("a", 19, 0.9, 1000)], UNKNOWN, "19 newest answers"),
        ([asked("a", 30, 0.9, 99)], UNKNOWN, "99 in the week before"),
        ([asked("a", 30, 0.9, 1000)], OK, "100 %"),
        ([asked("a", 26, 0.9, 1000), asked("b", 4, 3.5)], OK, "139 %"),
        ([asked("a", 20, 0.9, 1000), asked("b", 10, 3.5)], WARNING, "b gave 10 % of them, 0 % before"),
        ([asked("a", 0, 0.9, 1000), asked("b", 30, 3.5)], CRITICAL, "b gave 30 % of them"),
        ([asked("a", 0, 0.9, 1000), asked("b", 30, 3.5)], CRITICAL, "revision 2 of api-server has run for 5 min 10 s"),
        ([asked("a", 0, 0.9, 990), asked("b", 30, 3.5, 10)], CRITICAL, "b gave 30 % of them, 1 % before."),
        ([asked("a", 0, 0.9, 1000), asked("b", 30, 0.0, unpriced=30)], UNKNOWN, "No price is known of b"),
    ],
)
def test_the_models_of_the_newest_answers_are_held_against_those_of_the_week_before(rows, verdict, words):
    judged = checks.token_price().judge(reading(*rows))
    assert judged.verdict is verdict
    assert words in judged.summary


def test_a_dearer_model_is_found_in_the_real_rows_and_forgotten_after_so_many_answers(lab):
    dear, usual = "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo", "meta-llama/Llama-3-70b-chat-hf"

    def said():
        return evaluate(checks.token_price(), lab.target)

    before = said()
    with used(lab.settings, usage(30, model=dear)):
        during = said()
        with used(lab.settings, usage(30, model=usual)):
            after = said()
    assert before.verdict in (OK, UNKNOWN)
    assert (during.verdict, dear in during.summary, after.verdict) == (CRITICAL, True, OK)


def test_a_model_without_a_price_is_unknown_on_the_real_rows_too(lab):
    with used(lab.settings, usage(5, provider="openai", model="gpt-9")):
        found = {check.name: evaluate(check, lab.target) for check in (checks.hour, checks.stored())}
    assert {result.verdict for result in found.values()} == {UNKNOWN}
    assert all("gpt-9" in result.summary for result in found.values())


def test_without_the_database_every_check_says_so(lab):
    nowhere = type(lab.settings.read_database_url)("postgresql://nobody@127.0.0.1:9/none")
    target = PlanTarget(lab.settings.model_copy(update={"read_database_url": nowhere}), "test")
    for check in (checks.hour, checks.stored(), checks.baseline, checks.spent()):
        result = evaluate(check, target)
        assert (result.verdict, "refuses connections" in result.summary) == (UNKNOWN, True)
    target.close()
