"""Breakers and errors: a state is held against who was served; nothing is green that nobody showed."""

import pytest

from opslib.checks import llm as checks
from opslib.checks.tree import Tree
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget
from tests.llm import reading, router, usage, used

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL


def breaker(provider, state, answers):
    return {
        "breaker": provider,
        "provider": provider,
        "state": state,
        "status": 200,
        "answers": answers,
        "newest_age": 1,
        "minutes": 60,
        "replicas": 3,
        "left": 299,
        "why": "" if answers is not None else "the database refuses connections",
    }


@pytest.mark.parametrize(
    ("first", "spare", "verdict", "words"),
    [
        (("closed", 40), ("closed", 0), OK, "Together.ai answered 40"),
        (("closed", 0), ("closed", 0), UNKNOWN, "nobody knows"),
        (("closed", 0), ("closed", 20), WARNING, "Together.ai serves nobody"),
        (("closed", 0), ("closed", 3), OK, "OpenAI answered 3"),
        (("open", 2), ("closed", 30), WARNING, "Together.ai is open"),
        (("open", 2), ("closed", 0), UNKNOWN, "nobody has seen"),
        (("closed", 9), ("open", 0), WARNING, "OpenAI is open"),
        (("half-open", 1), ("closed", 5), WARNING, "half-open"),
        (("open", 1), ("open", 1), CRITICAL, "Nobody is served"),
        (("half-open", 1), ("open", 1), CRITICAL, "Nobody is served"),
        (("open", None), ("open", None), CRITICAL, "Nobody is served"),
        (("closed", None), ("closed", None), UNKNOWN, "the database refuses connections"),
        (("?", 5), ("closed", 5), UNKNOWN, "no word that is known"),
    ],
)
def test_a_breakers_state_is_not_the_services(first, spare, verdict, words):
    judged = checks.breakers().judge(reading(breaker("together_ai", *first), breaker("openai", *spare)))
    assert judged.verdict is verdict
    assert words in judged.summary


def test_that_only_one_replica_told_its_state_is_said():
    judged = checks.breakers().judge(reading(breaker("together_ai", "closed", 40), breaker("openai", "closed", 0)))
    assert "one replica of 3" in judged.summary


def answer(status, requests, about, age=3600.0):
    return {"status": status, "about": about, "requests": requests, "age": age}


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        ([answer(None, 0, "nothing")], UNKNOWN, "too few"),
        ([answer(200, 19, "answered")], UNKNOWN, "too few"),
        ([answer(200, 500, "answered")], OK, "0.00 %"),
        ([answer(200, 485, "answered"), answer(500, 15, "the server")], WARNING, "3.00 %"),
        ([answer(200, 80, "answered"), answer(500, 20, "the server")], CRITICAL, "20.00 %"),
        ([answer(200, 19, "answered"), answer(500, 1, "the server")], WARNING, "5.00 %"),
        ([answer(200, 90, "answered"), answer(429, 10, "a limit")], OK, "10 for the sake of a limit"),
        ([answer(200, 10, "answered"), answer(401, 90, "who asks")], WARNING, "90 for the sake of who asks"),
    ],
)
def test_failures_are_held_against_the_guides_limits_and_refusals_are_told_by_class(rows, verdict, words):
    judged = checks.errors().judge(reading(*rows))
    assert judged.verdict is verdict
    assert words in judged.summary


def calls(provider, calls, failures):
    return {"provider": provider, "calls": calls, "failures": failures}


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        ([calls("together_ai", 0, 0), calls("openai", 0, 0)], UNKNOWN, "Together.ai 0, OpenAI 0"),
        ([calls("together_ai", None, None), calls("openai", None, None)], UNKNOWN, "no calls"),
        ([calls("together_ai", 900, 3), calls("openai", 3, 3)], OK, "too few to judge: OpenAI 3"),
        ([calls("together_ai", 900, 27), calls("openai", 27, 0)], WARNING, "3.00 %"),
        ([calls("together_ai", 900, 300), calls("openai", 300, 0)], CRITICAL, "33.33 %"),
        ([calls("together_ai", 900, 0), calls("openai", 40, 40)], CRITICAL, "OpenAI failed 100.00 %"),
        ([calls("together_ai", 900, 0), {"provider": "cache", "calls": None, "failures": 70}], OK, "0.00 %"),
    ],
)
def test_calls_that_fail_count_though_the_other_provider_answers(rows, verdict, words):
    judged = checks.provider_errors().judge(reading(*rows))
    assert judged.verdict is verdict
    assert words in judged.summary


def away(lab, **where):
    return PlanTarget(lab.settings.model_copy(update=where), "test")


def test_without_the_application_the_state_is_unknown_and_other_checks_look_all_the_same(lab):
    target = away(lab, application_url="http://127.0.0.1:9")
    with used(lab.settings, usage(40)):
        found = {check.name: evaluate(check, target) for check in checks.DECISIVE}
    target.close()
    unknown = {name for name, result in found.items() if result.verdict is UNKNOWN}
    assert unknown == {"llm-breakers", "llm-errors"}
    assert all("refuses connections" in found[name].summary for name in unknown)


def test_without_the_database_the_breakers_are_told_and_who_was_served_is_not(lab):
    nowhere = type(lab.settings.read_database_url)("postgresql://nobody@127.0.0.1:9/none")
    target = away(lab, read_database_url=nowhere)
    result = evaluate(checks.breakers(), target)
    target.close()
    assert (result.verdict, "Together.ai is closed" in result.summary) == (UNKNOWN, True)
    assert "127.0.0.1:9" in result.summary


def test_a_deployment_without_the_route_is_not_ill(lab):
    with router(404, "<pre>Cannot GET /api/llm/health</pre>") as (url, _):
        result = evaluate(checks.breakers(), away(lab, application_url=url))
    assert (result.verdict, "no such route" in result.summary) == (UNKNOWN, True)


METRICS = """# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e9
# TYPE valuecanvas_http_requests_total counter
valuecanvas_http_requests_total{method="POST",route="/api/llm/chat",status_code="200",tenant_id="a"} 70
valuecanvas_http_requests_total{method="POST",route="/api/v1/llm/chat",status_code="500",tenant_id="b"} 30
valuecanvas_http_requests_total{method="GET",route="/api/llm/health",status_code="503",tenant_id="b"} 900
"""


def test_only_the_chat_routes_own_answers_count(lab):
    with router(200, METRICS) as (url, _):
        result = evaluate(checks.errors(), away(lab, application_url=url))
    assert (result.verdict, result.value) == (CRITICAL, 30.0)


@pytest.mark.parametrize(("status", "text"), [(404, METRICS), (200, "nothing 1\n"), (200, "<html>{")])
def test_metrics_that_are_none_are_unknown(lab, status, text):
    with router(status, text) as (url, _):
        result = evaluate(checks.errors(), away(lab, application_url=url))
    assert result.verdict is UNKNOWN


def test_the_decisive_checks_and_the_branches_of_the_tree_have_names_of_their_own():
    names = [check.name for check in checks.DECISIVE]
    assert len(set(names)) == len(names)
    assert all(isinstance(tree, Tree) for tree in checks.TREES)
    (tree,) = checks.TREES
    assert set(tree.states({}).values()) == {"not seen"}
